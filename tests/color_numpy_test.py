"""The twin for NumPy arrays against the original, in both directions, and against scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from colorization import color, color_numpy


@pytest.fixture(scope="module")
def rgb_cube() -> np.ndarray:
    """All of sRGB in steps of 5: float32 (52, 52 * 52, 3) in [0, 1]."""
    axis = np.arange(0, 256, 5, dtype=np.float32) / 255.0
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(52, -1, 3)


def test_whole_cube_agrees_with_tensorflow_and_scikit_image(rgb_cube):
    lab = color_numpy.rgb_to_lab(rgb_cube)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, color.rgb_to_lab(rgb_cube), atol=2e-4)
    np.testing.assert_allclose(lab, skimage.color.rgb2lab(rgb_cube), atol=1e-2)


def test_lightness_alone_is_the_same(rgb_cube):
    lightness = color_numpy.linear_to_lightness(color_numpy.rgb_to_linear(rgb_cube))
    np.testing.assert_allclose(lightness, color_numpy.rgb_to_lab(rgb_cube)[..., 0], atol=5e-5)


def test_all_of_lab_agrees_with_tensorflow():
    """Also out of gamut, where both clip."""
    rng = np.random.default_rng(0)
    lab = rng.uniform((-1, -110, -110), (101, 110, 110), (64, 64, 3)).astype(np.float32)
    rgb = color_numpy.lab_to_rgb(lab)
    assert rgb.dtype == np.float32 and rgb.min() == 0.0 and 1 - 1e-6 < rgb.max() <= 1.0
    np.testing.assert_allclose(rgb, color.lab_to_rgb(lab), atol=5e-6)


def test_normalized_values_agree_with_tensorflow(rgb_cube):
    l, ab = color_numpy.rgb_to_l_ab(rgb_cube)
    for actual, expected in zip((l, ab), color.rgb_to_l_ab(tf.constant(rgb_cube)), strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, atol=4e-6)
    np.testing.assert_allclose(color_numpy.l_ab_to_rgb(l, ab), rgb_cube, atol=1e-4)


def test_jax_arrays_give_jax_arrays_with_the_same_values(rgb_cube):
    """Also while they are traced."""
    rgb = rgb_cube[::8, ::8]
    l, ab = color_numpy.rgb_to_l_ab(rgb)
    traced_l, traced_ab = jax.jit(color_numpy.rgb_to_l_ab)(jnp.asarray(rgb))
    assert isinstance(color_numpy.rgb_to_lab(jnp.asarray(rgb)), jax.Array)
    np.testing.assert_allclose(traced_l, l, atol=4e-6)
    np.testing.assert_allclose(traced_ab, ab, atol=4e-6)
    np.testing.assert_allclose(jax.jit(color_numpy.l_ab_to_rgb)(l, ab), color_numpy.l_ab_to_rgb(l, ab), atol=4e-6)
