import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from colorization import image_codecs
from colorization.image_codecs import Raster

RNG = np.random.default_rng(0)
RGB16 = RNG.integers(0, 65536, (30, 40, 4), dtype=np.uint16)
SMOOTH = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 4, np.arange(80) * 3, 90), axis=-1).astype(np.uint8)


def decode(data: bytes, **options) -> Raster:
    return image_codecs.decode(io.BytesIO(data), **{"max_pixels": 1_000_000} | options)


def encode(raster: Raster) -> bytes:
    file = io.BytesIO()
    image_codecs.encode(file, raster)
    return file.getvalue()


def saved(image: Image.Image, file_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def exif_block(order: str, orientation: int) -> bytes:
    """Two tags (orientation, then a long UTF-8 artist) and a second directory, a thumbnail's."""
    artist = "Zoë Müller".encode() + b"\0"
    tags = struct.pack(order + "HHLHH", 0x0112, 3, 1, orientation, 0)
    tags += struct.pack(order + "HHLL", 0x013B, 2, len(artist), 38)
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HL", 42, 8)
    return b"Exif\0\0" + header + struct.pack(order + "H", 2) + tags + struct.pack(order + "L", 50) + artist


@pytest.mark.parametrize("num_channels", [1, 2, 3, 4])
def test_png_of_16_bits_is_read_exactly(num_channels):
    samples = RGB16[..., :num_channels] if num_channels > 1 else RGB16[..., 0]
    raster = decode(imagecodecs.png_encode(np.ascontiguousarray(samples)))
    num_colors = 1 if num_channels < 3 else 3
    np.testing.assert_array_equal(np.atleast_3d(raster.pixels), RGB16[..., :num_colors])
    if num_channels in (2, 4):
        np.testing.assert_array_equal(raster.alpha, RGB16[..., num_colors])
    else:
        assert raster.alpha is None
    assert raster.space == ("GRAY" if num_colors == 1 else "RGB")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_png_is_written_exactly_with_metadata(dtype, has_alpha):
    samples = RGB16 if dtype == np.uint16 else (RGB16 >> 8).astype(np.uint8)
    alpha = samples[..., 3] if has_alpha else None
    exif = exif_block("<", 1)
    options = {"dpi": (300.0, 150.0)}
    rgb = np.ascontiguousarray(samples[..., :3])
    data = encode(Raster(rgb, alpha, "RGB", "PNG", b"a profile", exif=exif, options=options))
    np.testing.assert_array_equal(imagecodecs.png_decode(data), samples if has_alpha else rgb)
    image = Image.open(io.BytesIO(data))
    image.verify()  # checks each chunk's CRC
    assert image.info["icc_profile"] == b"a profile"
    assert image.info["exif"] == exif
    np.testing.assert_allclose(image.info["dpi"], (300, 150), atol=0.1)
    again = decode(data)
    assert (again.icc_profile, again.orientation) == (b"a profile", 1)
    assert again.exif == exif[:40] + bytes(4) + exif[44:]  # without a second directory


def test_jpeg_is_written_with_full_chroma_at_quality_95():
    data = encode(Raster(SMOOTH, None, "RGB", "JPEG", b"a profile", options={"dpi": (300.0, 300.0)}))
    image = Image.open(io.BytesIO(data))
    assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    assert (
        image.quantization == Image.open(io.BytesIO(saved(Image.new("RGB", (8, 8)), "JPEG", quality=95))).quantization
    )
    assert image.info["dpi"] == (300, 300) and image.info["icc_profile"] == b"a profile"
    np.testing.assert_allclose(np.asarray(image), SMOOTH, atol=6)


def test_exif_too_long_for_jpeg_is_left_out():
    data = encode(Raster(SMOOTH, None, "RGB", "JPEG", None, exif=exif_block("<", 1) + bytes(70_000)))
    assert "exif" not in Image.open(io.BytesIO(data)).info


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_told_and_reset_and_the_rest_of_exif_kept(order, file_format):
    raster = decode(saved(Image.new("RGB", (8, 6)), file_format, exif=exif_block(order, 6)))
    assert raster.orientation == 6
    expected = bytearray(exif_block(order, 1))
    expected[40:44] = bytes(4)  # no second directory
    assert raster.exif == bytes(expected)
    again = Image.open(io.BytesIO(encode(Raster(SMOOTH, None, "RGB", file_format, None, exif=raster.exif))))
    assert again.getexif()[0x0112] == 1
    assert again.getexif()[0x013B].encode("latin-1").decode() == "Zoë Müller"


def test_damaged_exif_counts_as_none():
    for block in (b"Exif\0\0rubbish", exif_block("<", 6)[:20]):
        raster = decode(saved(Image.new("RGB", (8, 6)), "JPEG", exif=block))
        assert raster.exif is None


def test_palette_and_bilevel_modes():
    gray = Image.fromarray(SMOOTH[..., 0])
    bilevel = decode(saved(gray.convert("1"), "PNG"))
    assert bilevel.space == "GRAY" and set(np.unique(bilevel.pixels)) == {0, 255}
    palette = Image.new("P", (4, 3), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30, 250, 0, 0])
    palette.putpixel((2, 1), 2)
    raster = decode(saved(palette, "PNG"))
    assert raster.alpha is None
    assert raster.pixels[0, 0].tolist() == [10, 200, 30] and raster.pixels[1, 2].tolist() == [250, 0, 0]
    for file_format, transparency in (("PNG", bytes([255, 255, 77])), ("PNG", 2), ("GIF", 2)):
        raster = decode(saved(palette, file_format, transparency=transparency))
        assert raster.pixels[0, 0].tolist() == [10, 200, 30]
        assert raster.alpha[0, 0] == 255
        assert raster.alpha[1, 2] == (77 if transparency != 2 else 0)


