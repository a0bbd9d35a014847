import dataclasses
import math

import numpy as np
import pytest

from colorization.inference import conversion_report, converted, tflite

REPORT = conversion_report.Report(
    num_photos=9,
    num_grey=0,
    max_difference=12.0,
    mean_difference=0.5,
    unit="levels of 255",
    source_psnr=24.5,
    psnr=24.0,
    num_bytes=8_000_000,
    runtime="litert",
    latency_size=(256, 192),
    latency_ms={1: 20.04, 2: 11.0},
)


def make_photo(color, size=(60, 80)):
    return np.zeros((*size, 3), np.uint8) + np.uint8(color)


def convert_and_compare(path, source, photos, *, flavour, image_size):
    """The report on a float32 file, written to `path`."""
    options = {"quantization": "float32", "image_size": image_size}
    path.write_bytes(tflite.convert(source, flavour=flavour, **options))
    if flavour == "steer":
        converted.encoder_path(path).write_bytes(tflite.convert_encoder(source, **options))
    return conversion_report.compare(
        path, "litert", source, photos, flavour=flavour, image_size=image_size, num_bytes=123
    )


@pytest.mark.parametrize("image_size", [(64, 96), None])
@pytest.mark.parametrize("flavour", ["rgb", "chroma", "steer"])
def test_an_exact_conversion_loses_nothing(source, tmp_path, flavour, image_size):
    photos = [make_photo((200, 120, 40)), make_photo((60, 90, 160), (90, 50)), make_photo((90, 90, 90))]
    path = tmp_path / "model.tflite"
    report = convert_and_compare(path, source, photos, flavour=flavour, image_size=image_size)
    assert (report.num_photos, report.num_grey, report.num_bytes) == (3, 1, 123)
    assert report.max_difference <= (1 if flavour == "rgb" else 1e-3)
    assert report.mean_difference <= report.max_difference
    assert abs(report.psnr_lost) < 0.01
    assert report.unit == ("levels of 255" if flavour == "rgb" else "units of a*, b*")
    assert report.latency_size == (image_size or ((256, 256) if flavour == "rgb" else (64, 64)))
    assert set(report.latency_ms) == {1, 2} and min(report.latency_ms.values()) > 0
    assert conversion_report.find_violations(report, "float32") == []


@pytest.mark.parametrize("broken", ["z", "hints", "encoder"])
def test_a_model_that_is_steered_wrongly_is_found_out(source, tmp_path, monkeypatch, broken):
    """Its automatic colours are right all the same."""
    steer, encode = source.steer, source.encode
    if broken == "z":
        monkeypatch.setattr(source, "steer", lambda l, z, hints: steer(l, -z, hints))
    elif broken == "hints":
        monkeypatch.setattr(source, "steer", lambda l, z, hints: steer(l, z, -hints))
    else:
        monkeypatch.setattr(source, "encode", lambda l, ab: encode(l, -ab))
    photos = [make_photo((200, 120, 40))]
    report = convert_and_compare(tmp_path / "model.tflite", source, photos, flavour="steer", image_size=None)
    assert len(conversion_report.find_violations(report, "float32")) == 1


def run_known(predict, source, original):
    """The source is 10 levels off the photo in every channel, the conversion 20."""
    expected, actual = original + np.uint8(10), original + np.uint8(20)
    return np.abs(actual.astype(int) - expected), expected, actual


@pytest.mark.parametrize(
    "color, source_psnr, psnr",
    [
        ((200, 120, 40), 20 * math.log10(255 / 10), 20 * math.log10(255 / 20)),
        ((90, 90, 90), 24.0, 10 * math.log10(255**2 / (255**2 / 10**2.4 + 10**2))),  # grey: estimated
    ],
)
def test_psnr_is_that_of_the_photos(source, tmp_path, monkeypatch, color, source_psnr, psnr):
    monkeypatch.setattr(conversion_report, "_run_rgb", run_known)
    photos = [make_photo(color)] * 2
    report = convert_and_compare(tmp_path / "model.tflite", source, photos, flavour="rgb", image_size=(16, 16))
    assert (report.max_difference, report.mean_difference) == (10.0, 10.0)
    assert (report.source_psnr, report.psnr) == (pytest.approx(source_psnr), pytest.approx(psnr))
    assert report.psnr_lost == pytest.approx(source_psnr - psnr)


def test_limits():
    assert conversion_report.MAX_PSNR_CHANGE == {"float32": 0.05, "float16": 0.05, "dynamic": 0.2, "int8": 0.5}
    assert conversion_report.find_violations(REPORT, "int8") == []  # both limits exactly reached
    assert conversion_report.find_violations(REPORT, "dynamic") == ["PSNR changes by -0.500 dB, the limit is 0.2 dB"]
    better = dataclasses.replace(REPORT, psnr=25.25, num_bytes=8_010_000)
    assert conversion_report.find_violations(better, "int8") == [
        "PSNR changes by +0.750 dB, the limit is 0.5 dB",
        "8.01 MB, the limit is 8 MB",
    ]
    assert conversion_report.find_violations(dataclasses.replace(better, psnr=24.5), "float32") == []
    assert len(conversion_report.find_violations(dataclasses.replace(REPORT, psnr=math.nan), "float32")) == 1


def test_report_for_people():
    assert conversion_report.format_report(REPORT).splitlines() == [
        "against the SavedModel, 9 photos:",
        "  difference   mean 0.5000, max 12.00 levels of 255",
        "  PSNR lost    0.5000 dB (24.500 to 24.000)",
        "  size         8,000,000 bytes",
        "  latency      20.0 ms with 1 thread, 11.0 ms with 2 threads (256x192 px, LiteRT)",
    ]
    grey = conversion_report.format_report(dataclasses.replace(REPORT, num_grey=2))
    assert "(24.500 to 24.000, estimated for the 2 that are grey)" in grey


def test_photos_are_compared_at_the_size_that_the_file_is_for():
    assert conversion_report.comparison_size("rgb", (100, 75)) == (100, 75)
    assert conversion_report.comparison_size("chroma", (160, 240)) == (256, 384)
    assert conversion_report.comparison_size("rgb", None) is None


def test_photos_are_cut_around_their_centre():
    photo = make_photo((0, 0, 0), (60, 100))
    photo[:, 20:80] = (10, 200, 30)
    np.testing.assert_array_equal(conversion_report.fit_photo(photo, (30, 30)), make_photo((10, 200, 30), (30, 30)))
    assert conversion_report.fit_photo(photo, None).shape == (256, 427, 3)
    assert conversion_report.fit_photo(make_photo((1, 2, 3), (1, 1)), (40, 7)).shape == (40, 7, 3)
