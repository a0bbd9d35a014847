"""Decodes and encodes image files as they are: own orientation, own colour space, own depth.

Pillow does the work, except that imagecodecs reads PNG of 16 bits per channel, which Pillow cannot hold in colour, and
writes all PNG. TIFF is in `image_tiff`, but what that cannot read Pillow may.
"""

import contextlib
import dataclasses
import io
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

# Libraries remark on oddities of files that they read well; errors are raised as well. A filter set once, unlike
# warnings.catch_warnings around each call, is safe with the reading threads of a data pipeline.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("imagecodecs").setLevel(logging.CRITICAL)

_CONVERTED_VALUES = 1 << 20  # at once, for in double precision they take eight times the memory of 8 bits
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "PPM")
_WRITTEN_FORMATS = (*_FORMATS, "TIFF")
_NEVER_READ = {"EPS"}  # Pillow calls Ghostscript for it, another program that would run what the file says
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
      format: of the file to write: the one that was read, or "PNG" for those that are only read.
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


class TooLargeError(ValueError):
    """An image with more pixels than are allowed."""


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Checks the size of an image, in pixels.

    Raises:
      TooLargeError: it has more than `max_pixels`.
      ValueError: it has none.
    """
    if width < 1 or height < 1:
        raise ValueError(f"damaged image ({width}x{height} pixels)")
    if width * height > max_pixels:
        raise TooLargeError(f"{width}x{height} pixels are more than the limit of {max_pixels}")


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Reads the width and height of an image that `decode` reads; its pixels are not decoded.

    Raises:
      Exception: nearly every one there is, for damaged files.
    """
    with _open(file) as image:
        return image.size


def read_dpi(values: Any) -> dict[str, tuple[float, float]]:
    """Returns the options that keep a resolution: none if it is missing or beyond what every format can hold."""
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        horizontal, vertical = map(float, values)
        if 1 <= horizontal <= 65535 and 1 <= vertical <= 65535:
            return {"dpi": (horizontal, vertical)}
    return {}


def decode(file: BinaryIO, *, max_pixels: int, min_short_side: int | None = None) -> Raster:
    """Decodes an image file of any format that Pillow knows, but for EPS.

    Args:
      file: open for reading, at its start.
      max_pixels: width x height above which the pixels are not decoded.
      min_short_side: allows a smaller image than the file's, with at least this shorter side, where that is faster.

    Returns:
      The first frame.

    Raises:
      TooLargeError: as the name says. Pillow and imagecodecs raise nearly every other exception for damaged files.
    """
    with _open(file) as image:
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
        file_format = file_format if file_format in _WRITTEN_FORMATS else "PNG"
        profile = image.info.get("icc_profile")
        return Raster(pixels, alpha, space, file_format, profile, orientation, exif, options)


def encode(file: BinaryIO, raster: Raster) -> None:
    """Encodes an upright "RGB" raster in its format (any but TIFF), see `image_io.write_photo`.

    Args:
      file: open for writing.
      raster: uint16 is for "PNG" and "PPM" only, alpha for formats that have it.

    Raises:
      Exception: whatever the libraries raise if the format cannot hold the image or the disk fails.
    """
    pixels = raster.pixels if raster.alpha is None else np.dstack([raster.pixels, raster.alpha])
    if raster.format == "PNG":
        _encode_png(file, pixels, raster)
        return
    if raster.format == "PPM":
        _encode_ppm(file, raster.pixels)
        return
    image = _quantize(pixels) if raster.format == "GIF" else Image.fromarray(pixels)
    exif_fits = raster.format != "JPEG" or len(raster.exif or b"") <= _MAX_JPEG_EXIF_BYTES
    metadata = {"exif": raster.exif if exif_fits else None, "icc_profile": raster.icc_profile}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    # Into memory, for Pillow does not see that a full disk takes only a part of what it writes into a real file.
    content = io.BytesIO()
    image.save(content, raster.format, **_SAVE_OPTIONS.get(raster.format, {}), **metadata, **raster.options)
    file.write(content.getbuffer())


def to_uint16(values: np.ndarray) -> np.ndarray:
    """Brings numbers of unknown range, (H, ...), to the full range of uint16.

    White is the smallest of 1, 255 and 65535 that no value exceeds, or else the highest value; negative values and NaN
    are black.
    """
    step = max(1, _CONVERTED_VALUES // max(1, values[0].size))

    def convert(row: int) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # signalling NaN
            rows = values[row : row + step].astype(np.float64)
        return np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)

    starts = range(0, len(values), step)
    highest = max(convert(row).max(initial=0.0) for row in starts)
    white = next((white for white in (1.0, 255.0, 65535.0) if highest <= white), highest)
    full = np.empty(values.shape, np.uint16)
    for row in starts:
        full[row : row + step] = np.rint(convert(row).clip(0, white) * (65535 / white))
    return full


def _open(file: BinaryIO) -> Image.Image:
    """Opens an image of a usual format, or else of any other that Pillow knows."""
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        Image.init()  # loads all of Pillow's formats
        return Image.open(file, formats=[name for name in Image.ID if name not in _NEVER_READ])


def _split(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Returns pixels, alpha and space, as in `Raster`, of a loaded image."""
    if image.has_transparency_data:
        is_gray = image.mode in ("1", "L", "LA", "La")
        *bands, alpha = image.convert("LA" if is_gray else "RGBA").split()
        pixels = np.array(bands[0] if is_gray else Image.merge("RGB", bands))
        return pixels, np.array(alpha), "GRAY" if is_gray else "RGB"
    if image.mode in ("1", "L"):
        return np.array(_convert(image, "L")), None, "GRAY"
    if image.mode.startswith("I"):  # Pillow's for more than 8 bits, in practice up to 16
        return np.array(image).clip(0, 65535).astype(np.uint16), None, "GRAY"
    if image.mode == "F":
        return to_uint16(np.array(image)), None, "GRAY"
    if image.mode == "CMYK":
        return np.array(image), None, "CMYK"
    return np.array(_convert(image, "RGB")), None, "RGB"


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """As Pillow's `convert`, which copies an image that has the mode already."""
    return image if image.mode == mode else image.convert(mode)


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


def _encode_ppm(file: BinaryIO, pixels: np.ndarray) -> None:
    height, width, _ = pixels.shape
    file.write(b"P6\n%d %d\n%d\n" % (width, height, np.iinfo(pixels.dtype).max))
    file.write(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).data)


def _quantize(pixels: np.ndarray) -> Image.Image:
    """Reduces uint8 (H, W, 3 or 4) to a dithered palette image, with one index for what is transparent."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    palette = image.quantize(
        255, method=Image.Quantize.MEDIANCUT, kmeans=1
    )  # without it, lightness errs by half as much again
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
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        raise struct.error("not an EXIF block")
    order = "<" if tiff[:2] == b"II" else ">"
    (offset,) = struct.unpack_from(order + "L", tiff, 4)
    (num_tags,) = struct.unpack_from(order + "H", tiff, offset)
    end = offset + 2 + 12 * num_tags
    for entry in range(offset + 2, end, 12):
        if struct.unpack_from(order + "H", tiff, entry)[0] == ExifTags.Base.Orientation:
            struct.pack_into(order + "HLHH", tiff, entry + 2, 3, 1, 1, 0)  # one SHORT of value 1, padding
    struct.pack_into(order + "L", tiff, end, 0)
    return _EXIF_PREFIX + bytes(tiff)