def test_gray_with_alpha_and_gray_with_a_transparent_value():
    gray, alpha = Image.fromarray(SMOOTH[..., 0]), Image.fromarray(SMOOTH[..., 1])
    raster = decode(saved(Image.merge("LA", [gray, alpha]), "PNG"))
    assert raster.space == "GRAY"
    np.testing.assert_array_equal(raster.pixels, SMOOTH[..., 0])
    np.testing.assert_array_equal(raster.alpha, SMOOTH[..., 1])
    raster = decode(saved(gray, "PNG", transparency=8))
    np.testing.assert_array_equal(raster.alpha, np.where(SMOOTH[..., 0] == 8, 0, 255))
    np.testing.assert_array_equal(raster.pixels, SMOOTH[..., 0])


def test_gif_keeps_colors_close_and_holes_open():
    alpha = np.full(SMOOTH.shape[:2], 255, np.uint8)
    alpha[10:20, 30:50] = 0
    again = decode(encode(Raster(SMOOTH, alpha, "RGB", "GIF", None)))
    assert again.format == "GIF"
    np.testing.assert_array_equal(again.alpha, alpha)
    difference = again.pixels[alpha > 0].astype(int) - SMOOTH[alpha > 0]
    assert np.abs(difference).mean() < 8 and np.abs(difference.mean()) < 1
    assert decode(encode(Raster(SMOOTH, None, "RGB", "GIF", None))).alpha is None


def test_webp_stays_lossless_if_it_was():
    image = Image.fromarray(SMOOTH)
    for lossless in (True, False):
        raster = decode(saved(image, "WEBP", lossless=lossless))
        assert raster.options == {"lossless": lossless}
        data = encode(Raster(RGB16[..., :3].astype(np.uint8), None, "RGB", "WEBP", None, options=raster.options))
        assert np.array_equal(decode(data).pixels, RGB16[..., :3].astype(np.uint8)) == lossless


@pytest.mark.parametrize("file_format", ["PNG", "AVIF", "WEBP"])
def test_alpha_survives(file_format):
    alpha = SMOOTH[..., 1]
    again = decode(encode(Raster(SMOOTH, alpha, "RGB", file_format, None)))
    assert again.format == file_format
    np.testing.assert_allclose(again.alpha, alpha, atol=0 if file_format != "AVIF" else 3)


