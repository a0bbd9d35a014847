"""How good the automatic colours are, on the device: a quick look during training, not the protocol of `evaluate`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from colorization.jax_training import augment, losses
from colorization.jax_training.networks import Networks, Weights
from colorization.jax_training.photos import PhotoArray

Array = jax.Array

BATCH_SIZE = 32


class Validation:
    """Squares from the middle of photos, resized, that the averaged generator colours."""

    def __init__(self, networks: Networks, photos: PhotoArray, *, image_size: int):
        """Puts the photos on the device.

        Args:
          networks: what is measured.
          photos: left out are those that don't fill the last batch of BATCH_SIZE.
          image_size: side of the squares, px.

        Raises:
          ValueError: there are fewer photos than a batch has.
        """
        num = len(photos.sizes) // BATCH_SIZE * BATCH_SIZE
        if not num:
            raise ValueError(f"{len(photos.sizes)} photos for validation: at least {BATCH_SIZE} are needed")
        shape = (-1, BATCH_SIZE)
        self._canvases = photos.canvases[:num].reshape(*shape, *photos.canvases.shape[1:])
        self._sizes = photos.sizes[:num].reshape(*shape, 2)
        self._measure = jax.jit(functools.partial(_measure, networks, image_size))

    def run(self, weights: Weights, fixed: Weights) -> dict[str, float]:
        """Means over photos.

        Returns:
          `psnr`, dB; `ciede2000`; `colorfulness`; the same with `grey_` before them, of grey; `real_colorfulness`.
        """
        batches = zip(self._canvases, self._sizes, strict=True)
        values = [self._measure(weights, fixed, canvases, sizes) for canvases, sizes in batches]
        return {name: float(np.mean([value[name] for value in values])) for name in values[0]}


def _measure(networks: Networks, size: int, weights: Weights, fixed: Weights, canvases: Array, sizes: Array):
    l, ab = losses.rgb_to_l_ab(augment.crop_centre(canvases, sizes, size=size))
    z, hints = jnp.zeros((l.shape[0], networks.z_dim)), jnp.zeros((*l.shape[:3], 3))
    fake_ab = networks.generate(weights, fixed, l, z, hints)
    real, fake, grey = (_to_levels(losses.l_ab_to_rgb(l, x)) for x in (ab, fake_ab, jnp.zeros_like(ab)))
    return {
        "psnr": _psnr(real, fake),
        "grey_psnr": _psnr(real, grey),
        "ciede2000": _mean_ciede2000(real, fake),
        "grey_ciede2000": _mean_ciede2000(real, grey),
        "colorfulness": jnp.mean(losses.colorfulness(fake)),
        "real_colorfulness": jnp.mean(losses.colorfulness(real)),
    }


def _to_levels(rgb: Array) -> Array:
    return jnp.round(rgb * 255.0)


def _psnr(real: Array, fake: Array) -> Array:
    error = jnp.mean(jnp.square(real - fake), axis=(1, 2, 3))
    return jnp.mean(10.0 * jnp.log10(255.0**2 / jnp.maximum(error, 1e-6)))


def _mean_ciede2000(real: Array, fake: Array) -> Array:
    real_lab, fake_lab = (losses.rgb_to_lab(rgb / 255.0) for rgb in (real, fake))
    return jnp.mean(losses.ciede2000(real_lab, fake_lab))
