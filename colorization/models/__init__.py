"""Networks as Keras functional models. Only Keras is imported here, so every Keras backend can run them."""

from collections.abc import Callable

import keras

from colorization.models.mobilenet_unet import build_mobilenet_unet
from colorization.models.noise_encoder import build_noise_encoder
from colorization.models.patch_gan import build_patch_gan
from colorization.models.pix2pix_unet import build_pix2pix_unet

GENERATORS: dict[str, Callable[..., keras.Model]] = {
    "mobilenet_unet": build_mobilenet_unet,
    "pix2pix_unet": build_pix2pix_unet,
}

__all__ = [
    "GENERATORS",
    "build_generator",
    "build_mobilenet_unet",
    "build_noise_encoder",
    "build_patch_gan",
    "build_pix2pix_unet",
]


def build_generator(name: str, *, z_dim: int, encoder_weights: str | None = None) -> keras.Model:
    """Builds a generator by name.

    Args:
      name: a key of `GENERATORS`.
      z_dim: length of the noise vector.
      encoder_weights: "imagenet", a path to weights, or None; only a generator with an encoder takes them.

    Returns:
      A model with inputs `l` (B, H, W, 1) in [-1, 1], `z` (B, z_dim) and `hints` (B, H, W, 3), output `ab`
      (B, H, W, 2) float32.

    Raises:
      ValueError: if the name is unknown, or weights are given for a generator without an encoder.
    """
    if name not in GENERATORS:
        raise ValueError(f"unknown generator {name!r}; choose from {', '.join(sorted(GENERATORS))}")
    if name == "mobilenet_unet":
        return build_mobilenet_unet(z_dim=z_dim, encoder_weights=encoder_weights)
    if encoder_weights is not None:
        raise ValueError(f"generator {name!r} has no pretrained encoder; leave encoder_weights unset")
    return build_pix2pix_unet(z_dim=z_dim)