def test_smaller_jpeg_is_decoded_only_where_allowed():
    image = Image.new("RGB", (640, 480), (200, 60, 40))
    data = saved(image, "JPEG", quality=95)
    assert decode(data).pixels.shape == (480, 640, 3)
    assert decode(data, min_short_side=100).pixels.shape == (120, 160, 3)
    assert decode(data, min_short_side=130).pixels.shape == (240, 320, 3)
    assert decode(data, min_short_side=5000).pixels.shape == (480, 640, 3)
    assert decode(saved(image, "PNG"), min_short_side=100).pixels.shape == (480, 640, 3)


def test_resolution_that_no_format_can_hold_is_left_out():
    assert image_codecs.read_dpi((300, 72.5)) == {"dpi": (300.0, 72.5)}
    for values in (None, (0, 0), (72,), (float("nan"), 72), (1e9, 72), ("x", 1)):
        assert image_codecs.read_dpi(values) == {}


@pytest.mark.parametrize("file_format, expected", [("TGA", "PNG"), ("SGI", "PNG"), ("PCX", "PNG"), ("JPEG2000", "PNG")])
def test_what_else_pillow_reads_is_read_and_becomes_png(file_format, expected):
    data = saved(Image.fromarray(SMOOTH), file_format)
    raster = decode(data)
    assert (raster.format, raster.space) == (expected, "RGB")
    np.testing.assert_array_equal(raster.pixels, SMOOTH)
    assert image_codecs.read_size(io.BytesIO(data)) == SMOOTH.shape[1::-1]


def test_postscript_is_not_read():
    """Pillow would have another program run it."""
    data = saved(Image.fromarray(SMOOTH), "EPS")
    with pytest.raises(UnidentifiedImageError):
        decode(data)
    with pytest.raises(UnidentifiedImageError):
        image_codecs.read_size(io.BytesIO(data))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_portable_pixmaps_are_written(dtype):
    pixels = SMOOTH.astype(dtype) * (np.iinfo(dtype).max // 255)
    data = encode(Raster(pixels, None, "RGB", "PPM", None))
    top = np.iinfo(dtype).max
    assert data == b"P6\n%d %d\n%d\n" % (*SMOOTH.shape[1::-1], top) + pixels.astype(f">u{pixels.itemsize}").tobytes()
    np.testing.assert_array_equal(Image.open(io.BytesIO(data)), SMOOTH)
    assert decode(data).format == "PPM"


def test_numbers_of_any_range_become_16_bits():
    floats = Image.fromarray(np.float32([[-3, 0, 128, 255]]))
    raster = decode(saved(floats, "PPM"))  # as PFM
    assert raster.pixels.tolist() == [[0, 0, 128 * 257, 65535]] and raster.space == "GRAY"
    deep = decode(b"P5\n3 1\n65535\n" + bytes([0, 0, 1, 0, 255, 255]))
    assert deep.pixels.tolist() == [[0, 256, 65535]] and deep.pixels.dtype == np.uint16
    values = np.array([np.nan, -1, 0.5, np.inf, 0.25])
    assert image_codecs.to_uint16(values).tolist() == [0, 0, 32768, 0, 16384]
    assert image_codecs.to_uint16(np.array([0, 256, 512])).tolist() == [0, 256, 512]
    assert image_codecs.to_uint16(np.array([0, 50_000, 100_000])).tolist() == [0, 32768, 65535]


def test_a_block_that_is_no_exif_is_not_handed_on():
    """Pillow reads such a JPEG, and fails for the result if it has the same block."""
    for header in (b"\xff\xff\xff\xff", b"rub*"):
        raster = decode(saved(Image.new("RGB", (8, 6)), "JPEG", exif=b"Exif\0\0" + header + exif_block(">", 6)[10:]))
        assert (raster.exif, raster.orientation) == (None, 1)


def test_a_gif_keeps_its_lightness():
    """A flat picture, with a few rows of all colours and a part that is nearly flat: 0.43 levels without k-means."""
    rng = np.random.default_rng(0)
    photo = np.full((90, 120, 3), (153, 99, 61), np.uint8)
    photo[:4] = rng.integers(0, 256, (4, 120, 3))
    photo[4:50] += rng.integers(0, 3, (46, 120, 3), np.uint8)
    again = decode(encode(Raster(photo, None, "RGB", "GIF", None))).pixels
    assert np.abs((again.astype(int) - photo) @ np.array([0.299, 0.587, 0.114])).mean() < 0.4
