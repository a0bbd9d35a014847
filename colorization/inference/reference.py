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
    rgb = image_io.read_rgb(path, max_short_side=_MAX_SHORT_SIDE)
    if image_io.is_grey(rgb):
        raise image_io.ImageError(f"{path}: grey; a reference photo must be in colour")
    return rgb
