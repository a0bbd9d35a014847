import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from colorization import Colorizer, color
from colorization.inference import full_size, processing, tensorflow_backend
from colorization.inference.hints import Hint
from colorization.inference.version_files import ModelError


@pytest.fixture(scope="module")
def colorizer(tiny_model_dir):
    return Colorizer.load(tiny_model_dir)


RED = np.zeros((30, 40, 3), np.uint8) + np.uint8([255, 0, 0])
RED_AB = np.array([80.09, 67.20]) / 110


def make_photo(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def to_lightness(rgb):
    """L* of uint8 or uint16 (H, W, 3)."""
    return processing.to_l(rgb).numpy() * 50 + 50


def test_load_tells_what_it_found(colorizer, tiny_model_dir):
    assert colorizer.model_dir == tiny_model_dir / "1"
    assert (colorizer.work_size, colorizer.z_dim) == (64, 2)


def test_what_load_does_ahead_fits_the_first_photo(colorizer):
    """In its threads a mistake would only cost time, so nobody would notice."""
    tensorflow_backend._call_once(colorizer.signatures["sample_ab"])
    full_size.compile_recolor()
    num_tracings = full_size._recolor_uint8.experimental_get_tracing_count()
    colorizer.colorize(make_photo(40, 30))
    assert full_size._recolor_uint8.experimental_get_tracing_count() == num_tracings


def test_flat_grey_gets_the_known_colour(colorizer):
    l = (53.585 - 50) / 50  # L* of sRGB level 128
    ab = np.array([0.3 - 0.1 * l, -0.2 + 0.05 * l])
    expected = color.lab_to_rgb(np.array([[[53.585, *ab * 110]]], np.float32))[0, 0] * 255
    result = colorizer.colorize(np.full((40, 30), 128, np.uint8))
    assert result.shape == (40, 30, 3) and result.dtype == np.uint8
    np.testing.assert_allclose(result, np.broadcast_to(expected, (40, 30, 3)), atol=0.51)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_and_rgb_photos_are_taken_alike(colorizer, dtype):
    grey = make_photo(50, 70, dtype=dtype)
    rgb = np.repeat(grey[..., None], 3, axis=-1)
    result = colorizer.colorize(grey)
    assert result.dtype == dtype and result.shape == (50, 70, 3)
    np.testing.assert_array_equal(result, colorizer.colorize(rgb))


@pytest.mark.parametrize("shape", [(100, 130), (90, 60, 3), (1, 1), (3, 200)])
def test_lightness_stays(colorizer, shape):
    photo = make_photo(*shape)
    result = colorizer.colorize(photo)
    rgb = photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, axis=-1)
    assert np.abs(to_lightness(result) - to_lightness(rgb)).mean() < 0.5


def test_colours_of_the_input_are_ignored(colorizer):
    red = np.zeros((40, 40, 3), np.uint8) + np.uint8([255, 0, 0])
    grey = np.full((40, 40), 127, np.uint8)  # L* 53.19, that of red is 53.24
    difference = colorizer.colorize(red).astype(int) - colorizer.colorize(grey)
    assert np.abs(difference).max() <= 1


def test_sixteen_bits_are_kept(colorizer):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    result = colorizer.colorize(ramp, saturation=0.0).astype(int)
    assert np.abs(result - ramp[..., None].astype(int)).max() <= 8
    assert len(np.unique(colorizer.colorize(ramp)[..., 1])) > 20000


def test_it_does_what_the_saved_model_does(colorizer, tiny_model_dir):
    photo = make_photo(75, 110, 3)
    saved = tf.saved_model.load(str(tiny_model_dir / "1")).signatures["colorize"](rgb=tf.constant(photo[None]))["rgb"]
    difference = np.abs(colorizer.colorize(photo).astype(int) - saved[0])
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_results_go_where_they_are_wanted(colorizer):
    photos = [make_photo(75, 110, 3), make_photo(30, 40, 3, dtype=np.uint16)]
    expected = colorizer.colorize_batch(photos)
    others = [np.zeros_like(photo) for photo in photos]
    for out in (others, photos):  # last the photos themselves
        results = colorizer.colorize_batch(photos, out=out)
        for result, array, same in zip(results, out, expected, strict=True):
            assert result is array
            np.testing.assert_array_equal(array, same)


def test_a_batch_of_all_sizes_comes_back_in_order(colorizer):
    photos = [
        make_photo(*shape, dtype=dtype, seed=seed)
        for seed, (shape, dtype) in enumerate(
            [((64, 64), np.uint8), ((64, 96, 3), np.uint16), ((128, 130), np.uint8), ((40, 60, 3), np.uint8)]
        )
    ]
    for photo, result in zip(photos, colorizer.colorize_batch(photos), strict=True):
        assert result.dtype == photo.dtype
        np.testing.assert_array_equal(result, colorizer.colorize(photo))
    assert colorizer.colorize_batch([]) == []


