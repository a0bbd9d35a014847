"""Losses against values worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from colorization.training import losses


def chroma(*pixels: tuple[float, float]) -> tf.Tensor:
    """One photo of one row, from ab in CIE units."""
    return tf.constant([[pixels]], tf.float32) / 110.0


def test_chroma_loss_is_quadratic_below_20_ab_units_and_linear_above():
    for error, expected in [(0.0, 0.0), (10.0, 0.125), (20.0, 0.5), (60.0, 2.5)]:
        loss = losses.chroma_loss(chroma((0, 0)), chroma((error, 0)), saturation_weight=0.0)
        assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_chroma_loss_adds_a_and_b():
    loss = losses.chroma_loss(chroma((0, 0)), chroma((10, -20)), saturation_weight=0.0)
    assert float(loss) == pytest.approx(0.625, abs=1e-5)


def test_vivid_pixels_weigh_more():
    real = chroma((0, 0), (0, 110))  # weights 1 and 1 + 3
    grey_wrong = losses.chroma_loss(real, chroma((20, 0), (0, 110)), saturation_weight=3.0)
    vivid_wrong = losses.chroma_loss(real, chroma((0, 0), (20, 110)), saturation_weight=3.0)
    assert float(grey_wrong) == pytest.approx(0.5 * 1 / 5, abs=1e-5)
    assert float(vivid_wrong) == pytest.approx(0.5 * 4 / 5, abs=1e-5)


def test_chroma_loss_has_finite_gradients_at_grey():
    fake = tf.Variable(tf.zeros((1, 4, 4, 2)))
    with tf.GradientTape() as tape:
        loss = losses.chroma_loss(tf.zeros((1, 4, 4, 2)), fake, saturation_weight=3.0)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def test_hinge_losses():
    real, fake = tf.constant([2.0, 0.5]), tf.constant([-3.0, 0.0])
    assert float(losses.hinge_discriminator_loss(real, fake)) == pytest.approx(0.25 + 0.5)
    assert float(losses.hinge_generator_loss(fake)) == pytest.approx(1.5)


def test_kl_of_the_prior_is_zero_and_of_others_known():
    assert float(losses.kl_loss(tf.zeros((3, 4)), tf.zeros((3, 4)))) == 0.0
    # KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - ln s, per dimension.
    loss = losses.kl_loss(tf.fill((3, 4), 2.0), tf.fill((3, 4), math.log(9.0)))
    assert float(loss) == pytest.approx(4 * ((9 + 4 - 1) / 2 - math.log(3.0)), rel=1e-5)
