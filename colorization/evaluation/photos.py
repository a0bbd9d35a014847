"""The photos of an evaluation: which ones, and their centre squares.

Needs no TensorFlow, so that a command can refuse a wrong folder at once.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from colorization import image_io

SIZE = 256  # px, side of the compared squares


def list_evaluation_photos(data_dir: Path, *, max_photos: int = 0, expected_num_photos: int = 0) -> list[Path]:
    """Lists the photos under a folder, nested ones too, always in the same order.

    Args:
      data_dir: folder.
      max_photos: at most this many, taken evenly over the sorted list so that every subfolder is represented;
        0 for all.
      expected_num_photos: how many photos the folder must hold (before `max_photos`); 0 for any number.

    Returns:
      paths, sorted by their path below `data_dir`.

    Raises:
      ValueError: no such folder, no photo in it, or another number than expected.
    """
    if not data_dir.is_dir():
        raise ValueError(f"{data_dir}: no such folder")
    files = sorted(image_io.list_photos([data_dir], recursive=True), key=lambda file: relative_name(file, data_dir))
    if not files:
        raise ValueError(f"{data_dir}: no photos found")
    if expected_num_photos and len(files) != expected_num_photos:
        raise ValueError(f"{data_dir}: holds {len(files)} photos, {expected_num_photos} expected")
    if not max_photos or max_photos >= len(files):
        return files
    return [files[index * len(files) // max_photos] for index in range(max_photos)]


def relative_name(file: Path, data_dir: Path) -> str:
    """The path of `file` below `data_dir`, with forward slashes on every system."""
    return Path(file).relative_to(data_dir).as_posix()


def read_square(path: Path) -> np.ndarray:
    """Reads a photo and resizes its centre square.

    Args:
      path: image file; upright sRGB is made of it.

    Returns:
      rgb uint8 (256, 256, 3).

    Raises:
      image_io.ImageError: the file cannot be read.
    """
    rgb = image_io.read_rgb(path)  # (H, W, 3)
    height, width, _ = rgb.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(rgb[top : top + side, left : left + side])
    # Pillow widens the filter when it shrinks, so no aliasing either way.
    return np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
