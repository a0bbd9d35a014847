"""What happens to a photo before and after the network, in NumPy, for runtimes that come without TensorFlow.

The same functions as `tensorflow_backend.py`, with the same results but for the last bits of floats: at most one level
of 255 in a pixel here and there (`tests/inference/numpy_backend_test.py`). Resizing for the network is Pillow's, whose
bilinear filter is that of `tf.image.resize(antialias=True)`.
"""

import concurrent.futures
import functools
import os
from collections.abc import Callable

import numpy as np
from PIL import Image

from colorization import color_numpy
from colorization.inference import gamut

STRIDE = 32  # work shapes are multiples of it: no stretching inside the network, and few shapes to batch
MAX_LONG_SIDE = 4  # in work sizes; longer photos are shrunk further
_BAND_PIXELS = 1 << 14  # converted at once: few enough for a core's cache, and for a small photo to keep all cores busy

to_tensor = np.asarray


def work_shape(height: int, width: int, work_size: int) -> tuple[int, int]:
    """Height and width at which the network sees a photo; exactly those of `processing.work_shape`, which explains."""
    shape = np.array([height, width], np.float32)
    scale = np.float32(work_size) * np.minimum(1 / shape.min(), np.float32(MAX_LONG_SIDE) / shape.max())
    rows, columns = STRIDE * np.maximum(1, np.round(shape * scale / STRIDE).astype(int))
    return int(rows), int(columns)


def shrink_l(rgb: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Takes the lightness of a photo and shrinks it, without aliasing.

    Args:
      rgb: (H, W, 3) uint8 or uint16, full range, sRGB.
      shape: height and width of the result.

    Returns:
      l: float32 (1, height, width, 1) in [-1, 1].
    """
    height, width = rgb.shape[:2]
    is_grey = has_equal_channels(rgb)
    narrow = np.empty((height, shape[1], 1), np.float32)  # its rows are shrunk, its columns not yet

    def fill(rows: slice) -> None:
        narrow[rows] = _resize(_take_l(rgb[rows], is_grey), (rows.stop - rows.start, shape[1]))

    _for_bands(fill, height, width)
    return _resize(narrow, shape)[np.newaxis]


def shrink_reference(rgb: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Resizes sRGB (H, W, 3) without aliasing: its `l` (1, height, width, 1) and `ab` (1, height, width, 2)."""
    small = _resize(rgb.astype(np.float32), shape) / np.float32(np.iinfo(rgb.dtype).max)
    return color_numpy.rgb_to_l_ab(small[np.newaxis])


def recolor(rgb: np.ndarray, ab: np.ndarray, saturation: float, out: np.ndarray | None = None) -> np.ndarray:
    """Enlarges chroma and joins it to a photo's lightness, as far as sRGB can show it.

    Args:
      rgb: (H, W, 3) uint8 or uint16, full range, sRGB.
      ab: float32 (1, height, width, 2), at the work size.
      saturation: factor for `ab`, at least 0.
      out: (H, W, 3) of the dtype of `rgb`, to be filled; may be `rgb` itself. Made if None.

    Returns:
      `out`.
    """
    height, width = rgb.shape[:2]
    out = np.empty(rgb.shape, rgb.dtype) if out is None else out
    is_grey = has_equal_channels(rgb)
    max_level = np.float32(np.iinfo(rgb.dtype).max)
    left, right, x = _find_neighbours(ab.shape[2], width)
    wide = _mix(ab[0][:, left], ab[0][:, right], x[:, np.newaxis]) * np.float32(saturation)
    upper, lower, y = _find_neighbours(ab.shape[1], height)

    def fill(rows: slice) -> None:
        l = _take_l(rgb[rows], is_grey)
        band_ab = _mix(wide[upper[rows]], wide[lower[rows]], y[rows, np.newaxis, np.newaxis])
        out[rows] = np.rint(color_numpy.l_ab_to_rgb(l, gamut.limit_chroma(l, band_ab)) * max_level)

    _for_bands(fill, height, width)
    return out


def has_equal_channels(rgb: np.ndarray) -> bool:
    """Whether a whole photo (H, W, 3) is exactly grey; most photos here are, and theirs is a quicker way."""
    if rgb.strides[2] == 0:
        return True
    num_rows = max(1, _BAND_PIXELS // rgb.shape[1])
    bands = (rgb[top : top + num_rows] for top in range(0, len(rgb), num_rows))
    return all((band[..., :1] == band[..., 1:]).all() for band in bands)


def _take_l(rgb: np.ndarray, is_grey: bool) -> np.ndarray:
    """`l` float32 (N, M, 1) of some of a photo's pixels (N, M, 3)."""
    if is_grey:
        return _make_l_table(rgb.dtype)[rgb[..., :1]]
    return _linear_to_l(_make_linear_table(rgb.dtype)[rgb])


@functools.cache
def _make_l_table(dtype: np.dtype) -> np.ndarray:
    """`l` of every level of grey: float32 (256,) or (65536,)."""
    return _linear_to_l(np.repeat(_make_linear_table(dtype)[:, np.newaxis], 3, axis=-1))[:, 0]


@functools.cache
def _make_linear_table(dtype: np.dtype) -> np.ndarray:
    """Linear light of every level."""
    max_level = np.iinfo(dtype).max
    return color_numpy.rgb_to_linear(np.arange(max_level + 1, dtype=np.float32) / np.float32(max_level))


def _linear_to_l(linear: np.ndarray) -> np.ndarray:
    lightness = color_numpy.linear_to_lightness(linear)
    return ((lightness - color_numpy.L_CENTER) / color_numpy.L_SCALE)[..., np.newaxis]


def _resize(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes float32 (H, W, C) to (height, width, C), each channel as Pillow does one of floats."""
    size = shape[::-1]
    channels = [
        Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR) for channel in np.moveaxis(array, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _find_neighbours(size: int, new_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel along an axis: the two old ones around its centre, and how far it lies from the first."""
    position = (np.arange(new_size, dtype=np.float32) + 0.5) * np.float32(size / new_size) - 0.5
    before = np.floor(position)
    return (
        np.maximum(before, 0).astype(int),
        np.minimum(before + 1, size - 1).astype(int),
        (position - before).astype(np.float32),
    )


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + (second - first) * share


def _for_bands(work: Callable[[slice], None], height: int, width: int) -> None:
    """Calls a function for all rows of a photo, some at a time, on all cores."""
    num_rows = max(1, _BAND_PIXELS // width)
    bands = [slice(top, min(top + num_rows, height)) for top in range(0, height, num_rows)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, bands))  # a list, so that an exception comes through
