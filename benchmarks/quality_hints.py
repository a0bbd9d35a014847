"""What hints and references are worth: two of the demands that `quality.py` measures.

Hints stand at random points, the same ones whatever is measured: 100 for each photo, of which every measurement takes
the first. One kind of hint is true (the photo's own colour there), the other vivid and wrong: what a person asks for
who wants the photo to look otherwise.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.quality_measures import Photos, batches, mean_distance, to_cie_ab
from colorization import Colorizer, color
from colorization.inference import gamut
from colorization.inference.hints import Hint

RADIUS = 4  # px of the 256x256 square: of a hint, and of the patch that gives it its colour
NUM_POINTS = (1, 3, 10, 30, 100)
NUM_WRONG_POINTS = 10
VIVID_CHROMA = 70.0  # CIE units: of wrong hints, less where sRGB has less at that lightness
MIN_WRONG_DISTANCE = 30.0  # CIE units between a wrong hint and the true colour
MIN_REFERENCE_SPREAD = 5.0  # levels: mean of max - min channel; below 4 a reference counts as grey
RINGS = (0, 8, 16, 32, 64, 128, 362)  # px: distances from the hint
SAME_SURFACE = 12.0  # CIE units in L*, a*, b*: a pixel this near to the hinted one in colour is of its surface


def measure_hints(colorizer: Colorizer, photos: Photos) -> dict[str, Any]:
    """Measures hints: how much true ones help, whether they are obeyed, and how far they reach.

    Args:
      colorizer: a model that takes hints.
      photos: N photos.

    Returns:
      `psnr_gain`: over the automatic colours in dB, by number of true hints; `true_error` and `wrong_error`: distance
      between the colour asked for and that of the result, at the hinted pixel, over all points of all photos (10 a
      photo): `mean`, `median`, `p90`, and `asked`, the mean distance between what was asked for and the automatic
      colour; `reach`: see `measure_reach`.
    """
    true_hints = [true_colors(photos.original[i], draw_points(i)) for i in range(len(photos.names))]
    wrong_hints = [
        wrong_colors(photos.original[i], draw_points(i)[:NUM_WRONG_POINTS], seed=i) for i in range(len(photos.names))
    ]
    automatic_psnr = photos.psnr(photos.automatic)
    gains = {}
    for num in NUM_POINTS:
        results = colorize_hinted(colorizer, photos, [hints[:num] for hints in true_hints])
        gains[num] = float((photos.psnr(results) - automatic_psnr).mean())
        if num == NUM_WRONG_POINTS:
            true_results = results
    wrong_results = colorize_hinted(colorizer, photos, wrong_hints)
    single_results = colorize_hinted(colorizer, photos, [hints[:1] for hints in wrong_hints])
    return {
        "psnr_gain": gains,
        "true_error": _measure_error(photos, true_results, [hints[:NUM_WRONG_POINTS] for hints in true_hints]),
        "wrong_error": _measure_error(photos, wrong_results, wrong_hints),
        "reach": measure_reach(photos, single_results, [hints[0] for hints in wrong_hints]),
    }


def measure_reference(colorizer: Colorizer, photos: Photos) -> dict[str, float]:
    """Measures references: each photo's own colours, and those of the next photo in the list.

    Args:
      colorizer: a model that takes references.
      photos: N photos.

    Returns:
      `own_psnr_gain`, `other_psnr_gain`: over the automatic colours, in dB; `own_distance`, `other_distance`: mean
      distance from the automatic colours, in CIE units. Grey references, which are refused, are left out.
    """
    automatic_psnr = photos.psnr(photos.automatic)
    numbers = {}
    for name, shift in (("own", 0), ("other", -1)):
        references = np.roll(photos.original, shift, axis=0)
        chosen = [i for i, rgb in enumerate(references) if has_color(rgb)]
        results = photos.automatic.copy()
        for i in chosen:
            results[i] = colorizer.colorize(photos.grey[i], reference=references[i])
        moved = [
            mean_distance(to_cie_ab(results[rows]), to_cie_ab(photos.automatic[rows])) for rows in batches(len(results))
        ]
        numbers[f"{name}_psnr_gain"] = float((photos.psnr(results) - automatic_psnr)[chosen].mean())
        numbers[f"{name}_distance"] = float(np.concatenate(moved)[chosen].mean())
    return numbers


def has_color(rgb: np.ndarray) -> bool:
    """Tells whether rgb uint8 (H, W, 3) is certain to be taken as a reference, not refused as grey."""
    return bool(np.ptp(rgb, axis=-1).mean() >= MIN_REFERENCE_SPREAD)


def measure_reach(photos: Photos, results: np.ndarray, hints: Sequence[Hint]) -> dict[str, Any]:
    """Measures how far one hint changes colour, as the distance between the result and the automatic colours.

    Args:
      photos: N photos.
      results: rgb uint8 (N, 256, 256, 3), each with one hint.
      hints: N hints.

    Returns:
      `rings`: mean change by distance from the hint ("0-8" px, ...); between 8 and 64 px from it `same_surface`, the
      mean change of pixels that have nearly its true colour, and `other_surface`, that of the others. Means over pixels
      first, then over the photos that have such pixels.
    """
    rows, columns = np.mgrid[: photos.original.shape[1], : photos.original.shape[2]] + 0.5
    table = []
    for original, automatic, result, hint in zip(photos.original, photos.automatic, results, hints, strict=True):
        change = np.linalg.norm(to_cie_ab(result) - to_cie_ab(automatic), axis=-1)
        away = np.hypot(rows - hint.y, columns - hint.x)
        lab = color.rgb_to_lab(np.float32(original) / 255.0).numpy()
        same = np.linalg.norm(lab - _patch_lab(lab, int(hint.x), int(hint.y)), axis=-1) <= SAME_SURFACE
        around = (away >= 8) & (away < 64)
        masks = [(away >= low) & (away < high) for low, high in zip(RINGS[:-1], RINGS[1:], strict=True)]
        masks += [around & same, around & ~same]
        table.append([change[mask].mean() if mask.any() else np.nan for mask in masks])
    means = [float(np.nanmean(column)) if np.isfinite(column).any() else None for column in np.array(table).T]
    names = [f"{low}-{high}" for low, high in zip(RINGS[:-1], RINGS[1:], strict=True)]
    rings = dict(zip(names, means, strict=False))
    return {"rings": rings, "same_surface": means[-2], "other_surface": means[-1]}


def colorize_hinted(colorizer: Colorizer, photos: Photos, hints: Sequence[Sequence[Hint]]) -> np.ndarray:
    """Colorizes each photo with its own hints: rgb uint8 (N, 256, 256, 3)."""
    results = [
        np.stack(colorizer.colorize_batch(list(photos.grey[rows]), hints=hints[rows])) for rows in batches(len(hints))
    ]
    return np.concatenate(results)


def draw_points(number: int, size: int = 256) -> np.ndarray:
    """Draws the points of photo number `number`: int (100, 2), column and row of pixels at least `RADIUS` inside."""
    return np.random.default_rng(number).integers(RADIUS, size - RADIUS, (max(NUM_POINTS), 2))


def true_colors(original: np.ndarray, points: np.ndarray) -> list[Hint]:
    """Hints at points (n, 2) with the mean colour of the patches there; `original` is rgb uint8 (H, W, 3)."""
    lab = color.rgb_to_lab(np.float32(original) / 255.0).numpy()
    patches = np.float32([_patch_lab(lab, x, y) for x, y in points])
    return _make_hints(points, color.to_uint8(color.lab_to_rgb(patches[np.newaxis]))[0].numpy())


def wrong_colors(original: np.ndarray, points: np.ndarray, *, seed: int) -> list[Hint]:
    """Hints at points (n, 2) with vivid colours that sRGB has at the lightness of the pixel, far from the true one.

    Of 64 random hues the first is taken that has a chroma of 40 or more and lies `MIN_WRONG_DISTANCE` from the truth;
    near black and white, where there is none, the most vivid one.
    """
    rng = np.random.default_rng([1, seed])
    lab = color.rgb_to_lab(np.float32(original) / 255.0).numpy()
    chosen = []
    for x, y in points:
        hue = rng.uniform(0.0, 2.0 * np.pi, 64)
        ab = np.float32(np.stack([np.cos(hue), np.sin(hue)], axis=-1) * VIVID_CHROMA / color.AB_SCALE)  # (64, 2)
        l = np.full((64, 1), color.normalize_l(lab[y, x, 0]), np.float32)
        rgb = color.to_uint8(color.l_ab_to_rgb(l[np.newaxis], gamut.limit_chroma(l, ab)[np.newaxis]))[0].numpy()
        ab = to_cie_ab(rgb[np.newaxis])[0]  # what is left of it in 8 bits
        chroma = np.linalg.norm(ab, axis=-1)
        good = (chroma >= 40.0) & (np.linalg.norm(ab - _patch_lab(lab, x, y)[1:], axis=-1) >= MIN_WRONG_DISTANCE)
        chosen.append(rgb[good.argmax() if good.any() else chroma.argmax()])
    return _make_hints(points, np.array(chosen))


def _patch_lab(lab: np.ndarray, x: int, y: int) -> np.ndarray:
    """Mean of lab (H, W, 3) over the patch around a pixel: (3,)."""
    top, left = max(y - RADIUS, 0), max(x - RADIUS, 0)
    return lab[top : y + RADIUS + 1, left : x + RADIUS + 1].mean(axis=(0, 1))


def _make_hints(points: np.ndarray, colors: np.ndarray) -> list[Hint]:
    """Hints in the middle of pixels (n, 2), column and row, of colours rgb uint8 (n, 3)."""
    return [
        Hint(x=x + 0.5, y=y + 0.5, color=tuple(rgb), radius=RADIUS) for (x, y), rgb in zip(points, colors, strict=True)
    ]


def _measure_error(photos: Photos, results: np.ndarray, hints: Sequence[Sequence[Hint]]) -> dict[str, float]:
    """How far the results are from what was asked for: see `measure_hints`."""
    errors, steps = [], []
    for automatic, result, points in zip(photos.automatic, results, hints, strict=True):
        rows, columns = [int(hint.y) for hint in points], [int(hint.x) for hint in points]
        asked = to_cie_ab(np.array([[hint.color for hint in points]], np.uint8))[0]
        obtained, before = (to_cie_ab(rgb[rows, columns][np.newaxis])[0] for rgb in (result, automatic))
        errors.append(np.linalg.norm(obtained - asked, axis=-1))
        steps.append(np.linalg.norm(before - asked, axis=-1))
    errors, steps = np.concatenate(errors), np.concatenate(steps)
    return {
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "p90": float(np.percentile(errors, 90)),
        "asked": float(steps.mean()),
    }
