"""Decodes and encodes image files as they are: own orientation, own colour space, own depth.

Pillow does the work, except that imagecodecs reads PNG of 16 bits per channel, which Pillow cannot hold in colour, and
writes all PNG. TIFF is in `image_tiff`.
"""

import contextlib
import dataclasses
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

# Libraries remark on oddities of files that they read well; errors are raised as well. A filter set once, unlike
# warnings.catch_warnings around each call, is safe with the reading threads of a data pipeline.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("imagecodecs").setLevel(logging.CRITICAL)

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF")
# Chroma is what this project makes, so it is never subsampled where the format leaves the choice.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
}
_EXIF_PREFIX = b"Exif\0\0"
_MAX_JPEG_EXIF_BYTES = 65533  # one JPEG segment; the few cameras that use more write it in a way of their own


@dataclasses.dataclass(frozen=True, eq=False)
class Raster:
    """What a file holds, unchanged.

    Attributes:
      pixels: uint8 or uint16, full range: (H, W) for "GRAY", (H, W, 3) for "RGB", (H, W, 4) for "CMYK" (0: no ink).
      alpha: (H, W) of the same dtype, full range is opaque, or None.
      space: "GRAY", "RGB" or "CMYK".
      format: "JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF" or "AVIF".
      icc_profile: embedded profile or None.
      orientation: EXIF orientation of `pixels`; 1 is upright, values other than 2..8 mean the same.
      exif: EXIF block with orientation 1, starting with "Exif" and two zero bytes, or None.
      options: further arguments of Pillow's `save`: `dpi` (horizontal, vertical), `lossless`.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    space: str
    format: str
    icc_profile: bytes | None
    orientation: int = 1
    exif: bytes | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises ValueError if an image of this size has more than `max_pixels` pixels."""
    if width * height > max_pixels:
        raise ValueError(f"{width}x{height} pixels are more than the limit of {max_pixels}")


def read_dpi(values: Any) -> dict[str, tuple[float, float]]:
    """Returns the options that keep a resolution: none if it is missing or beyond what every format can hold."""
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        horizontal, vertical = map(float, values)
        if 1 <= horizontal <= 65535 and 1 <= vertical <= 65535:
            return {"dpi": (horizontal, vertical)}
    return {}


def decode(file: BinaryIO, *, max_pixels: int, min_short_side: int | None = None) -> Raster:
    """Decodes an image file of any format but TIFF.

    Args:
      file: open for reading, at its start.
      max_pixels: width x height above which the pixels are not decoded.
      min_short_side: allows a smaller image than the file's, with at least this shorter side, where that is faster.

    Returns:
      The first frame.

    Raises:
      ValueError: the image is too large. Pillow and imagecodecs raise nearly every other exception for damaged files.
    """
    with Image.open(file, formats=_FORMATS) as image:
        check_size(*image.size, max_pixels)
        if min_short_side is not None and (scale := min_short_side / min(image.size)) < 1:
            image.draft(None, tuple(math.ceil(side * scale) for side in image.size))
        is_deep = image.format == "PNG" and image.tile[0].args in ("I;16B", "RGB;16B", "LA;16B", "RGBA;16B")
        image.load()  # also reads metadata that follows the pixels
        pixels, alpha, space = _decode_png16(file) if is_deep else _split(image)
        orientation, exif = _read_exif(image)
        options = read_dpi(image.info.get("dpi"))
        if image.format == "WEBP":
            file.seek(0)
            options["lossless"] = b"VP8L" in file.read(4096)
        file_format = "JPEG" if image.format == "MPO" else image.format  # a phone's JPEG with more pictures behind it
        profile = image.info.get("icc_profile")
        return Raster(pixels, alpha, space, file_format, profile, orientation, exif, options)


def encode(file: BinaryIO, raster: Raster) -> None:
    """Encodes an upright "RGB" raster in its format (any but TIFF), see `image_io.write_photo`.

    Args:
      file: open for writing.
      raster: uint16 is for "PNG" only, alpha for formats that have it.

    Raises:
      Exception: whatever the libraries raise if the format cannot hold the image or the disk fails.
    """
    pixels = raster.pixels if raster.alpha is None else np.dstack([raster.pixels, raster.alpha])
    if raster.format == "PNG":
        _encode_png(file, pixels, raster)
        return
    image = _quantize(pixels) if raster.format == "GIF" else Image.fromarray(pixels)
    exif_fits = raster.format != "JPEG" or len(raster.exif or b"") <= _MAX_JPEG_EXIF_BYTES
    metadata = {"exif": raster.exif if exif_fits else None, "icc_profile": raster.icc_profile}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    image.save(file, raster.format, **_SAVE_OPTIONS.get(raster.format, {}), **metadata, **raster.options)


