"""Stand-ins for `networks.Networks` in plain JAX: quick to compile, and of known output."""

import jax
import jax.numpy as jnp

from colorization.jax_training.trainer import Recipe

RECIPE = Recipe(
    image_size=32,
    batch_size=8,
    min_area=0.5,
    aged_share=0.0,  # it takes longest to compile
    noise_share=0.25,
    hint_share=0.5,
    recoloured_share=0.5,
    max_steps=20,
    warm_up_steps=2,
    learning_rate=0.02,
    encoder_rate_factor=0.5,
    weight_decay=0.0,
    clip_norm=10.0,
    ema_decay=0.5,
    seed=3,
)


class TinyNetworks:
    """ab = scale * (bias + mood * z + 0.5 * hinted colour); the mean of z is gain * mean(ab), its log variance -4."""

    z_dim = 2

    def __init__(self, bias=(0.0, 0.0)):
        self.bias = jnp.array(bias, jnp.float32)

    def read_weights(self):
        trained = {"generator/bias": self.bias, "generator/mood": jnp.array(1.0), "encoder/scale": jnp.array(1.0)}
        return trained, {"noise_encoder/gain": jnp.array(2.0)}

    def encoder_names(self) -> set[str]:
        return {"encoder/scale"}

    def generate(self, trained, fixed, l, z, hints) -> jax.Array:
        del fixed
        ab = trained["generator/bias"] + trained["generator/mood"] * z[:, None, None] + 0.5 * hints[..., :2]
        return trained["encoder/scale"] * ab + 0.0 * l

    def encode(self, trained, fixed, l, ab) -> tuple[jax.Array, jax.Array]:
        del trained, l
        mean = fixed["noise_encoder/gain"] * jnp.mean(ab, axis=(1, 2))
        return mean, jnp.full_like(mean, -4.0)
