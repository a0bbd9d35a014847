import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorization import image_codecs, image_tiff
from colorization.image_codecs import Raster


def read(pixels: np.ndarray, **options) -> Raster:
    """Writes with tifffile, reads with the code under test."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    file.seek(0)
    return image_tiff.decode(file, max_pixels=10_000)


def written(raster: Raster) -> io.BytesIO:
    file = io.BytesIO()
    image_tiff.encode(file, raster)
    file.seek(0)
    return file


RNG = np.random.default_rng(0)
RGB16 = RNG.integers(0, 65536, (30, 40, 3), dtype=np.uint16)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 7},
    ],
)
def test_16_bit_color_layouts(options):
    is_planar = options.get("planarconfig") == "separate"
    raster = read(np.moveaxis(RGB16, 2, 0) if is_planar else RGB16, photometric="rgb", **options)
    np.testing.assert_array_equal(raster.pixels, RGB16)
    assert (raster.space, raster.format, raster.alpha) == ("RGB", "TIFF", None)


def test_gray_bit_depths_fill_the_range():
    assert read(np.array([[True, False]]), photometric="minisblack").pixels.tolist() == [[255, 0]]
    assert read(np.array([[True, False]]), photometric="miniswhite").pixels.tolist() == [[0, 255]]
    assert read(np.array([[0, 15, 5]], np.uint8), bitspersample=4).pixels.tolist() == [[0, 255, 85]]
    raster = read(np.array([[0, 4095]], np.uint16), bitspersample=12)
    assert raster.pixels.tolist() == [[0, 65535]] and raster.pixels.dtype == np.uint16
    assert read(np.array([[0, 1000]], np.uint16), photometric="miniswhite").pixels.tolist() == [[65535, 64535]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0, -3.0, np.nan]], np.float32), [0, 32768, 65535, 0, 0]),
        (np.array([[0.0, 51.0, 255.0]], np.float64), [0, 13107, 65535]),
        (np.array([[0, 300, 65535, -7]], np.int32), [0, 300, 65535, 0]),
        (np.array([[0.0, 131070.0]], np.float32), [0, 65535]),
        (np.zeros((1, 2), np.float32), [0, 0]),
    ],
)
def test_floating_point_and_wide_integers(values, expected):
    raster = read(values)
    assert raster.pixels.dtype == np.uint16
    assert raster.pixels[0].tolist() == expected


def test_alpha_also_premultiplied():
    samples = np.array([[[100, 50, 200, 255], [60, 30, 0, 128], [0, 0, 0, 0]]], np.uint8)
    raster = read(samples, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(raster.pixels, samples[..., :3])
    assert raster.alpha.tolist() == [[255, 128, 0]]
    raster = read(samples, photometric="rgb", extrasamples=["assocalpha"])
    assert raster.pixels[0].tolist() == [[100, 50, 200], [120, 60, 0], [0, 0, 0]]
    raster = read(RGB16[..., :2].copy(), photometric="minisblack", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(raster.pixels, RGB16[..., 0])
    np.testing.assert_array_equal(raster.alpha, RGB16[..., 1])


def test_palette_cmyk_and_jpeg():
    colors = np.zeros((3, 256), np.uint16)
    colors[:, 7] = 65535, 32896, 0
    assert read(np.full((2, 2), 7, np.uint8), photometric="palette", colormap=colors).pixels[0, 0].tolist() == [
        255,
        128,
        0,
    ]
    raster = read(np.full((2, 2, 4), 9, np.uint8), photometric="separated")
    assert raster.space == "CMYK" and raster.pixels.shape == (2, 2, 4)
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 60, 40)).save(file, "TIFF", compression="jpeg", quality=95)
    file.seek(0)
    raster = image_tiff.decode(file, max_pixels=10_000)
    np.testing.assert_allclose(raster.pixels, np.full((32, 32, 3), (200, 60, 40)), atol=4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("num_channels", [3, 4])
def test_written_file_reads_the_same_elsewhere(dtype, num_channels):
    samples = RNG.integers(0, np.iinfo(dtype).max + 1, (300, 2000, num_channels), dtype=dtype)  # several strips
    alpha = samples[..., 3] if num_channels == 4 else None
    file = written(Raster(samples[..., :3], alpha, "RGB", "TIFF", b"a profile", options={"dpi": (300.0, 150.0)}))
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        np.testing.assert_array_equal(page.asarray(), samples)
        assert page.rowsperstrip < 300
        assert page.iccprofile == b"a profile"
        assert page.get_resolution("INCH") == (300, 150)
    file.seek(0)
    image = Image.open(file)
    expected = samples if dtype == np.uint8 else samples >> 8
    np.testing.assert_array_equal(np.asarray(image), expected)


def test_exif_is_kept_and_orientation_reset():
    exif = Image.Exif()
    exif[315], exif[271] = "Zoë Müller".encode(), "Leica"  # Artist, Make
    exif[0x8769] = {0x9003: "1936:05:01 12:00:00", 33434: 0.008}  # DateTimeOriginal, ExposureTime
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 1.0)}  # GPS latitude
    file = written(Raster(RGB16, None, "RGB", "TIFF", None, exif=exif.tobytes()))
    again = image_tiff.decode(file, max_pixels=10_000)
    file = written(again)  # a second time: from a TIFF's tags instead of an EXIF block
    for tags in (Image.open(file).getexif(), _load(again.exif)):
        assert tags[315].encode("latin-1").decode() == "Zoë Müller" and tags[271] == "Leica"
        assert tags.get_ifd(0x8769)[0x9003] == "1936:05:01 12:00:00"
        assert float(tags.get_ifd(0x8769)[33434]) == 0.008
        assert tags.get_ifd(0x8825) == {1: "N", 2: (52.0, 30.0, 1.0)}
    rotated = read(RGB16, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert rotated.orientation == 6
    assert image_tiff.decode(written(rotated), max_pixels=10_000).orientation == 1


def _load(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def test_unsupported_and_damaged_files_raise():
    with pytest.raises(ValueError, match="40x30 pixels are more than the limit of 1199"):
        image_tiff.decode(written(Raster(RGB16, None, "RGB", "TIFF", None)), max_pixels=1199)
    with pytest.raises(ValueError, match="CIELAB is not supported"):
        read(np.zeros((4, 4, 3), np.uint8), photometric="cielab")
    for options in ({}, {"compression": "zlib"}, {"compression": "lzw"}):
        file = io.BytesIO()
        tifffile.imwrite(file, RGB16, photometric="rgb", metadata=None, **options)
        for length in (6, 100, len(file.getvalue()) - 20):
            with pytest.raises(Exception):  # noqa: B017 - the libraries' choice; image_io makes one kind of it
                image_tiff.decode(io.BytesIO(file.getvalue()[:length]), max_pixels=10_000)


def test_a_file_without_pixels_is_refused():
    """Found by fuzzing: tifffile returns an empty array, without an error."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((30, 20), np.uint8), photometric="minisblack", metadata=None)
    data = bytearray(file.getvalue())
    width = data.index(b"\x00\x01\x04\x00\x01\x00\x00\x00\x14\x00\x00\x00")  # tag 256, one LONG, 20
    data[width + 8] = 0
    with pytest.raises(ValueError, match="damaged image .0x30 pixels."):
        image_tiff.decode(io.BytesIO(data), max_pixels=10_000)