def _split(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Returns pixels, alpha and space, as in `Raster`, of a loaded 8-bit image."""
    if image.has_transparency_data:
        is_gray = image.mode in ("1", "L", "LA", "La")
        *bands, alpha = image.convert("LA" if is_gray else "RGBA").split()
        pixels = np.array(bands[0] if is_gray else Image.merge("RGB", bands))
        return pixels, np.array(alpha), "GRAY" if is_gray else "RGB"
    if image.mode in ("1", "L"):
        return np.array(image.convert("L")), None, "GRAY"
    if image.mode == "CMYK":
        return np.array(image), None, "CMYK"
    return np.array(image.convert("RGB")), None, "RGB"


def _decode_png16(file: BinaryIO) -> tuple[np.ndarray, np.ndarray | None, str]:
    file.seek(0)
    samples = np.atleast_3d(imagecodecs.png_decode(file.read()))
    num_colors = 1 if samples.shape[2] <= 2 else 3
    alpha = np.ascontiguousarray(samples[..., num_colors]) if samples.shape[2] > num_colors else None
    if num_colors == 1:
        return np.ascontiguousarray(samples[..., 0]), alpha, "GRAY"
    return np.ascontiguousarray(samples[..., :3]), alpha, "RGB"


def _encode_png(file: BinaryIO, pixels: np.ndarray, raster: Raster) -> None:
    # A quarter of the time of Pillow's defaults for 15 % more bytes.
    data = memoryview(imagecodecs.png_encode(pixels, level=1, filter=imagecodecs.PNG.FILTER.PAETH))
    header_bytes = 33  # signature and header chunk; the chunks that describe the image follow them
    file.write(data[:header_bytes])
    if raster.icc_profile:
        PngImagePlugin.putchunk(file, b"iCCP", b"ICC profile\0\0", zlib.compress(raster.icc_profile))
    if dpi := raster.options.get("dpi"):
        per_meter = (round(value / 0.0254) for value in dpi)
        PngImagePlugin.putchunk(file, b"pHYs", struct.pack(">LLB", *per_meter, 1))
    if raster.exif:
        PngImagePlugin.putchunk(file, b"eXIf", raster.exif.removeprefix(_EXIF_PREFIX))
    file.write(data[header_bytes:])


def _quantize(pixels: np.ndarray) -> Image.Image:
    """Reduces uint8 (H, W, 3 or 4) to a dithered palette image, with one index for what is transparent."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    palette = image.quantize(255, method=Image.Quantize.MEDIANCUT)
    image = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    if pixels.shape[2] == 4:
        image.paste(255, mask=Image.fromarray(pixels[..., 3] < 128))
        image.info["transparency"] = 255
    return image


def _read_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """Returns the orientation, and the EXIF block with orientation 1; damaged EXIF counts as none."""
    try:
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        # The file's own block is better than one that Pillow makes: that loses non-ASCII names and makers' notes.
        block = image.info.get("exif") or (exif.tobytes() if exif else None)
    except Exception:  # Pillow raises nearly every exception there is on damaged EXIF
        return 1, None
    try:
        return orientation, _reset_orientation(block) if block else None
    except struct.error:
        return orientation, None


def _reset_orientation(exif: bytes) -> bytes:
    """Sets the orientation of an EXIF block to 1 and unlinks its thumbnail, which shows the old picture."""
    tiff = bytearray(exif.removeprefix(_EXIF_PREFIX))
    order = "<" if tiff[:2] == b"II" else ">"
    (offset,) = struct.unpack_from(order + "L", tiff, 4)
    (num_tags,) = struct.unpack_from(order + "H", tiff, offset)
    end = offset + 2 + 12 * num_tags
    for entry in range(offset + 2, end, 12):
        if struct.unpack_from(order + "H", tiff, entry)[0] == ExifTags.Base.Orientation:
            struct.pack_into(order + "HLHH", tiff, entry + 2, 3, 1, 1, 0)  # one SHORT of value 1, padding
    struct.pack_into(order + "L", tiff, end, 0)
    return _EXIF_PREFIX + bytes(tiff)
