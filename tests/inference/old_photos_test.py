"""Old photographs with the shipped model: what the print's tint is, doesn't matter."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization import Colorizer, color

EXAMPLE = Path(__file__).parents[2] / "examples" / "castle_clinton_1961.jpg"  # taken in black and white
# Colour of the print in the middle of its scale, as factors of R, G and B; black stays black.
TINTS = {"sepia": (1.2, 1.0, 0.72), "faint sepia": (1.05, 1.0, 0.9), "cyanotype": (0.6, 0.95, 1.35)}


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.load()


@pytest.fixture(scope="module")
def print_photo():
    """Grey uint8 (H, W) at a third of the contrast, so that no tint leaves sRGB."""
    photo = Image.open(EXAMPLE).convert("L")
    photo.thumbnail((256, 256))
    return (np.asarray(photo) / 3.0 + 80.0).astype(np.uint8)


def tone(grey, tint):
    """A toned print: rgb uint8 (H, W, 3) of grey uint8 (H, W)."""
    return np.clip(np.round(grey[..., np.newaxis] * np.array(tint)), 0, 255).astype(np.uint8)


def to_grey(rgb):
    """The grey photo of the same lightness: uint16 (H, W), for most lightnesses lie between two of 256 greys."""
    l, ab = color.rgb_to_l_ab(np.float32(rgb) / 255.0)
    return np.round(color.l_ab_to_rgb(l, 0.0 * ab).numpy()[..., 1] * 65535.0).astype(np.uint16)


def colorize_both(colorizer, toned, grey, **options):
    """The colours of uint8 and of uint16, both in levels of 255: float64 (H, W, 3)."""
    return colorizer.colorize(toned, **options).astype(float), colorizer.colorize(grey, **options) / 257.0


@pytest.mark.parametrize("tint", TINTS)
def test_a_toned_print_gets_the_colours_of_the_grey_one(colorizer, print_photo, tint):
    toned = tone(print_photo, TINTS[tint])
    grey = to_grey(toned)
    assert np.ptp(toned, axis=-1).mean() > 10 and np.ptp(grey) > 50 * 257, "toned, and not flat"
    result, expected = colorize_both(colorizer, toned, grey)
    assert np.ptp(expected, axis=-1).mean() > 3, "the model does colour this photo"
    assert np.abs(result - expected).max() <= 1.0, "half a level is lost where the toned one's colours are rounded"


def test_the_tint_is_gone(colorizer):
    """A sepia print of an evenly lit wall: what colour comes out is the model's, not the print's."""
    toned = tone(np.full((96, 96), 130, np.uint8), TINTS["sepia"])
    grey = to_grey(toned)
    result, expected = colorize_both(colorizer, toned, grey, saturation=2.0)  # the model leaves such a wall nearly grey
    assert np.ptp(expected, axis=-1).max() > 3, "the model does colour it"
    assert np.abs(toned - expected).max() > 20, "the print's own tint is another"
    assert np.abs(result - expected).max() <= 1.0
    np.testing.assert_array_equal(np.ptp(colorizer.colorize(toned, saturation=0.0), axis=-1).max(), 0)
