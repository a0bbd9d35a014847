"""Colour conversion against scikit-image and known colours."""

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from colorization import color


@pytest.fixture(scope="module")
def rgb_cube() -> np.ndarray:
    """All of sRGB in steps of 5: float32 (52, 52 * 52, 3) in [0, 1]."""
    axis = np.arange(0, 256, 5, dtype=np.float32) / 255.0
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(52, -1, 3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 1.0, 0.0), (87.73, -86.18, 83.18)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
    ],
)
def test_primaries_have_their_published_lab_values(rgb, lab):
    np.testing.assert_allclose(color.rgb_to_lab(tf.constant([[rgb]]))[0, 0], lab, atol=0.02)


def test_whole_cube_agrees_with_scikit_image(rgb_cube):
    np.testing.assert_allclose(color.rgb_to_lab(rgb_cube), skimage.color.rgb2lab(rgb_cube), atol=1e-2)


def test_whole_cube_inside_tf_data_agrees_with_scikit_image(rgb_cube):
    dataset = tf.data.Dataset.from_tensors(rgb_cube).map(color.rgb_to_lab)
    np.testing.assert_allclose(next(iter(dataset)), skimage.color.rgb2lab(rgb_cube), atol=1e-2)


@pytest.mark.parametrize("convert", [lambda f: f, tf.function], ids=["eager", "graph"])
def test_round_trip_of_the_whole_cube(rgb_cube, convert):
    there_and_back = convert(lambda rgb: color.l_ab_to_rgb(*color.rgb_to_l_ab(rgb)))
    np.testing.assert_allclose(there_and_back(rgb_cube), rgb_cube, atol=1.0 / 255.0)


def test_round_trip_inside_tf_data_is_exact_in_8_bits(rgb_cube):
    dataset = tf.data.Dataset.from_tensors(rgb_cube).map(lambda rgb: color.l_ab_to_rgb(*color.rgb_to_l_ab(rgb)))
    expected = np.round(rgb_cube * 255).astype(np.uint8)
    np.testing.assert_array_equal(color.to_uint8(next(iter(dataset))), expected)


def test_normalized_ranges_of_the_whole_cube(rgb_cube):
    l, ab = color.rgb_to_l_ab(rgb_cube)
    assert l.shape == (52, 2704, 1) and ab.shape == (52, 2704, 2)
    assert float(tf.reduce_min(l)) == pytest.approx(-1.0, abs=1e-4)
    assert float(tf.reduce_max(l)) == pytest.approx(1.0, abs=1e-4)
    assert float(tf.reduce_max(tf.abs(ab))) == pytest.approx(107.86 / 110, abs=1e-3)


def test_normalization_is_lightness_over_50_minus_1_and_chroma_over_110():
    l, ab = color.split_lab(tf.constant([[75.0, 55.0, -110.0]]))
    np.testing.assert_allclose(l, [[0.5]])
    np.testing.assert_allclose(ab, [[0.5, -1.0]])
    np.testing.assert_allclose(color.join_lab(l, ab), [[75.0, 55.0, -110.0]])


def out_of_gamut_lab() -> tf.Tensor:
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform((0, -110, -110), (100, 110, 110), (64, 64, 3)), tf.float32)


def test_out_of_gamut_colours_are_clipped_without_nan():
    rgb = color.lab_to_rgb(out_of_gamut_lab()).numpy()
    assert np.isfinite(rgb).all()
    assert rgb.min() == 0.0 and rgb.max() == 1.0


@pytest.mark.parametrize("convert", [lambda f: f, tf.function], ids=["eager", "graph"])
def test_gradients_are_finite_out_of_gamut(convert):
    lab = out_of_gamut_lab()
    to_rgb = convert(color.lab_to_rgb)
    with tf.GradientTape() as tape:
        tape.watch(lab)
        rgb = to_rgb(lab)
    gradient = tape.gradient(rgb, lab).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient != 0).any(axis=-1).mean() > 0.2


def test_gradient_in_gamut_matches_finite_differences():
    lab = tf.constant([[[60.0, 20.0, -15.0]]])
    with tf.GradientTape() as tape:
        tape.watch(lab)
        total = tf.reduce_sum(color.lab_to_rgb(lab))
    step = np.eye(3, dtype=np.float32)[:, None, None, :] * 0.5
    numeric = [float(tf.reduce_sum(color.lab_to_rgb(lab + s) - color.lab_to_rgb(lab - s))) for s in step]
    np.testing.assert_allclose(tape.gradient(total, lab)[0, 0], numeric, rtol=1e-2)


def test_to_uint8_rounds_and_saturates():
    rgb = tf.constant([-0.5, 0.0, 0.499 / 255, 0.501 / 255, 254.6 / 255, 1.0, 7.0])
    np.testing.assert_array_equal(color.to_uint8(rgb), [0, 0, 0, 1, 255, 255, 255])
