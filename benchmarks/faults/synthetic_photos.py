"""Photos made of smooth random colours, for faults that need many files and no beauty."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_photos(folder: Path, num_photos: int, *, width: int = 48, height: int = 40, seed: int = 0) -> list[Path]:
    """Writes colour photos `0000.png`, `0001.jpg`, ... into a folder that is made; every second one is a JPEG."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    paths = []
    for index in range(num_photos):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        paths.append(folder / f"{index:04d}.{'jpg' if index % 2 else 'png'}")
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(paths[-1])
    return paths
