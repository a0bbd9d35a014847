"""The weighted sum of losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.training import losses
from colorization.training.batch_roles import Roles
from colorization.training.objective import LossWeights, Objective
from tests.training.tiny_gan import make_photos


def build_encoder() -> keras.Model:
    """Three-channel image -> five feature maps."""
    image = keras.Input((None, None, 3))
    taps = [keras.layers.AveragePooling2D(2**i)(image) for i in range(5)]
    return keras.Model(image, taps)


def roles(num_automatic: int) -> Roles:
    """Of four photos, of which the last ones are automatic."""
    automatic = tf.range(4) >= 4 - num_automatic
    return Roles(~automatic, ~automatic, automatic, num_noisy=4 - num_automatic, num_automatic=num_automatic)


def means_of_squares(x: tf.Tensor) -> tf.Tensor:
    """Of 2 x 2 pixels."""
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4.0


def test_only_weighted_losses_are_computed():
    l, ab = make_photos()
    values, total = Objective(LossWeights(), classifier=None, encoder=None).compute(l, ab, 0.5 * ab, [], roles(4))
    assert set(values) == {"chroma_loss"}
    assert float(total) == float(losses.chroma_loss(ab, 0.5 * ab, saturation_weight=3.0))


def test_the_sum_is_weighted():
    weights = LossWeights(
        chroma_kind="l1",
        saturation=1.0,
        classification=0.5,
        perceptual=2.0,
        colorfulness=4.0,
        colorfulness_margin=2.0,
        ciede2000=8.0,
        overshoot=16.0,
        unevenness=32.0,
    )
    classifier, encoder = keras.layers.Dense(losses.NUM_AB_CLASSES), build_encoder()
    objective = Objective(weights, classifier=classifier, encoder=encoder)
    l, ab = make_photos()
    features = tf.random.stateless_normal((4, 4, 4, 6), (1, 2))
    values, total = objective.compute(l, ab, 0.5 * ab, [features], roles(3))
    assert list(values) == objective.loss_names()
    real_rgb, fake_rgb = color.l_ab_to_rgb(l, ab), color.l_ab_to_rgb(l, 0.5 * ab)
    half_l, half_ab = means_of_squares(l), means_of_squares(ab)
    half_rgbs = color.l_ab_to_rgb(half_l, half_ab)[1:], color.l_ab_to_rgb(half_l, 0.5 * half_ab)[1:]
    expected = {
        "chroma_loss": losses.chroma_loss(ab, 0.5 * ab, saturation_weight=1.0, kind="l1"),
        "classification_loss": losses.classification_loss(ab, classifier(features), saturation_weight=1.0),
        "perceptual_loss": losses.perceptual_loss(encoder(2 * real_rgb - 1)[1:4], encoder(2 * fake_rgb - 1)[1:4]),
        "colorfulness_loss": losses.colorfulness_loss(*half_rgbs, margin=2.0),
        "ciede2000_loss": losses.ciede2000_loss(half_l, half_ab, 0.5 * half_ab),
        "overshoot_loss": losses.overshoot_loss(ab, 0.5 * ab),
        "unevenness_loss": losses.unevenness_loss(ab, 0.5 * ab),
    }
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(float(value), rel=1e-5), name
    summed = sum(factor * float(expected[name]) for factor, name in zip((1, 0.5, 2, 4, 8, 16, 32), values, strict=True))
    assert float(total) == pytest.approx(summed, rel=1e-5)


def test_log_rgb_is_measured_in_rgb():
    objective = Objective(LossWeights(chroma_kind="log_rgb", saturation=0.0), classifier=None, encoder=None)
    l, ab = make_photos()
    values, total = objective.compute(l, ab, 0.5 * ab, [], roles(4))
    l, ab = means_of_squares(l), means_of_squares(ab)
    expected = losses.rgb_loss(color.l_ab_to_rgb(l, ab), color.l_ab_to_rgb(l, 0.5 * ab))
    assert float(total) == float(values["chroma_loss"]) == pytest.approx(float(expected), rel=1e-6) and expected > 0.0


def test_log_rgb_takes_no_saturation_weight():
    with pytest.raises(ValueError, match="saturation weight of 0"):
        Objective(LossWeights(chroma_kind="log_rgb", saturation=3.0), classifier=None, encoder=None)


def test_gradients_reach_the_result_and_are_finite():
    weights = LossWeights(perceptual=1.0, colorfulness=1.0)
    objective = Objective(weights, classifier=None, encoder=build_encoder())
    l, ab = make_photos()
    fake = tf.Variable(tf.zeros_like(ab))
    with tf.GradientTape() as tape:
        _, total = objective.compute(l, ab, fake, [], roles(4))
    gradient = tape.gradient(total, fake).numpy()
    assert np.isfinite(gradient).all() and (gradient != 0).any()


@pytest.mark.parametrize("weights", [LossWeights(classification=1.0), LossWeights(perceptual=1.0)])
def test_a_loss_without_its_network_is_refused(weights):
    with pytest.raises(ValueError, match="needs"):
        Objective(weights, classifier=None, encoder=None)


def test_restraint_is_the_only_loss_where_it_is_taught():
    objective = Objective(LossWeights(restraint_quantile=0.3, ciede2000=1.0), classifier=None, encoder=None)
    l, ab = make_photos()
    painted, sure = 2.0 * means_of_squares(ab), tf.fill((4, 4, 4, 1), 0.1)
    values, total = objective.compute(l, ab, 0.5 * ab, [painted, sure], roles(4))
    assert objective.layer_names() == ["half_ab", "restraint_sure"]
    assert list(values) == objective.loss_names() == ["restraint_loss"]
    assert float(total) == float(losses.restraint_loss(ab, painted, sure, quantile=0.3))


def test_restraint_with_a_weight_is_taught_beside_the_other_losses():
    weights = LossWeights(chroma_kind="log", restraint=0.5, restraint_quantile=0.3, overshoot=2.0)
    objective = Objective(weights, classifier=None, encoder=None)
    l, ab = make_photos()
    painted, sure = 2.0 * means_of_squares(ab), tf.fill((4, 4, 4, 1), 0.1)
    with tf.GradientTape() as tape:
        tape.watch([painted, sure])
        values, total = objective.compute(l, ab, 0.5 * ab, [painted, sure], roles(4))
    assert list(values) == objective.loss_names() == ["chroma_loss", "restraint_loss", "overshoot_loss"]
    assert objective.layer_names() == ["half_ab", "restraint_sure"]
    expected = values["chroma_loss"] + 0.5 * values["restraint_loss"] + 2.0 * values["overshoot_loss"]
    assert float(total) == pytest.approx(float(expected), rel=1e-6)
    gradients = tape.gradient(total, [painted, sure])
    assert gradients[0] is None and float(tf.norm(gradients[1])) > 0.0
