"""Reads and writes image files: orientation, colour profiles, alpha, depth, limits, atomic writes.

The one door to image files for everything else. What a file is, is told by its content, never by its name: JPEG, PNG,
WebP, BMP, PPM, GIF (first frame), AVIF (first frame) or TIFF (first page); PNG, PPM and TIFF also above 8 bits per
channel. What else Pillow reads, but for EPS, is read, too, and written as PNG.

Colour management: pixels are always handed out as sRGB, so that lightness means the same for every photo.

* No profile: the pixels are taken as sRGB (CMYK: by the plain formula).
* An RGB profile: pixels are converted to sRGB; `write_photo` converts them back and embeds the same profile again.
* A grey or CMYK profile cannot describe a picture in RGB: pixels are converted through it, and the file written
  carries an sRGB profile. So it does if an RGB profile works in the reading direction only (some scanners').
* A profile that is broken or made for another kind of pixels is left out.

Metadata: EXIF and resolution are kept, with the orientation applied to the pixels and reset, and without the
thumbnail, which would still show the old picture.
"""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from colorization import color_profile, image_codecs, image_tiff
from colorization.image_files import ImageError, image_errors, open_regular, replace_file

MIN_MEAN_SPREAD = 4.0 / 255.0  # of a photo in colour: mean over pixels of max - min channel, of 1
MAX_PIXELS = 50_000_000
SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_TO_UPRIGHT = {  # EXIF orientation -> the upright view of a (H, W, ...) array
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo and what it takes to write another one like it.

    `dataclasses.replace(photo, rgb=other)` makes the photo to write; `other` keeps shape and dtype.

    Attributes:
      rgb: (H, W, 3) uint8, or uint16 for files above 8 bits; full range, upright, gamma-encoded sRGB. Three equal
        channels for a grey file: a read-only view of a single one, if nothing had to be converted.
      alpha: (H, W) of the same dtype, full range is opaque; None if the file has no transparency.
      format: Pillow's name of the format to write: "JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "PPM" or "TIFF".
      icc_profile: the profile to embed, or None. `rgb` is sRGB all the same: `write_photo` converts it.
      exif: EXIF block with orientation 1, starting with "Exif" and two zero bytes, or None.
      options: further arguments of Pillow's `save`: `dpi` (horizontal, vertical), `lossless`.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    format: str
    icc_profile: bytes | None = None
    exif: bytes | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Reads the width and height of a photo as it is stored, before orientation; its pixels are not decoded.

    Raises:
      ImageError: the file is missing, unreadable, or no image of a known format.
    """
    with image_errors(path, "damaged image"), open_regular(path) as file:
        if _is_tiff(file):
            with contextlib.suppress(Exception):
                return image_tiff.read_size(file)
            file.seek(0)
        return image_codecs.read_size(file)


def read_photo(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a photo with everything that `write_photo` needs to give it back.

    Args:
      path: the file.
      max_pixels: width x height above which the file is refused before its pixels are decoded.

    Returns:
      The photo, upright and in sRGB.

    Raises:
      ImageError: the file is missing, unreadable, damaged, no image of a known format, or too large.
    """
    with image_errors(path, "damaged image"):
        return _make_photo(_decode(path, max_pixels=max_pixels))


def decode_photo(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads a photo that came by other ways than a file: `data` is its content; errors call it `name`.

    What is returned and raised is as for `read_photo`.
    """
    with image_errors(name, "damaged image"):
        if not data:
            raise ValueError("the file is empty")
        return _make_photo(_decode_file(io.BytesIO(data), max_pixels=max_pixels))


def read_rgb(path: str | os.PathLike, *, max_short_side: int | None = None) -> np.ndarray:
    """Reads the pixels only, for training and evaluation.

    Args:
      path: the file; at most `MAX_PIXELS` pixels.
      max_short_side: in pixels; a photo whose shorter side is longer is shrunk to it, keeping its proportions. A
        large JPEG is then decoded at a fraction of its size, several times faster.

    Returns:
      rgb: uint8 (H, W, 3), 0..255, upright, gamma-encoded sRGB. Transparency is dropped, the colours below it stay.

    Raises:
      ImageError: as in `read_photo`.
    """
    with image_errors(path, "damaged image"):
        return _make_rgb(_decode(path, max_pixels=MAX_PIXELS, min_short_side=max_short_side), max_short_side)


def decode_rgb(data: bytes, name: str, *, max_short_side: int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """As `read_rgb`, of a file's content; errors call it `name`."""
    with image_errors(name, "damaged image"):
        raster = _decode_file(io.BytesIO(data), max_pixels=max_pixels, min_short_side=max_short_side)
        return _make_rgb(raster, max_short_side)


def is_grey(rgb: np.ndarray) -> bool:
    """Tells whether `rgb`, (H, W, 3) uint8 or uint16, is grey, or so nearly that it can teach no colour."""
    spread = rgb.max(axis=-1) - rgb.min(axis=-1)
    return float(spread.mean()) < MIN_MEAN_SPREAD * np.iinfo(rgb.dtype).max


def write_photo(path: str | os.PathLike, photo: Photo) -> None:
    """Writes a photo in its own format, depth and profile, replacing the file at `path` if there is one.

    The file appears under its name only when it is complete and on disk; a failure leaves what was there before.
    JPEG is written at quality 95 without chroma subsampling, WebP lossless if the source was, else at quality 95, GIF
    with 256 dithered colours, TIFF with deflate compression.

    Args:
      path: the file; its folder must exist. Its name does not choose the format.
      photo: what to write.

    Raises:
      ImageError: the folder or disk refuses the file, or the format cannot hold the photo.
    """
    with replace_file(path) as file:
        encode_into(file, photo, path)


def encode_into(file: BinaryIO, photo: Photo, name: str | os.PathLike) -> None:
    """Encodes a photo into a file open for writing, at its start; errors call it `name`.

    Raises:
      ImageError: the disk refuses the file, or the format cannot hold the photo.
    """
    with image_errors(name, "cannot be written"):
        _encode_file(file, photo)


def encode_photo(photo: Photo, name: str) -> bytes:
    """Makes the content of the file that `write_photo` would write; errors are as in `encode_into`."""
    file = io.BytesIO()
    encode_into(file, photo, name)
    return file.getvalue()


def list_photos(
    paths: Iterable[str | os.PathLike], *, recursive: bool, suffixes: frozenset[str] | None = SUFFIXES
) -> list[Path]:
    """Lists the photos that paths stand for.

    Args:
      paths: a file is taken as it is, whatever its name, even if it is missing (reading it then says so); a folder
        stands for the files in it whose suffix is in `SUFFIXES`, hidden ones left out.
      recursive: also take folders inside folders; links are followed, each folder is visited once.

    Returns:
      The files, folder by folder in the order of `paths`, sorted within each.

    Raises:
      ImageError: a folder cannot be listed.
    """
    photos: list[Path] = []
    for path in map(Path, paths):
        with image_errors(path, "cannot be listed"):
            photos += sorted(_walk(path, recursive, suffixes)) if path.is_dir() else [path]
    return photos


def _walk(root: Path, recursive: bool, suffixes: frozenset[str] | None) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise ImageError(f"{error.filename}: {error.strerror}") from error

    visited = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=fail):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if recursive and not name.startswith("."))
        for name in names:
            if not name.startswith(".") and (suffixes is None or os.path.splitext(name)[1].lower() in suffixes):
                yield Path(folder, name)


