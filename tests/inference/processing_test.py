import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.inference import processing


@pytest.mark.parametrize(
    "height, width, expected",
    [
        (512, 512, (256, 256)),
        (4000, 6000, (256, 384)),
        (6000, 4000, (384, 256)),
        (512, 341, (384, 256)),  # 384.4 x 256
        (80, 100, (256, 320)),  # enlarged
        (256, 262, (256, 256)),  # rounded to a multiple of 32
        (1000, 10000, (96, 1024)),  # the long side is limited to 4 x 256
        (1, 1, (256, 256)),
        (1, 50000, (32, 1024)),
    ],
)
def test_work_shape(height, width, expected):
    assert tuple(processing.work_shape(height, width, 256).numpy()) == expected


def test_to_l_of_known_levels():
    # L* of sRGB level 119 is 50.03.
    rgb = np.array([0, 119, 255], np.uint8)[:, None, None].repeat(3, axis=-1)
    np.testing.assert_allclose(processing.to_l(rgb)[:, 0, 0], [-1.0, 0.0007, 1.0], atol=2e-4)
    np.testing.assert_allclose(processing.to_l(rgb.astype(np.uint16) * 257), processing.to_l(rgb), atol=1e-6)


def test_to_l_weighs_the_channels():
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[:, None]
    np.testing.assert_allclose(processing.to_l(rgb)[:, 0, 0] * 50 + 50, [53.24, 87.73, 32.30], atol=0.01)


def test_shrink_l_does_not_alias():
    checkerboard = (np.indices((256, 256)).sum(axis=0) % 2 * 2.0 - 1.0).astype(np.float32)
    small = processing.shrink_l(checkerboard[None, ..., None], (32, 32)).numpy()
    assert small.shape == (1, 32, 32, 1)
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 0.0, atol=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shrink_rgb_does_not_alias(dtype):
    checkerboard = (np.indices((256, 256)).sum(axis=0) % 2 * np.iinfo(dtype).max).astype(dtype)
    small = processing.shrink_rgb(checkerboard[None, ..., None].repeat(3, axis=-1), (32, 64)).numpy()
    assert small.shape == (1, 32, 64, 3) and small.dtype == np.float32
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 0.5, atol=0.01)
    assert 0 <= small.min() and small.max() <= 1


def test_stretch_contrast_brings_each_faded_photo_to_the_least_and_leaves_others():
    pattern = np.where(np.indices((32, 64)).sum(axis=0) % 2, 1.0, -1.0).astype(np.float32)[..., None]
    faded, sharp = 0.3 + 0.2 * pattern, 0.1 + 0.5 * pattern
    stretched = processing.stretch_contrast(np.stack([faded, sharp])).numpy()
    np.testing.assert_allclose(stretched[0], 0.3 + 0.4 * pattern, atol=1e-5)
    np.testing.assert_allclose(stretched[1], sharp, atol=1e-6)
    bright = processing.stretch_contrast(0.75 + 0.2 * pattern[None]).numpy()
    np.testing.assert_allclose(bright[0], np.where(pattern > 0, 1.0, 0.35), atol=1e-5)  # not 1.15


def test_stretch_contrast_keeps_what_is_flat_flat():
    np.testing.assert_array_equal(processing.stretch_contrast(np.full((1, 32, 32, 1), -0.25, np.float32)), -0.25)
    noise = np.float32([-0.01, 0.01] * 512).reshape(1, 32, 32, 1)
    np.testing.assert_allclose(processing.stretch_contrast(noise), 4.0 * noise, rtol=1e-5)


def test_limited_blues_approach_the_limit_and_other_hues_stay():
    blues = np.float32([[0.0, -20.0], [0.0, -30.0], [0.0, -50.0], [0.0, -90.0]]) / 110.0
    limited = processing.limit_blue(blues[None, None], 50.0).numpy()[0, 0] * 110.0
    expected = [20.0, 30.0, 30.0 + 20.0 * np.tanh(1.0), 30.0 + 20.0 * np.tanh(3.0)]
    np.testing.assert_allclose(limited[:, 1], np.negative(expected), rtol=1e-3)
    np.testing.assert_allclose(limited[:, 0], 0.0, atol=1e-6)
    others = np.float32([[90.0, 10.0], [60.0, 80.0], [-60.0, 60.0], [-60.0, 10.0], [0.0, 0.0]]) / 110.0
    np.testing.assert_array_equal(processing.limit_blue(others[None, None], 50.0)[0, 0], others)


