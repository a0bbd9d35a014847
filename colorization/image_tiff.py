"""Decodes and encodes TIFF of any depth.

Pixels are read by tifffile: Pillow's reader holds no colour above 8 bits, and its libtiff prints to stderr when a file
is damaged. Writing is done here with Pillow's tag writer: Pillow's own image writer has no 16-bit colour and fails on
compressed images with EXIF, tifffile's writes no EXIF.

Reference: TIFF revision 6.0.
"""

import logging
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, RESUNIT

from colorization.image_codecs import Raster, TooLargeError, check_size, read_dpi, to_uint16

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # see image_codecs

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_STRIP_BYTES = 1 << 20
_MAX_BYTES_PER_PIXEL = 8  # of an image that has as many pixels as it may: four channels of 16 bits
_SPACES = {
    PHOTOMETRIC.MINISWHITE: "GRAY",
    PHOTOMETRIC.MINISBLACK: "GRAY",
    PHOTOMETRIC.PALETTE: "RGB",
    PHOTOMETRIC.RGB: "RGB",
    PHOTOMETRIC.SEPARATED: "CMYK",
}
_NUM_COLORS = {"GRAY": 1, "RGB": 3, "CMYK": 4}
# Tags that describe the photo; all others describe how the file stores it and are made anew.
_TEXT_TAGS = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Copyright,
)
_DIRECTORY_TAGS = (IFD.Exif, IFD.GPSInfo)


