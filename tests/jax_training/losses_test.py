"""Each loss and metric has the value and the gradient of its namesake for TensorFlow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.jax_training import losses
from colorization.training import losses as tf_losses
from colorization.training import metrics

RNG = np.random.default_rng(1)
L, REAL_AB = (
    RNG.uniform(-1, 1, (3, 8, 6, 1)).astype(np.float32),
    RNG.uniform(-0.6, 0.6, (3, 8, 6, 2)).astype(np.float32),
)
FAKE_AB = RNG.uniform(-0.6, 0.6, (3, 8, 6, 2)).astype(np.float32)
REAL_RGB, FAKE_RGB = RNG.uniform(0, 1, (2, 3, 8, 6, 3)).astype(np.float32)


def assert_equal_with_gradient(ours, theirs, x: np.ndarray, *, rtol: float) -> None:
    """Of scalar functions of an array."""
    value, gradient = jax.value_and_grad(ours)(jnp.asarray(x))
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        expected = theirs(variable)
    assert float(value) == pytest.approx(float(expected), rel=rtol)
    expected = tf.convert_to_tensor(tape.gradient(expected, variable)).numpy()
    assert np.abs(expected).max() > 0.0
    np.testing.assert_allclose(gradient, expected, rtol=20 * rtol, atol=rtol * np.abs(expected).max())


def test_rgb_loss():
    assert_equal_with_gradient(
        lambda rgb: losses.rgb_loss(REAL_RGB, rgb), lambda rgb: tf_losses.rgb_loss(REAL_RGB, rgb), FAKE_RGB, rtol=1e-5
    )


def test_ciede2000_loss():
    assert_equal_with_gradient(
        lambda ab: losses.ciede2000_loss(L, REAL_AB, ab),
        lambda ab: tf_losses.ciede2000_loss(L, REAL_AB, ab),
        FAKE_AB,
        rtol=1e-4,
    )


@pytest.mark.parametrize("margin", [0.0, 2.0])
def test_colorfulness_loss(margin):
    real, fake = np.random.default_rng(2).uniform(0, 1, (2, 3, 32, 48, 3)).astype(np.float32)  # a border of 2 and 3 px
    assert_equal_with_gradient(
        lambda rgb: losses.colorfulness_loss(real, rgb, margin=margin),
        lambda rgb: tf_losses.colorfulness_loss(real, rgb, margin=margin),
        0.5 + 0.5 * (fake - 0.5),
        rtol=1e-4,
    )


def test_a_difference_within_the_margin_costs_nothing():
    pale = 0.5 + 0.9 * (jnp.asarray(REAL_RGB) - 0.5)
    assert float(losses.colorfulness_loss(REAL_RGB, pale, margin=0.0)) > 0.05
    value, gradient = jax.value_and_grad(lambda rgb: losses.colorfulness_loss(REAL_RGB, rgb, margin=50.0))(pale)
    assert float(value) == 0.0 and not np.asarray(gradient).any()


def test_overshoot_loss():
    real, fake = (RNG.uniform(-0.6, 0.6, (3, 2, 1, 2)).astype(np.float32).repeat(8, 1).repeat(8, 2) for _ in range(2))
    assert_equal_with_gradient(
        lambda ab: losses.overshoot_loss(real, ab), lambda ab: tf_losses.overshoot_loss(real, ab), fake, rtol=1e-5
    )
    assert float(losses.overshoot_loss(real, real)) == 0.0


def test_kl_loss():
    log_variance = RNG.normal(size=(4, 8)).astype(np.float32)
    assert_equal_with_gradient(
        lambda mean: losses.kl_loss(mean, log_variance),
        lambda mean: tf_losses.kl_loss(mean, log_variance),
        RNG.normal(size=(4, 8)).astype(np.float32),
        rtol=1e-5,
    )


def test_conversion_and_its_gradient():
    weights = RNG.normal(size=REAL_RGB.shape).astype(np.float32)
    assert_equal_with_gradient(
        lambda ab: jnp.sum(weights * losses.l_ab_to_rgb(L, ab)),
        lambda ab: tf.reduce_sum(weights * color.l_ab_to_rgb(L, ab)),
        0.3 * FAKE_AB,
        rtol=1e-4,
    )
    l, ab = losses.rgb_to_l_ab(REAL_RGB)
    for actual, expected in zip((l, ab), color.rgb_to_l_ab(REAL_RGB), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(losses.rgb_to_lab(REAL_RGB), color.rgb_to_lab(REAL_RGB), atol=1e-3)


@pytest.mark.parametrize("rgb_of_grey", [0.0, 1.0])
def test_gradient_is_finite_at_the_ends_of_the_gamut(rgb_of_grey):
    l = jnp.full((1, 2, 2, 1), 2.0 * rgb_of_grey - 1.0)
    gradient = jax.grad(lambda ab: jnp.sum(losses.l_ab_to_rgb(l, ab)))(jnp.full((1, 2, 2, 2), 0.9))
    assert np.isfinite(gradient).all()


def test_metrics():
    real, fake = 255.0 * REAL_RGB, 255.0 * FAKE_RGB
    np.testing.assert_allclose(losses.colorfulness(fake), metrics.colorfulness(fake), rtol=1e-5)
    labs = [color.rgb_to_lab(rgb / 255.0) for rgb in (real, fake)]
    expected = metrics.ciede2000(*labs)
    np.testing.assert_allclose(losses.ciede2000(*(lab.numpy() for lab in labs)), expected, rtol=1e-3, atol=1e-3)


def test_areas_are_squares():
    x = jnp.arange(16.0).reshape(1, 2, 4, 2)
    np.testing.assert_array_equal(losses.area_means(x, 2), [[[[5.0, 6.0], [9.0, 10.0]]]])