def test_smoothing_averages_patches_that_no_edge_explains():
    l = np.zeros((1, 64, 64, 1), np.float32)
    ab = np.zeros((1, 64, 64, 2), np.float32)
    ab[0, 30:34, 30:34] = (0.5, -0.5)
    smooth = processing.smooth_ab(l, ab, 4).numpy()
    assert smooth[0, 32, 32, 0] == pytest.approx(0.5 * (32 / 81) ** 2, rel=1e-4)  # a mean of means of 9 x 9
    np.testing.assert_allclose(smooth[..., 1], -smooth[..., 0], atol=1e-6)
    assert smooth[..., 0].sum() == pytest.approx(0.5 * 16, rel=1e-4)
    np.testing.assert_array_equal(smooth[0, :20], 0.0)
    everywhere = np.full((1, 9, 40, 2), 0.25, np.float32)
    l = np.random.default_rng(0).uniform(-1, 1, (1, 9, 40, 1)).astype(np.float32)
    np.testing.assert_allclose(processing.smooth_ab(l, everywhere, 6), everywhere, atol=1e-5)  # at the border, too


def test_smoothing_does_not_bleed_over_strong_edges():
    l = np.where(np.arange(64) < 32, -0.6, 0.6).astype(np.float32).reshape(1, 1, 64, 1).repeat(48, axis=1)
    ab = np.where(l < 0, np.float32([0.4, 0.1]), np.float32([-0.2, 0.3]))
    np.testing.assert_allclose(processing.smooth_ab(l, ab, 5), ab, atol=0.01)


def test_hinted_pixels_get_exactly_what_was_asked_for_and_the_rest_follows_smoothly():
    ab = np.full((1, 32, 48, 2), 0.1, np.float32)
    hints = np.zeros((1, 32, 48, 3), np.float32)
    hints[0, 8, 8] = (0.5, -0.3, 1.0)
    hints[0, 20:23, 30:33] = (-0.2, 0.1, 1.0)
    obeyed = processing.obey_hints(ab, hints).numpy()
    np.testing.assert_allclose(obeyed[0, 8, 8], (0.5, -0.3), atol=1e-6)
    np.testing.assert_allclose(obeyed[0, 20:23, 30:33], np.broadcast_to((-0.2, 0.1), (3, 3, 2)), atol=1e-6)
    row = obeyed[0, 8, 8:16, 0]
    assert (np.diff(row) <= 1e-6).all() and 0.4 < row[1] < 0.5
    np.testing.assert_allclose(row[7:], 0.1, atol=1e-6)
    np.testing.assert_array_equal(processing.obey_hints(ab, np.zeros_like(hints)), ab)


def test_upsample_ab_is_smooth():
    ramp = np.arange(8, dtype=np.float32)[None, None, :, None].repeat(2, axis=-1)
    ab = processing.upsample_ab(ramp, (3, 80)).numpy()
    assert ab.shape == (1, 3, 80, 2)
    np.testing.assert_allclose(np.diff(ab[0, 0, 5:-5, 0]), 0.1, atol=1e-4)  # no blocks


def test_recolor_joins_and_scales_chroma():
    l = np.zeros((1, 1, 1), np.float32)
    ab = np.array([[[0.1, -0.2]]], np.float32)
    rgb = processing.recolor(l, ab, 0.5, tf.uint8)
    assert rgb.dtype == tf.uint8
    expected = color.lab_to_rgb(np.array([[[50.0, 0.05 * 110, -0.1 * 110]]], np.float32)) * 255
    np.testing.assert_allclose(rgb, expected, atol=0.51)


@pytest.mark.parametrize("dtype", [tf.uint8, tf.uint16], ids=lambda dtype: dtype.name)
def test_grey_goes_through_unchanged(dtype):
    grey = np.linspace(0, dtype.max, 4096).round().astype(dtype.as_numpy_dtype)
    rgb = grey[:, None, None].repeat(3, axis=-1)
    back = processing.recolor(processing.to_l(rgb), np.ones((4096, 1, 2), np.float32), 0.0, dtype)
    assert back.dtype == dtype
    # The conversion's own white is 1e-4 off; in 8 bits nothing remains of that.
    np.testing.assert_allclose(np.asarray(back, np.int64), rgb, atol=dtype.max * 1.5e-4)
