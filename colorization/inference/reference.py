"""The photo in colour whose mood others take: read and checked before TensorFlow is there."""

import os

import numpy as np

from colorization import image_io

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
    return _check(image_io.read_rgb(path, max_short_side=_MAX_SHORT_SIDE), path)


def decode_reference(data: bytes, name: str, *, max_pixels: int = image_io.MAX_PIXELS) -> np.ndarray:
    """As `read_reference`, of a file's content; errors call it `name`, and a photo of more than `max_pixels` is one."""
    return _check(image_io.decode_rgb(data, name, max_short_side=_MAX_SHORT_SIDE, max_pixels=max_pixels), name)


def _check(rgb: np.ndarray, name: str | os.PathLike) -> np.ndarray:
    if image_io.is_grey(rgb):
        raise image_io.ImageError(f"{name}: grey; a reference photo must be in colour")
    return rgb
