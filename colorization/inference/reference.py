"""The photo in colour whose mood others take: read and checked before TensorFlow is there."""

import os

import numpy as np

from colorization import image_io

# The mean over pixels of max - min channel, of 1, below which training, too, calls a photo grey.
_MIN_MEAN_SPREAD = 4.0 / 255.0
_MAX_SHORT_SIDE = 512  # pixels; the network sees it at about half of that


def read_reference(path: str | os.PathLike) -> np.ndarray:
    """Reads a reference photo.

    Args:
      path: the file.

    Returns:
      rgb: uint8 (H, W, 3), upright sRGB; a large photo is shrunk, which leaves its mood as it is.

    Raises:
      ImageError: it cannot be read, or is grey: "PATH: reason".
    """
    rgb = image_io.read_rgb(path, max_short_side=_MAX_SHORT_SIDE)
    if is_grey(rgb):
        raise image_io.ImageError(f"{path}: grey; a reference photo must be in colour")
    return rgb


def is_grey(rgb: np.ndarray) -> bool:
    """Tells whether `rgb`, (H, W, 3) uint8 or uint16, is black-and-white, or so nearly that it has no mood."""
    spread = rgb.max(axis=-1) - rgb.min(axis=-1)
    return float(spread.mean()) < _MIN_MEAN_SPREAD * np.iinfo(rgb.dtype).max
