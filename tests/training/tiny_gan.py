"""A colorization GAN small enough to train in a test."""

import keras
import tensorflow as tf

from colorization import models
from colorization.training.colorization_gan import ColorizationGAN
from colorization.training.objective import LossWeights

Z_DIM = 2


def build_tiny_gan(
    *, adversarial: bool = True, rate: float = 1e-2, seed: int = 0, weights: dict | None = None, **changes
) -> ColorizationGAN:
    """Builds and compiles it; the generator is a pix2pix U-Net of three stages; `weights` are of losses."""
    keras.utils.set_random_seed(seed)

    def build() -> keras.Model:
        return models.build_pix2pix_unet(z_dim=Z_DIM, base_filters=4, num_stages=3)

    gan = ColorizationGAN(
        generator=build(),
        ema_generator=build(),
        noise_encoder=models.build_noise_encoder(z_dim=Z_DIM, base_filters=4),
        discriminator=models.build_patch_gan(base_filters=4) if adversarial else None,
        loss_weights=LossWeights(adversarial=0.1 if adversarial else 0.0, **(weights or {})),
        seed=seed,
        **changes,
    )
    gan.compile(
        decoder_optimizer=keras.optimizers.AdamW(rate),
        encoder_optimizer=keras.optimizers.AdamW(rate),
        discriminator_optimizer=keras.optimizers.Adam(rate) if adversarial else None,
        jit_compile=False,
    )
    return gan


def make_photos(num: int = 4, *, value: float | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Photos whose chroma follows from their lightness, or is `value` everywhere."""
    l = tf.random.stateless_uniform((num, 32, 32, 1), (1, 2), -1.0, 1.0)
    ab = tf.concat([0.5 * l, -0.3 * l], axis=-1) if value is None else tf.fill((num, 32, 32, 2), value)
    return l, ab
