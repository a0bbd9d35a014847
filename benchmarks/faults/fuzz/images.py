"""Damaged image files of every kind that Pillow, tifffile and imagecodecs can write."""

import contextlib
import dataclasses
import functools
import io
import struct
import zlib

import imagecodecs
import numpy as np
import tifffile
from hypothesis import strategies as st
from PIL import Image, ImageCms

from colorization import image_io

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr")
_OPTIONS = {
    "JPEG": ({"quality": 30}, {"progressive": True}, {"subsampling": 2, "dpi": (300, 300)}),
    "WEBP": ({"lossless": True}, {"quality": 30}),
    "GIF": ({"save_all": True}, {"transparency": 0}),
    # Not JPEG: of some modes, that corrupts the memory of who writes it. tifffile's does not.
    "TIFF": tuple({"compression": name} for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")),
}
_TIFFS = (
    {"photometric": "rgb", "compression": "zlib", "predictor": True},
    {"photometric": "rgb", "compression": "lzw", "tile": (16, 16)},
    {"photometric": "rgb", "planarconfig": "separate", "bigtiff": True},
    {"photometric": "rgb", "compression": "jpeg"},
    {"photometric": "minisblack", "compression": "packbits"},
    {"photometric": "miniswhite", "rowsperstrip": 3},
)
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@functools.cache
def make_seeds() -> tuple[bytes, ...]:
    """Whole image files, each small: all formats and modes, profiles, EXIF, depths, and formats that are refused."""
    rng = np.random.default_rng(0)
    rgb = np.asarray(Image.fromarray(rng.integers(0, 256, (4, 3, 3), np.uint8)).resize((20, 30)))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    metadata = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    seeds = {}
    Image.init()
    for mode in _MODES:
        with contextlib.suppress(ValueError):
            image = Image.fromarray(rgb).convert("I" if mode == "I;16" else mode).convert(mode)
            for file_format in Image.SAVE:
                for options in (*_OPTIONS.get(file_format, ()), metadata, {}):
                    file = io.BytesIO()
                    with contextlib.suppress(Exception):  # what a format can't hold
                        image.save(file, file_format, **options)
                        seeds[file.getvalue()] = None
    for dtype in (np.uint8, np.uint16, np.uint32, np.float32, np.float64, np.bool_, np.int16):
        for options in _TIFFS:
            file = io.BytesIO()
            with contextlib.suppress(Exception):
                pixels = rgb if options["photometric"] == "rgb" else rgb[..., 0]
                pixels = np.moveaxis(pixels, 2, 0) if options.get("planarconfig") == "separate" else pixels
                tifffile.imwrite(file, pixels.astype(dtype), **options)
                seeds[file.getvalue()] = None
    for num_channels in range(1, 5):
        pixels = np.dstack([rgb, rgb[..., :1]])[..., :num_channels].astype(np.uint16) * 257
        seeds[imagecodecs.png_encode(np.ascontiguousarray(pixels))] = None
    return tuple(seed for seed in seeds if 8 <= len(seed) < 20_000)


@st.composite
def damaged_images(draw: st.DrawFn) -> bytes:
    """Draws a seed with one to six changes; of a PNG, checksums may be put right again, so that they hide nothing."""
    data = bytearray(draw(st.sampled_from(make_seeds())))
    for _ in range(draw(st.integers(1, 6))):
        # Headers are short and decide much: half of the changes go there.
        last = len(data) - 1
        position = draw(st.integers(0, min(last, 200)) | st.integers(0, last))
        kind = draw(st.sampled_from(["bit", "byte", "number", "cut", "delete", "repeat"]))
        if kind == "bit":
            data[position] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            data[position] = draw(st.integers(0, 255))
        elif kind == "number":
            number = struct.pack(draw(st.sampled_from("<>")) + "I", draw(st.sampled_from(_INTERESTING)))
            number = number[: draw(st.sampled_from([1, 2, 4]))]
            data[position : position + len(number)] = number
        elif kind == "cut":
            del data[max(position, 1) :]
        elif kind == "delete":
            del data[position : position + draw(st.integers(1, 16))]
        else:
            data[position:position] = data[position : position + draw(st.integers(1, 64))]
        if not data:
            break
    if data.startswith(_PNG_SIGNATURE) and draw(st.booleans()):
        repair_png(data)
    return bytes(data)


def repair_png(data: bytearray) -> None:
    """Puts the checksum of each chunk of a PNG right, as far as the chunks can be followed."""
    start = len(_PNG_SIGNATURE)
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[start + 4 : end]))
        start = end + 4


def check(data: bytes) -> None:
    """Decodes a file, and writes again what came of it: no exception but ImageError, and no nonsense.

    Raises:
      AssertionError: the photo is not what the documentation says.
      Exception: what must not leave the decoder.
    """
    with contextlib.suppress(image_io.ImageError):
        image_io.decode_rgb(data, "x", max_short_side=16)
    try:
        photo = image_io.decode_photo(data, "x")
    except image_io.ImageError as error:
        assert str(error).startswith("x: ") and "\n" not in str(error), error
        return
    assert photo.rgb.dtype in (np.uint8, np.uint16) and photo.rgb.shape[2:] == (3,) and photo.rgb.size, photo
    assert photo.alpha is None or photo.alpha.shape == photo.rgb.shape[:2], photo
    if photo.rgb.size > 1_000_000:  # writing takes seconds
        return
    try:
        written = image_io.encode_photo(photo, "x")
    except image_io.ImageError as error:
        assert "\n" not in str(error), error
        return
    again = image_io.decode_photo(written, "x")
    assert dataclasses.replace(again, rgb=None).format == photo.format and again.rgb.shape == photo.rgb.shape, photo
