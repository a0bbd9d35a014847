import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.inference import gamut

MEAN_SHIFT = 1.0  # L*, what a result may differ from its input on average


def measure_shift(l, ab):
    """Mean and largest change of L* when `l`, `ab` is shown in sRGB."""
    shown, _ = color.rgb_to_l_ab(color.l_ab_to_rgb(l, ab))
    shift = np.abs(np.asarray(shown) - l) * color.L_SCALE
    return shift.mean(), shift.max()


def draw(low, high, chroma):
    rng = np.random.default_rng(0)
    l = rng.uniform(low, high, (20000, 1, 1)).astype(np.float32)
    return l, rng.uniform(-chroma, chroma, (20000, 1, 2)).astype(np.float32)


def test_colors_of_srgb_stay():
    rgb = np.random.default_rng(0).uniform(0.02, 0.98, (20000, 1, 3)).astype(np.float32)
    l, ab = color.rgb_to_l_ab(rgb)
    np.testing.assert_allclose(gamut.limit_chroma(l, ab), ab, atol=1e-5)


@pytest.mark.parametrize("low, high, chroma", [(-1, 1, 0.8), (-1, -0.8, 0.4), (0.8, 1, 0.4), (-1, 1, 3.0)])
def test_lightness_stays_where_clipping_would_shift_it(low, high, chroma):
    l, ab = draw(low, high, chroma)
    assert measure_shift(l, ab)[0] > 2 * MEAN_SHIFT
    mean, largest = measure_shift(l, gamut.limit_chroma(l, ab))
    assert mean < 0.2 * MEAN_SHIFT or chroma > 1 and mean < MEAN_SHIFT
    assert largest < 2.0 or chroma > 1


def test_hue_stays_and_little_chroma_is_wasted():
    l, ab = draw(-0.5, 0.5, 0.8)
    limited = np.asarray(gamut.limit_chroma(l, ab))
    np.testing.assert_allclose(limited[..., 0] * ab[..., 1], limited[..., 1] * ab[..., 0], atol=1e-5)
    scale = np.linalg.norm(limited, axis=-1) / np.linalg.norm(ab, axis=-1)
    assert scale.max() <= 1.0 + 1e-6
    rgb = np.asarray(color.l_ab_to_rgb(l, limited))[scale < 0.99]
    to_the_border = np.minimum(rgb, 1 - rgb).min(axis=-1)
    assert np.median(to_the_border) == 0.0
    assert np.quantile(to_the_border, 0.95) < 0.2


def test_black_white_and_grey_have_no_chroma_to_limit():
    l = np.array([-1.0, 1.0, -1.0, 0.0, 1.0], np.float32)[:, None, None]
    ab = np.array([[0.5, 0.2], [-0.5, 0.2], [0, 0], [0, 0], [0, 0]], np.float32)[:, None]
    np.testing.assert_allclose(gamut.limit_chroma(l, ab), np.zeros_like(ab), atol=1e-4)


def test_both_kinds_of_arrays_give_the_same():
    l, ab = draw(-1, 1, 0.8)
    limited, expected = gamut.limit_chroma(l, ab), gamut.limit_chroma(tf.constant(l), tf.constant(ab))
    assert isinstance(limited, np.ndarray) and limited.dtype == np.float32
    assert isinstance(expected, tf.Tensor)
    np.testing.assert_allclose(limited, expected, atol=1e-6)
