"""All photos of a folder in one array, for a device whose memory holds them.

A GPU that trains thousands of photos a second would wait for decoders; so each photo is decoded once, and crops are
taken on the GPU (`augment.py`).
"""

import collections
import concurrent.futures
import math
import multiprocessing
from pathlib import Path

import numpy as np
from PIL import Image

from colorization import image_io

MAX_ASPECT = 1.5  # of what is kept of a photo: longer sides lose their ends


class PhotoArray:
    """Photos of many sizes in one array.

    Attributes:
      canvases: uint8 (N, C, C, 3); each photo lies in the upper left corner, the rest is undefined.
      sizes: int32 (N, 2), height and width of each.
      groups: int32 (N,), number of the subfolder that each came from.
      group_names: of the subfolders; "" for photos of the folder itself.
      skipped: one line for each file that can't be used.
    """

    def __init__(self, data_dir: Path, *, max_short_side: int, num_workers: int | None = None):
        """Reads every photo below a folder.

        Args:
          data_dir: of the photos; those of a subfolder are a group.
          max_short_side: photos with a longer short side are shrunk to it, in pixels.
          num_workers: processes that decode; as many as there are cores by default.

        Raises:
          ValueError: if none can be used.
        """
        files = image_io.list_photos([data_dir], recursive=True)
        side = math.ceil(MAX_ASPECT * max_short_side)
        self.skipped, photos, names = [], [], []
        with concurrent.futures.ProcessPoolExecutor(
            num_workers, mp_context=multiprocessing.get_context("forkserver")
        ) as pool:
            tasks = (files, [max_short_side] * len(files))
            for file, result in zip(files, pool.map(read_small, *tasks, chunksize=64), strict=True):
                if isinstance(result, str):
                    self.skipped.append(f"{file}: {result}")
                else:
                    photos.append(result)
                    folder = Path(file).parent.relative_to(data_dir).parts
                    names.append(folder[0] if folder else "")
        if not photos:
            raise ValueError(f"{data_dir}: no photos in colour found")
        self.canvases = np.zeros((len(photos), side, side, 3), np.uint8)
        for canvas, photo in zip(self.canvases, photos, strict=True):
            canvas[: photo.shape[0], : photo.shape[1]] = photo
        self.sizes = np.array([photo.shape[:2] for photo in photos], np.int32)
        self.group_names = sorted(set(names))
        self.groups = np.array([self.group_names.index(name) for name in names], np.int32)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], shares: dict[str, float]) -> np.ndarray:
        """Draws photos with replacement.

        Args:
          rng: source of the draws.
          shape: of the result.
          shares: how often photos of a group come, relative to those of others; groups not named come as often as
            they have photos.

        Returns:
          int32 of that shape, numbers of photos.

        Raises:
          ValueError: a name is no group, or all shares are 0.
        """
        counts = collections.Counter(self.groups.tolist())
        for name in shares:
            if name not in self.group_names:
                there = ", ".join(filter(None, self.group_names)) or "none"
                raise ValueError(f"{name!r} is no subfolder with photos; there are {there}")
        total = len(self.groups)
        share = [shares.get(name, counts[i] / total) for i, name in enumerate(self.group_names)]
        weights = np.array([share[group] / counts[group] for group in self.groups])
        if not weights.any():
            raise ValueError("the shares of all photos are 0")
        return rng.choice(total, shape, p=weights / weights.sum()).astype(np.int32)


def read_small(file: Path, max_short_side: int) -> np.ndarray | str:
    """Reads a photo as uint8 (H, W, 3), shrunk and cut to `MAX_ASPECT`; or the reason why it can't be used."""
    try:
        rgb = image_io.read_photo(file).rgb
    except image_io.ImageError as error:
        return str(error).removeprefix(f"{file}: ")
    if rgb.dtype == np.uint16:
        rgb = np.rint(rgb / 257.0).astype(np.uint8)
    if np.mean(np.ptp(rgb, axis=-1)) < 255.0 * image_io.MIN_MEAN_SPREAD:
        return "has no colour"
    height, width = rgb.shape[:2]
    if min(height, width) > max_short_side:
        scale = max_short_side / min(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
        height, width = rgb.shape[:2]
    longest = math.floor(MAX_ASPECT * min(height, width))
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return rgb[top : top + longest, left : left + longest]