def test_what_stands_beside_a_photo_changes_no_pixel():
    """With the shipped network: sums in a batch are rounded in another order, which shows in a pixel of some photos."""
    photos = [make_photo(48, 60, seed=seed) for seed in range(5)]
    shipped = Colorizer.load()
    for photo, result in zip(photos, shipped.colorize_batch(photos), strict=True):
        np.testing.assert_array_equal(result, shipped.colorize(photo))


def test_saturation(colorizer):
    photo = np.full((40, 40), 128, np.uint8)
    grey, half, full = (colorizer.colorize(photo, saturation=s)[0, 0].astype(int) for s in (0, 0.5, 1))
    np.testing.assert_array_equal(grey, [128, 128, 128])
    _, half_ab = color.rgb_to_l_ab(np.float32(half / 255)[None, None])
    _, full_ab = color.rgb_to_l_ab(np.float32(full / 255)[None, None])
    np.testing.assert_allclose(np.asarray(half_ab) * 2, full_ab, atol=0.01)


def test_noise(colorizer):
    photo = make_photo(40, 40)
    zeros = colorizer.colorize(photo, z=np.zeros(2))
    np.testing.assert_array_equal(zeros, colorizer.colorize(photo))
    seeded = colorizer.colorize(photo, seed=1)
    np.testing.assert_array_equal(seeded, colorizer.colorize(photo, seed=1))
    np.testing.assert_array_equal(seeded, colorizer.colorize(photo, z=colorizer.draw_z(1, 1)[0]))
    assert (seeded != zeros).any() and (seeded != colorizer.colorize(photo, seed=2)).any()
    np.testing.assert_array_equal(colorizer.draw_z(3, 5), colorizer.draw_z(7, 5)[:3])
    draws = colorizer.draw_z(4000, 0)
    assert draws.shape == (4000, 2) and draws.dtype == np.float32
    np.testing.assert_allclose([draws.mean(), draws.std()], [0, 1], atol=0.05)


def make_old(colorizer):
    """A colorizer whose model is of the time before hints and references."""
    names = ("serving_default", "colorize", "predict_ab", "sample_ab")
    return Colorizer(
        {name: colorizer.signatures[name] for name in names}, model_dir=Path("old/1"), work_size=64, z_dim=2
    )


def test_a_hint_colours_its_disc_and_nothing_farther_away(colorizer):
    photo = np.full((100, 200), 128, np.uint8)
    automatic = colorizer.colorize(photo)
    result = colorizer.colorize(photo, hints=[Hint(150, 50, (255, 0, 0), 40)])
    y, x = np.mgrid[:100, :200]
    distance = np.hypot(x + 0.5 - 150, y + 0.5 - 50)
    np.testing.assert_array_equal(result[distance > 54], automatic[distance > 54])  # 6 work pixels are 9.4 of these
    l = (53.585 - 50) / 50  # L* of sRGB level 128
    red = np.float32(RED_AB)[None, None]  # conftest's generator goes half of the way, `obey_hints` the rest
    expected = processing.recolor(np.full((1, 1, 1), l, np.float32), red, 1.0, tf.uint8)[0, 0]
    inside = result[distance < 35].astype(int)
    np.testing.assert_allclose(inside, np.broadcast_to(expected, inside.shape), atol=1)


