"""What happens to a photo at its own size, strip by strip: floating point numbers are never there for all of it.

It does what `processing` does, for photos of any size in bounded memory. A pixel's result does not depend on how the
photo is cut: rows are shrunk and joined one by one, and colour is converted pixel by pixel.
"""

import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import tensorflow as tf

from colorization.inference import numpy_backend, processing

# Pixels worked on at once by a thread: colour is converted in pieces of this one shape, which are compiled once.
_CHUNK_PIXELS = 1 << 17
_Item = TypeVar("_Item")


def shrink_l(rgb: np.ndarray, shape: np.ndarray) -> tf.Tensor:
    """Takes the lightness of a photo and shrinks it, without aliasing: `processing.to_l` and `processing.shrink_l`.

    Args:
      rgb: (H, W, 3) uint8 or uint16, full range, sRGB.
      shape: height and width of the result.

    Returns:
      l: float32 (1, height, width, 1).
    """
    height, width = rgb.shape[:2]
    is_grey = numpy_backend.has_equal_channels(rgb)
    narrow = np.empty((height, shape[1], 1), np.float32)  # its rows are shrunk, its columns not yet
    num_rows = max(1, _CHUNK_PIXELS // width)

    def shrink_rows(row: int) -> None:
        l = _take_l(rgb[row : row + num_rows], is_grey)
        narrow[row : row + num_rows] = processing.shrink_l(l[np.newaxis], (len(l), shape[1]))[0]

    _run_all(shrink_rows, range(0, height, num_rows))
    return processing.shrink_l(narrow[np.newaxis], shape)


def recolor(rgb: np.ndarray, ab: tf.Tensor, saturation: float, out: np.ndarray | None = None) -> np.ndarray:
    """Joins a photo's lightness and chroma: `processing.upsample_ab` and `processing.recolor`.

    Args:
      rgb: (H, W, 3) uint8 or uint16, full range, sRGB.
      ab: float32 (1, height, width, 2), at the work size.
      saturation: factor for `ab`, at least 0.
      out: (H, W, 3) of the dtype of `rgb`, contiguous, to be filled; may be `rgb` itself. Made if None.

    Returns:
      `out`.
    """
    height, width = rgb.shape[:2]
    out = np.empty(rgb.shape, rgb.dtype) if out is None else out
    is_grey = numpy_backend.has_equal_channels(rgb)
    wide = np.asarray(processing.upsample_ab(ab, (ab.shape[1], width))[0])  # its rows are as long as the photo's
    convert = _recolor_uint8 if rgb.dtype == np.uint8 else _recolor_uint16
    factor = tf.constant(saturation, tf.float32)
    flat_out = out.reshape(height * width, 1, 3)  # a view

    def fill(start: int) -> None:
        end = min(start + _CHUNK_PIXELS, height * width)
        rows = slice(start // width, -(-end // width))
        inside = slice(start - rows.start * width, end - rows.start * width)
        pixels = rgb[rows].reshape(-1, 1, 3)[inside]
        pieces = [_take_l(pixels, is_grey), _upsample_rows(wide, rows, height).reshape(-1, 1, 2)[inside]]
        flat_out[start:end] = np.asarray(convert(*map(_pad, pieces), factor))[: end - start]

    _run_all(fill, range(0, height * width, _CHUNK_PIXELS))
    return out


def compile_recolor() -> None:
    """Compiles what the first photo would wait for, if it has 8 bits."""
    l, ab = (np.zeros((_CHUNK_PIXELS, 1, num_channels), np.float32) for num_channels in (1, 2))
    _recolor_uint8(l, ab, tf.constant(1.0))


def _take_l(rgb: np.ndarray, is_grey: bool) -> np.ndarray:
    """`processing.to_l` of some of a photo's pixels (N, M, 3)."""
    if is_grey:
        return _make_l_table(rgb.dtype)[rgb[..., :1]]
    flat = rgb.reshape(-1, 1, 3)
    pieces = [flat[start : start + _CHUNK_PIXELS] for start in range(0, len(flat), _CHUNK_PIXELS)]
    l = [np.asarray(_convert_to_l(_pad(piece)))[: len(piece)] for piece in pieces]
    return np.concatenate(l).reshape(*rgb.shape[:2], 1)


@functools.cache
def _make_l_table(dtype: np.dtype) -> np.ndarray:
    """`l` of every level of grey: float32 (256,) or (65536,)."""
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    return processing.to_l(np.repeat(levels[:, np.newaxis, np.newaxis], 3, axis=-1)).numpy()[:, 0, 0]


def _upsample_rows(wide: np.ndarray, rows: slice, height: int) -> np.ndarray:
    """Some rows of `wide` (h, W, 2) enlarged to `height` rows, bilinearly, as tf.image.resize does."""
    scale = np.float32(len(wide)) / np.float32(height)
    position = (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(position)
    above = np.clip(floor, 0, len(wide) - 1).astype(int)
    below = np.clip(floor + 1, 0, len(wide) - 1).astype(int)
    fraction = (position - floor)[:, np.newaxis, np.newaxis]
    return wide[above] + (wide[below] - wide[above]) * fraction


def _pad(piece: np.ndarray) -> np.ndarray:
    """Fills (N, 1, C) up to the one length that the compiled functions take."""
    missing = _CHUNK_PIXELS - len(piece)
    return np.pad(piece, ((0, missing), (0, 0), (0, 0))) if missing else piece


@tf.function(jit_compile=True)
def _convert_to_l(rgb: tf.Tensor) -> tf.Tensor:
    return processing.to_l(rgb)


@tf.function(jit_compile=True)
def _recolor_uint8(l: tf.Tensor, ab: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    return processing.recolor(l, ab, saturation, tf.uint8)


@tf.function(jit_compile=True)
def _recolor_uint16(l: tf.Tensor, ab: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    return processing.recolor(l, ab, saturation, tf.uint16)


def _run_all(function: Callable[[_Item], None], items: Iterable[_Item]) -> None:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(function, items))  # a list, so that an exception comes through