def test_wide_values_are_converted_alike_in_pieces(monkeypatch):
    values = RNG.uniform(-10, 300, (30, 40, 3)).astype(np.float32)
    whole = read(values, photometric="rgb").pixels
    monkeypatch.setattr(image_codecs, "_CONVERTED_VALUES", 500)
    np.testing.assert_array_equal(read(values, photometric="rgb").pixels, whole)


@pytest.mark.parametrize(
    "tags",
    [{"ImageWidth": 7000, "ImageLength": 7000, "SamplesPerPixel": 7}, {"TileWidth": 65520, "TileLength": 65520}],
    ids=["image", "tile"],
)
def test_a_small_file_that_promises_gigabytes_is_refused(tmp_path, tags):
    """Pixels that are missing count as zeros, so that the file may be as small as its tags."""
    path = tmp_path / "small.tiff"
    tifffile.imwrite(path, np.zeros((16, 16, 3), np.float64), photometric="rgb", metadata=None, tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name, value in tags.items():
            tiff.pages.first.tags[name].overwrite(value)
    assert path.stat().st_size < 10_000
    with open(path, "rb") as file, pytest.raises(ValueError, match=r"\d{9,} bytes of pixels are more than the limit"):
        image_tiff.decode(file, max_pixels=50_000_000)


def test_channels_of_different_depths_are_refused_at_once(tmp_path):
    """Found by fuzzing: tifffile has a tuple in place of their depth."""
    path = tmp_path / "small.tiff"
    tifffile.imwrite(path, np.zeros((16, 16, 3), np.uint8), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages.first.tags["BitsPerSample"].overwrite((5, 6, 5))
    with open(path, "rb") as file, pytest.raises(ValueError, match="channels differ in depth is not supported"):
        image_tiff.decode(file, max_pixels=10_000)