def _decode(path: str | os.PathLike, *, max_pixels: int, min_short_side: int | None = None) -> image_codecs.Raster:
    with open_regular(path) as file:
        return _decode_file(file, max_pixels=max_pixels, min_short_side=min_short_side)


def _decode_file(file: BinaryIO, *, max_pixels: int, min_short_side: int | None = None) -> image_codecs.Raster:
    if not _is_tiff(file):
        return image_codecs.decode(file, max_pixels=max_pixels, min_short_side=min_short_side)
    try:
        return image_tiff.decode(file, max_pixels=max_pixels)
    except (image_codecs.TooLargeError, MemoryError):
        raise
    except Exception:  # Pillow knows some kinds of TIFF that tifffile does not
        file.seek(0)
        try:
            return image_codecs.decode(file, max_pixels=max_pixels)
        except Exception:
            pass
        raise


def _is_tiff(file: BinaryIO) -> bool:
    signature = file.read(4)
    file.seek(0)
    return signature in image_tiff.SIGNATURES


def _make_photo(raster: image_codecs.Raster) -> Photo:
    rgb, profile = color_profile.to_srgb(raster.pixels, raster.space, raster.icc_profile)
    alpha = None if raster.alpha is None else _upright(raster.alpha, raster.orientation)
    rgb = _upright(rgb, raster.orientation)
    return Photo(rgb, alpha, raster.format, profile, raster.exif, raster.options)


def _make_rgb(raster: image_codecs.Raster, max_short_side: int | None) -> np.ndarray:
    rgb, _ = color_profile.to_srgb(raster.pixels, raster.space, raster.icc_profile)
    if rgb.dtype == np.uint16:
        rgb = ((rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)
    rgb = _upright(rgb, raster.orientation)
    height, width = rgb.shape[:2]
    if max_short_side is not None and (scale := max_short_side / min(height, width)) < 1:
        size = round(width * scale), round(height * scale)
        rgb = np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    return np.ascontiguousarray(rgb)


def _encode_file(file: BinaryIO, photo: Photo) -> None:
    rgb = color_profile.from_srgb(np.ascontiguousarray(photo.rgb), photo.icc_profile)
    raster = image_codecs.Raster(
        rgb, photo.alpha, "RGB", photo.format, photo.icc_profile, exif=photo.exif, options=photo.options
    )
    encode = image_tiff.encode if photo.format == "TIFF" else image_codecs.encode
    encode(file, raster)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    to_upright = _TO_UPRIGHT.get(orientation)
    return np.ascontiguousarray(to_upright(pixels)) if to_upright else pixels