def decode(file: BinaryIO, *, max_pixels: int) -> Raster:
    """Decodes the first page of a TIFF.

    1 to 8 bits per channel become uint8, 9 to 16 bits uint16. Wider integers and floating point become uint16, as
    `image_codecs.to_uint16` says.

    Args:
      file: open for reading.
      max_pixels: width x height above which the pixels are not decoded.

    Returns:
      The page, format "TIFF".

    Raises:
      TooLargeError: as the name says.
      ValueError: the image is of a kind that is not supported. tifffile raises nearly every other exception for
        damaged files.
    """
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        check_size(page.imagewidth, page.imagelength, max_pixels)
        _check_bytes(page, max_pixels)
        is_jpeg = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG  # decoded to RGB
        space = "RGB" if is_jpeg else _SPACES.get(page.photometric)
        if space is None or page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > 8:
            raise ValueError(f"TIFF of kind {getattr(page.photometric, 'name', page.photometric)} is not supported")
        samples = page.asarray(maxworkers=1)
        if not samples.size:  # without an error, for some damaged tags
            raise ValueError("damaged image (its pixels are missing)")
        samples = np.moveaxis(samples, 0, 2) if page.axes == "SYX" else samples
        if page.photometric == PHOTOMETRIC.PALETTE:
            pixels, alpha = _look_up(samples, page.colormap), None
        else:
            pixels, alpha = _split(_to_full_range(samples, page.bitspersample), _NUM_COLORS[space], page.extrasamples)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            pixels = np.iinfo(pixels.dtype).max - pixels
        has_resolution = Base.XResolution in page.tags and page.resolutionunit in (RESUNIT.INCH, RESUNIT.CENTIMETER)
        options = read_dpi(page.get_resolution(RESUNIT.INCH)) if has_resolution else {}
        profile = page.iccprofile
    orientation, exif = _read_exif(file)
    return Raster(pixels, alpha, space, "TIFF", profile, orientation, exif, options)


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Reads the width and height of the first page; its pixels are not decoded."""
    with tifffile.TiffFile(file) as tiff:
        return tiff.pages.first.imagewidth, tiff.pages.first.imagelength


def encode(file: BinaryIO, raster: Raster) -> None:
    """Encodes an upright "RGB" raster as TIFF with deflate compression.

    Args:
      file: open for writing, at its start.
      raster: uint8 or uint16.
    """
    pixels = raster.pixels if raster.alpha is None else np.dstack([raster.pixels, raster.alpha])
    height, width, num_channels = pixels.shape
    num_rows = max(1, _STRIP_BYTES // pixels[0].nbytes)
    strips = [_compress(pixels[row : row + num_rows]) for row in range(0, height, num_rows)]
    sizes = [len(strip) for strip in strips]
    directory = ImageFileDirectory_v2()
    directory.update(_described(raster.exif))
    directory.update(
        {
            Base.ImageWidth: width,
            Base.ImageLength: height,
            Base.BitsPerSample: (8 * pixels.itemsize,) * num_channels,
            Base.Compression: COMPRESSION.ADOBE_DEFLATE.value,
            Base.PhotometricInterpretation: PHOTOMETRIC.RGB.value,
            Base.SamplesPerPixel: num_channels,
            Base.RowsPerStrip: num_rows,
            Base.StripOffsets: tuple(np.cumsum([0, *sizes[:-1]]).tolist()),  # `save` adds where the tags end
            Base.StripByteCounts: tuple(sizes),
            Base.PlanarConfiguration: 1,  # channels interleaved
            Base.Predictor: 2,  # horizontal differences
        }
    )
    if num_channels == 4:
        directory[Base.ExtraSamples] = EXTRASAMPLE.UNASSALPHA.value
    if raster.icc_profile:
        directory[Base.InterColorProfile] = raster.icc_profile
    if dpi := raster.options.get("dpi"):
        directory.update({Base.XResolution: dpi[0], Base.YResolution: dpi[1], Base.ResolutionUnit: RESUNIT.INCH.value})
    directory.save(file)
    file.writelines(strips)


def _compress(rows: np.ndarray) -> bytes:
    differences = rows.astype(rows.dtype.newbyteorder("<"))  # also a copy to work in
    differences[:, 1:] -= rows[:, :-1]
    return imagecodecs.deflate_encode(differences, level=4)  # a quarter of zlib's time at equal size


def _check_bytes(page: tifffile.TiffPage, max_pixels: int) -> None:
    """Checks what decoding takes, for 200 bytes can promise gigabytes.

    Raises:
      TooLargeError: it takes too much memory.
      ValueError: nobody knows.
    """
    if not isinstance(page.bitspersample, int):
        raise ValueError("TIFF whose channels differ in depth is not supported")
    max_bytes = _MAX_BYTES_PER_PIXEL * max_pixels
    num_bytes = page.imagewidth * page.imagelength * page.samplesperpixel * page.bitspersample // 8
    # A tile is decoded whole, even if the image is but a corner of it.
    tile_bytes = page.tilewidth * page.tilelength * page.samplesperpixel * page.bitspersample // 8
    if max(num_bytes, tile_bytes) > max_bytes:
        raise TooLargeError(f"{max(num_bytes, tile_bytes)} bytes of pixels are more than the limit of {max_bytes}")


def _to_full_range(samples: np.ndarray, num_bits: int) -> np.ndarray:
    if samples.dtype in (np.uint8, np.uint16) and num_bits == 8 * samples.itemsize:
        return samples
    if samples.dtype.kind in "bu" and num_bits <= 16:
        dtype = np.uint8 if num_bits <= 8 else np.uint16
        table = np.rint(np.linspace(0, np.iinfo(dtype).max, 2**num_bits)).astype(dtype)
        return table[samples.astype(dtype)]
    return to_uint16(samples)


def _look_up(indices: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    """Returns uint8 (H, W, 3) for indices (H, W) into the (3, N) uint16 colours of a palette."""
    is_8_bit = colormap.max() < 256  # against the standard, but written by some
    return (colormap if is_8_bit else colormap >> 8).astype(np.uint8).T[indices]


def _split(samples: np.ndarray, num_colors: int, extra: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray | None]:
    """Splits (H, W) or (H, W, channels) into pixels as in `Raster` and alpha, undoing premultiplication."""
    samples = np.atleast_3d(samples)
    if samples.shape[2] < num_colors:
        raise ValueError("colour channels are missing")
    pixels = np.ascontiguousarray(samples[..., 0] if num_colors == 1 else samples[..., :num_colors])
    if not extra or extra[0] not in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA):
        return pixels, None
    alpha = np.ascontiguousarray(samples[..., num_colors])
    if extra[0] == EXTRASAMPLE.ASSOCALPHA:
        top = np.iinfo(alpha.dtype).max
        opacity = np.where(alpha > 0, alpha / np.float32(top), 1).reshape(alpha.shape + (1,) * (pixels.ndim - 2))
        pixels = np.rint((pixels / opacity).clip(0, top)).astype(alpha.dtype)
    return pixels, alpha


def _read_exif(file: BinaryIO) -> tuple[int, bytes | None]:
    """Returns the orientation, and an EXIF block of what the tags say about the photo; damaged ones count as none."""
    try:
        file.seek(0)
        source = Image.Exif()
        source.load_from_fp(file)
        exif = Image.Exif()
        for tag, value in _describing(source).items():
            exif[tag] = value
        return source.get(Base.Orientation, 1), exif.tobytes() if exif else None
    except Exception:  # Pillow raises nearly every exception there is on damaged EXIF
        return 1, None


def _described(block: bytes | None) -> dict[int, Any]:
    exif = Image.Exif()
    if block:
        exif.load(block)
    return _describing(exif)


def _describing(exif: Image.Exif) -> dict[int, Any]:
    """Picks the tags that describe the photo. Text becomes bytes, which Pillow writes as they are, unlike non-ASCII."""
    texts = {tag: exif[tag].encode("latin-1") for tag in _TEXT_TAGS if isinstance(exif.get(tag), str)}
    return texts | {tag: directory for tag in _DIRECTORY_TAGS if (directory := exif.get_ifd(tag))}