def test_every_photo_of_a_batch_has_its_own_hints(colorizer):
    photos = [make_photo(64, 64, seed=i) for i in range(3)]
    hints = [[Hint(10, 10, (255, 0, 0), 9)], [], [Hint(50, 50, (0, 0, 255), 9), Hint(1, 2, (0, 255, 0))]]
    results = colorizer.colorize_batch(photos, hints=hints, seed=3)
    for photo, points, result in zip(photos, hints, results, strict=True):
        single = colorizer.colorize(photo, hints=points, seed=3)
        assert np.abs(result.astype(int) - single).max() <= 1
        assert (single != colorizer.colorize(photo, seed=3)).any() == bool(points)
    with pytest.raises(ValueError, match="hints for 2 photos, but there are 3"):
        colorizer.colorize_batch(photos, hints=hints[:2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_reference_gives_its_mood(colorizer, dtype):
    l, ab = color.rgb_to_l_ab(np.float32([[[1, 0, 0], [0, 0, 1]]]))
    half_blue = RED.astype(dtype) * (np.iinfo(dtype).max // 255)
    half_blue[:, 20:] = half_blue[0, 0, [2, 1, 0]]
    z = colorizer.encode_reference(half_blue)
    assert z.shape == (2,) and z.dtype == np.float32
    # What conftest's noise encoder does; the colours mix in a few pixels at the border.
    expected = 4 * np.mean(ab, axis=(0, 1)) + np.array([0, np.mean(l)])
    np.testing.assert_allclose(z, expected, atol=0.1)
    photo = make_photo(40, 40)
    result = colorizer.colorize(photo, reference=half_blue)
    np.testing.assert_array_equal(result, colorizer.colorize(photo, z=z))
    assert (result != colorizer.colorize(photo)).any()
    hints = [Hint(20, 20, (0, 255, 0), 9)]
    np.testing.assert_array_equal(
        colorizer.colorize(photo, reference=half_blue, hints=hints), colorizer.colorize(photo, z=z, hints=hints)
    )


def test_an_old_model_says_what_it_does_not_take(colorizer):
    photo = make_photo(40, 40)
    old = make_old(colorizer)
    for hints in (None, []):
        np.testing.assert_array_equal(old.colorize(photo, hints=hints), colorizer.colorize(photo))
    with pytest.raises(ModelError, match="^old/1: this model takes no hints$"):
        old.colorize(photo, hints=[Hint(1, 1, (255, 0, 0))])
    with pytest.raises(ModelError, match="^old/1: this model takes no reference photo$"):
        old.colorize(photo, reference=RED)


@pytest.mark.parametrize(
    "photo, options, message",
    [
        (np.zeros((4, 4), np.float32), {}, "photo has dtype float32; it must be uint8 or uint16"),
        (np.zeros((4, 4, 4), np.uint8), {}, r"photo has shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), {}, r"photo has shape \(4, 4, 1\)"),
        (np.zeros((0, 4), np.uint8), {}, r"photo has shape \(0, 4\)"),
        (np.zeros((4, 4), np.uint8), {"saturation": -1}, "saturation -1: must be"),
        (np.zeros((4, 4), np.uint8), {"saturation": float("nan")}, "saturation nan: must be"),
        (np.zeros((4, 4), np.uint8), {"z": np.zeros(3)}, r"z has shape \(3,\); this model takes \(2,\)"),
        (np.zeros((4, 4), np.uint8), {"z": np.zeros(2), "seed": 1}, "give one of z, seed and reference"),
        (np.zeros((4, 4), np.uint8), {"reference": RED, "seed": 1}, "give one of z, seed and reference"),
        (np.zeros((4, 4), np.uint8), {"reference": RED, "z": np.zeros(2)}, "give one of z, seed and reference"),
        (np.zeros((4, 4), np.uint8), {"reference": RED / 255}, "reference photo has dtype float64; it must be"),
        (np.zeros((4, 4), np.uint8), {"reference": RED[..., 0]}, "the reference photo is grey; it must be in colour"),
        (np.zeros((4, 4), np.uint8), {"reference": RED[:0]}, r"reference photo has shape \(0, 40, 3\)"),
        (
            np.zeros((4, 3), np.uint8),
            {"hints": [Hint(3, 0, (0, 0, 0))]},
            "point 1: x=3 lies outside the photo, 3 pixels",
        ),
    ],
)
def test_wrong_arguments_are_named(colorizer, photo, options, message):
    with pytest.raises(ValueError, match=message):
        colorizer.colorize(photo, **options)


@pytest.mark.parametrize("damage", ["missing", "empty", "no info", "no weights", "cut weights", "garbage", "other"])
def test_a_broken_model_is_one_clear_line(tiny_model_dir, tmp_path, damage):
    model_dir = tmp_path / "model"
    if damage == "empty":
        model_dir.mkdir()
    elif damage != "missing":
        shutil.copytree(tiny_model_dir, model_dir)
        (model_dir / "1" / "assets.extra" / "checksums.json").unlink()  # as in models of older versions
    weights = model_dir / "1" / "variables" / "variables.data-00000-of-00001"
    if damage == "no info":
        (model_dir / "1" / "assets.extra" / "colorizer.json").unlink()
    elif damage == "no weights":
        shutil.rmtree(model_dir / "1" / "variables")
    elif damage == "cut weights":
        weights.write_bytes(weights.read_bytes()[:10])
    elif damage == "garbage":
        (model_dir / "1" / "saved_model.pb").write_bytes(b"garbage")
    elif damage == "other":
        (model_dir / "1" / "assets.extra" / "colorizer.json").write_text(json.dumps({"name": "other"}))
    with pytest.raises(ModelError) as caught:
        Colorizer.load(model_dir)
    assert str(caught.value).startswith(str(model_dir))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
        "saved_model.pb",
        "fingerprint.pb",
        "assets.extra/colorizer.json",
    ],
)
def test_a_missing_or_altered_file_of_a_model_is_named(tiny_model_dir, tmp_path, name):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "1")
    path = tmp_path / "1" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    for damaged, reason in (
        (content, "altered since it was written (checksum differs)"),
        (content[:-1], f"altered since it was written ({len(content) - 1} bytes instead of {len(content)})"),
        (None, "missing"),
    ):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        if name != "saved_model.pb" or damaged is not None:
            with pytest.raises(ModelError) as caught:
                Colorizer.load(tmp_path / "1")
            assert str(caught.value) == f"{path}: {reason}"


def test_a_damaged_list_of_checksums_is_named(tiny_model_dir, tmp_path):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "1")
    path = tmp_path / "1" / "assets.extra" / "checksums.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match="^" + re.escape(f"{path}: not a list of checksums: ")):
        Colorizer.load(tmp_path)
