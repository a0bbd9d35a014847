"""The step as a TPU needs it: XLA compiles all of it, in bfloat16, which it does only if nothing in it is for a host.

XLA refuses whatever runs on the host (Python, files, strings) and whatever has no static shape.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization import models
from colorization.training.colorization_gan import ColorizationGAN
from colorization.training.objective import LossWeights
from tests.training.tiny_gan import make_photos


@pytest.fixture
def bfloat16():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy("float32")


def build_generator() -> keras.Model:
    """The shipped architecture, narrow, and with an encoder that does not train: XLA takes long enough."""
    return models.build_mobilenet_unet(z_dim=2, folded=True, alpha=0.25, decoder_filters=(8,) * 4, frozen_until=12)


def build_gan() -> ColorizationGAN:
    """With the losses of the recipes."""
    keras.utils.set_random_seed(0)
    gan = ColorizationGAN(
        generator=build_generator(),
        ema_generator=build_generator(),
        noise_encoder=models.build_noise_encoder(z_dim=2, base_filters=4),
        discriminator=models.build_patch_gan(base_filters=4),
        loss_weights=LossWeights(chroma_kind="log", colorfulness=0.3, adversarial=0.1),
    )
    names = ("decoder_optimizer", "encoder_optimizer", "discriminator_optimizer")
    gan.compile(**{name: keras.optimizers.AdamW(1e-3) for name in names}, jit_compile=True)
    return gan


def test_compiled_by_xla_training_and_validation_do_what_they_do_without(bfloat16):
    compiled, plain = build_gan(), build_gan()
    photos = make_photos()
    data = tf.data.Dataset.from_tensors(photos)
    logs = compiled.fit(data, validation_data=data, verbose=0).history
    expected = plain.train_step(photos) | {f"val_{name}": value for name, value in plain.test_step(photos).items()}
    assert logs.keys() == expected.keys()
    for name in ("chroma_loss", "discriminator_loss", "val_chroma_loss", "val_psnr"):
        assert logs[name][0] == pytest.approx(float(expected[name]), rel=0.01), name
    assert compiled.steps_done == 1 and int(compiled.num_bad_steps_in_row) == 0
    for one, other in zip(compiled.generator.weights, plain.generator.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-3)


def test_a_step_that_asks_the_host_is_refused():
    """What the other test relies on."""

    @tf.function(jit_compile=True)
    def ask(value: tf.Tensor) -> tf.Tensor:
        return tf.py_function(lambda v: v + 1.0, [value], tf.float32)

    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)):
        ask(tf.constant(1.0))
