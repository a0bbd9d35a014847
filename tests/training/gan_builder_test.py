"""Flags -> what is trained."""

import keras
import numpy as np
import pytest

from colorization.training import gan_builder
from tests.training.tiny_gan import make_photos

FLAGS = {
    "generator": "pix2pix_unet",
    "pretrained_encoder": False,
    "init_model_dir": None,
    "encoder_weights": "none",
    "frozen_until": 5,
    "z_dim": 3,
    "chroma_loss": "log",
    "ciede2000_weight": 0.5,
    "saturation_weight": 1.0,
    "kl_weight": 0.1,
    "adversarial_weight": 0.0,
    "classification_weight": 0.0,
    "perceptual_weight": 0.0,
    "perceptual_encoder_weights": "imagenet",
    "colorfulness_weight": 0.3,
    "colorfulness_margin": 4.0,
    "overshoot_weight": 0.25,
    "unevenness_weight": 0.75,
    "restraint_quantile": 0.0,
    "restraint_weight": 0.0,
    "noise_fraction": 0.2,
    "hint_fraction": 0.4,
    "recoloured_fraction": 0.5,
    "ema_decay": 0.9,
    "clip_norm": 7.0,
    "seed": 11,
    "image_size": 100,
    "max_steps": 100,
    "learning_rate": 0.1,
    "encoder_rate_factor": 0.5,
    "discriminator_learning_rate": 0.01,
    "beta_1": 0.8,
    "weight_decay": 0.02,
    "jit_compile": False,
}


@pytest.fixture(scope="module")
def gan():
    return gan_builder.build_gan(FLAGS)


def test_flags_arrive(gan):
    assert gan.generator.name == "pix2pix_unet" and gan.generator.inputs[1].shape[-1] == 3
    assert gan.discriminator is None
    weights = gan.loss_weights
    assert (weights.chroma_kind, weights.saturation, weights.kl, weights.colorfulness) == ("log", 1.0, 0.1, 0.3)
    assert (weights.ciede2000, weights.colorfulness_margin, weights.overshoot) == (0.5, 4.0, 0.25)
    assert weights.unevenness == 0.75
    assert (gan.noise_fraction, gan.hint_fraction, gan.recoloured_fraction) == (0.2, 0.4, 0.5)
    assert (gan.ema_decay, gan.clip_norm, gan.noise_seed) == (0.9, 7.0, 11)
    assert (gan.decoder_optimizer.beta_1, gan.decoder_optimizer.weight_decay) == (0.8, 0.02)


def test_the_rate_rises_over_a_tenth_of_the_steps_and_falls_to_zero(gan):
    rate = gan.decoder_optimizer._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10, 55, 100)] == pytest.approx([0.0, 0.05, 0.1, 0.05, 0.0], abs=1e-6)
    assert float(gan.encoder_optimizer._learning_rate(10)) == pytest.approx(0.05)


def test_the_discriminator_comes_with_the_adversarial_weight():
    gan = gan_builder.build_gan(FLAGS | {"adversarial_weight": 0.1})
    assert isinstance(gan.discriminator, keras.Model)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(0.01)


def test_weights_that_are_not_there_are_named():
    flags = FLAGS | {"generator": "mobilenet_unet", "pretrained_encoder": True, "encoder_weights": "gone.weights.h5"}
    with pytest.raises(ValueError, match="gone.weights.h5"):
        gan_builder.build_gan(flags)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init_model_dir": None}, "--init_model_dir"),
        ({"adversarial_weight": 0.1}, "no --adversarial_weight"),
        ({"restraint_quantile": 0.0, "restraint_weight": 1.0}, "--restraint_weight needs"),
        ({"image_size": 100}, "--image_size=100: with --restraint_quantile"),
        ({"image_size": 100, "restraint_quantile": 0.0, "classification_weight": 1.0}, "with --classification_weight"),
    ],
)
def test_flags_that_do_not_go_together_are_named(changes, message):
    own = {"pretrained_encoder": True, "init_model_dir": "models", "restraint_quantile": 0.3, "image_size": 64}
    with pytest.raises(ValueError, match=message):
        gan_builder.build_gan(FLAGS | own | changes)


def test_only_the_restraint_is_trained():
    own = {"generator": "mobilenet_unet", "pretrained_encoder": True, "init_model_dir": "models", "image_size": 64}
    gan = gan_builder.build_gan(FLAGS | own | {"restraint_quantile": 0.3})
    names = [variable.path for variable in gan.decoder_variables]
    assert names and all(name.startswith("restraint_") for name in names)
    assert gan.encoder_variables == [] and gan.loss_weights.restraint_quantile == 0.3


def test_with_a_weight_restraint_is_trained_beside_all_else():
    own = {"generator": "mobilenet_unet", "pretrained_encoder": True, "init_model_dir": "models", "image_size": 64}
    gan = gan_builder.build_gan(FLAGS | own | {"restraint_quantile": 0.2, "restraint_weight": 0.5})
    names = {variable.path for variable in gan.decoder_variables}
    assert {"restraint_sure/kernel", "half_ab/kernel", "mean/kernel"} <= names
    assert gan.encoder_variables and gan.loss_weights.restraint == 0.5


def test_restraint_with_a_weight_learns_beside_a_discriminator():
    own = {"generator": "mobilenet_unet", "pretrained_encoder": True, "init_model_dir": "models", "image_size": 64}
    losses = {"restraint_quantile": 0.3, "restraint_weight": 0.5, "adversarial_weight": 0.1}
    gan = gan_builder.build_gan(FLAGS | own | losses)
    gan.generator.get_layer("half_ab").bias.assign([0.3, 0.1])  # untrained, it paints nothing that could be restrained
    learning = {
        "restraint_sure/bias": gan.decoder_variables,
        "half_ab/bias": gan.decoder_variables,
        gan.discriminator.trainable_variables[0].path: gan.discriminator.trainable_variables,
    }
    before = {path: _value(path, variables) for path, variables in learning.items()}
    for _ in range(2):  # the rate of the first step is 0
        values = gan.train_step(make_photos())
    assert {"restraint_loss", "adversarial_loss", "discriminator_loss"} <= set(values)
    assert all(np.isfinite(float(value)) for value in values.values()) and float(values["restraint_loss"]) > 0.0
    assert all((_value(path, variables) != before[path]).any() for path, variables in learning.items())


def _value(path, variables):
    return next(variable for variable in variables if variable.path == path).numpy()
