"""Red blotches: what `quality.py` counts of the fault that one sees first in automatic colours.

A model that is to be vivid paints red or orange where it cannot guess: half a face, a shadow, a patch of a wall. PSNR
hardly notices, for such an area is small. So it is looked for by itself.
"""

from typing import Any

import numpy as np
import scipy.ndimage
import skimage.measure

from benchmarks.quality_measures import Photos, batches, to_cie_ab

WINDOW = 9  # px of the 256x256 square: side of the areas whose mean colours are compared
MIN_OVERSHOOT = 25.0  # CIE units that an area must be too vivid
MIN_CHROMA = 25.0  # CIE units: what is paler does not look red
RED_HUES = (-40.0, 60.0)  # degrees in the (a*, b*) plane: from pink to orange
MIN_AREA = 0.01  # share of the photo, connected


def measure_blotches(photos: Photos) -> dict[str, Any]:
    """Counts the photos whose automatic colours have a red blotch.

    Args:
      photos: N photos.

    Returns:
      `share` of the photos with one, `area`: its share of each photo that has one, by name, largest first.
    """
    found = {}
    for rows in batches(len(photos.names)):
        areas = blotch_areas(to_cie_ab(photos.automatic[rows]), to_cie_ab(photos.original[rows]))
        found |= {name: area for name, area in zip(photos.names[rows], areas, strict=True) if area > MIN_AREA}
    return {
        "share": len(found) / len(photos.names),
        "area": dict(sorted(found.items(), key=lambda item: -item[1])),
    }


def blotch_areas(ab: np.ndarray, true_ab: np.ndarray) -> list[float]:
    """The share of each photo that its largest red blotch takes, 0 if it has none.

    A blotch is a connected area of red whose chroma is at least `MIN_OVERSHOOT` larger than it should be: larger than
    the true colour's part in the direction of its own. A wrong hue is therefore one, too, and too pale a red is none.

    Args:
      ab: the result's float32 (B, H, W, 2), CIE units.
      true_ab: the original's; same shape.
    """
    result, truth = (_window_means(part) for part in (ab, true_ab))
    chroma = np.linalg.norm(result, axis=-1)
    wanted = (result * truth).sum(axis=-1) / np.maximum(chroma, 1e-6)
    hue = np.degrees(np.arctan2(result[..., 1], result[..., 0]))
    is_red = (chroma >= MIN_CHROMA) & (hue >= RED_HUES[0]) & (hue <= RED_HUES[1])
    return [_largest_share(mask) for mask in is_red & (chroma - wanted >= MIN_OVERSHOOT)]


def _window_means(ab: np.ndarray) -> np.ndarray:
    """The mean of the part of each pixel's window that lies in the photo: float32 (B, H, W, 2), and so the result."""
    size = (1, WINDOW, WINDOW, 1)
    sums, counts = (scipy.ndimage.uniform_filter(part, size, mode="constant") for part in (ab, np.ones_like(ab[:1])))
    return sums / counts


def _largest_share(mask: np.ndarray) -> float:
    """The share of bool (H, W) that its largest connected part takes."""
    labels = skimage.measure.label(mask, connectivity=1)
    return float(np.bincount(labels.ravel())[1:].max(initial=0) / mask.size)
