"""Each damage does what it says, and always the same."""

import ast
from pathlib import Path

import numpy as np
import pytest

from benchmarks import degrade


def ramp(height: int = 96, width: int = 120) -> np.ndarray:
    """Grey levels from 0 (left) to 255 (right): uint8 (H, W)."""
    return np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))


def flat(level: int) -> np.ndarray:
    return np.full((120, 120), level, np.uint8)


@pytest.mark.parametrize("kind", degrade.KINDS)
def test_a_damage_is_the_same_each_time_and_grey_but_for_sepia(kind):
    first, again, other = (degrade.degrade(ramp(), kind, seed) for seed in (5, 5, 6))
    assert first.shape == (96, 120, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (np.ptp(first, axis=-1) > 0).any() == (kind == "sepia")
    assert np.corrcoef(first[..., 1].mean(axis=0), ramp()[0])[0, 1] > 0.97, "the photo is still there"


def test_it_shares_no_code_with_the_augmentation():
    tree = ast.parse(Path(degrade.__file__).read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"io", "collections.abc", "numpy", "PIL"}


def test_fading_raises_the_blacks_and_darkens_the_corners():
    blacks, whites = degrade.degrade(flat(0), "fade", 0), degrade.degrade(flat(255), "fade", 0)
    assert blacks[55:65, 55:65].mean() == pytest.approx(75, abs=2)
    assert whites[55:65, 55:65].mean() == pytest.approx(225, abs=1)
    corners = whites[::119, ::119].mean()
    assert corners == pytest.approx(225 * 0.65, abs=2)


def test_sepia_ink_is_brown_and_its_paper_yellow():
    ink, paper = (degrade.degrade(flat(level), "sepia", 0)[0, 0].astype(int) for level in (0, 255))
    np.testing.assert_array_equal(ink, [48, 28, 14])
    assert paper[0] == 250 and 228 <= paper[1] <= 236 and 178 <= paper[2] <= 202


def test_scratches_touch_little_and_run_down():
    touched = degrade.degrade(flat(128), "scratches", 1)[..., 0] != 128
    assert 0.01 < touched.mean() < 0.15
    assert touched.mean(axis=0).max() > 0.25, "some column has a long line"


@pytest.mark.parametrize("level", [64, 128, 192])
def test_the_area_of_the_dots_is_that_of_the_darkness(level):
    printed = degrade.degrade(flat(level), "halftone", 2)[8:-8, 8:-8, 0].astype(float)
    ink = (225 - printed.mean()) / 190
    assert ink == pytest.approx(1 - level / 255, abs=0.02)
    assert printed.std() > 20


def test_low_contrast_leaves_30_percent():
    low = degrade.degrade(ramp(), "low contrast", 0).astype(int)
    assert np.ptp(low) == pytest.approx(0.3 * 255, abs=1)
    assert 81 <= low.min() <= 132


def test_grain_has_its_strength_and_no_bias():
    grainy = degrade.degrade(flat(128), "blur and grain", 0)[..., 0].astype(float)
    assert grainy.std() == pytest.approx(14, abs=0.2) and grainy.mean() == pytest.approx(128, abs=0.5)
    step = np.where(np.arange(120) < 60, 28, 228).astype(np.uint8)
    profile = degrade.degrade(np.tile(step, (120, 1)), "blur and grain", 0)[..., 0].mean(axis=0)
    assert profile[50] < 40 and profile[70] > 216 and 80 < profile[59] < 128 < profile[60] < 176


def test_jpeg_leaves_blocks_and_the_mean():
    noise = np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)
    stored = degrade.degrade(noise, "jpeg", 0)[..., 0].astype(float)
    assert stored.mean() == pytest.approx(noise.mean(), abs=2)
    assert stored.std() < 0.6 * noise.std()
