"""Colour hints drawn from the true colours of training photos; what `training/hint_sampling.py` does in TensorFlow.

Paper: Real-Time User-Guided Image Colorization with Learned Deep Priors, Zhang et al. 2017 (arXiv:1705.02999).
"""

import math

import jax
import jax.numpy as jnp

Array = jax.Array

MAX_POINTS = 32
_POINT_PROBABILITY = 0.125  # of the geometric distribution of the number of points: 8 on average
_MAX_RADIUS = 4  # px: a hint covers a square of 1 to 9 px
# What counts as the object of a point: standard deviations, of colour in units of ab (11 CIE units), of lightness in
# units of l (15 L*), and of distance in sides of the photo (one drawn per photo).
_OBJECT_AB, _OBJECT_L, _OBJECT_SIZE = 0.1, 0.3, (0.05, 0.4)


def sample_hints(key: Array, l: Array, ab: Array, *, recoloured_share: float) -> tuple[Array, Array]:
    """Draws points of each photo and shows their colour; before that, gives an object of some photos another colour.

    Each photo gets 1 to MAX_POINTS squares of 1 to 9 px; the centres are normally distributed about the middle; each
    square shows its mean colour, and where squares overlap, these are averaged. In a recoloured photo, what lies near
    the first point and has its colour and lightness gets a random colour.

    Args:
      key: of the draws.
      l: float32 (B, H, W, 1) in [-1, 1].
      ab: float32 (B, H, W, 2) in [-1, 1].
      recoloured_share: probability of being recoloured, in [0, 1].

    Returns:
      hints: float32 (B, H, W, 3): ab where the mask, the third channel, is 1; else 0.
      ab: float32 (B, H, W, 2), the photos that the hints speak of.
    """
    batch, height, width, _ = ab.shape
    keys = jax.random.split(key, 5)
    y, x = (
        jnp.clip((size * (0.5 + 0.25 * jax.random.normal(k, (batch, MAX_POINTS)))).astype(int), 0, size - 1)
        for k, size in zip(keys[:2], (height, width), strict=True)
    )
    ab = _recolour_objects(keys[2], l, ab, y[:, 0], x[:, 0], recoloured_share)
    uniform = jax.random.uniform(keys[3], (batch, 1), minval=1e-6)
    number = 1.0 + jnp.floor(jnp.log(uniform) / math.log(1.0 - _POINT_PROBABILITY))
    shown = (jnp.arange(MAX_POINTS) < number).astype(jnp.float32)  # (B, K)
    radius = jax.random.randint(keys[4], (batch, MAX_POINTS), 0, _MAX_RADIUS + 1)
    rows = _span(y, radius, height) * shown[..., None]  # (B, K, H)
    columns = _span(x, radius, width)  # (B, K, W)
    with jax.default_matmul_precision("highest"):
        total = jnp.einsum("bkw,bkwc->bkc", columns, jnp.einsum("bkh,bhwc->bkwc", rows, ab))
        num_pixels = jnp.sum(rows, axis=-1) * jnp.sum(columns, axis=-1)  # (B, K)
        colours = total / jnp.maximum(num_pixels, 1.0)[..., None]  # (B, K, 2)
        covered = jnp.concatenate([colours, jnp.ones_like(colours[..., :1])], axis=-1)  # (B, K, 3)
        sums = jnp.einsum("bkh,bkwc->bhwc", rows, columns[..., None] * covered[:, :, None])
    return sums / jnp.maximum(sums[..., 2:], 1.0), ab


def _recolour_objects(key: Array, l: Array, ab: Array, y: Array, x: Array, share: float) -> Array:
    """Shifts what is like the pixel at (y, x), (B,) each, to a random colour; the shift fades with the difference."""
    batch, height, width, _ = ab.shape
    keys = jax.random.split(key, 4)

    def draw(i: int, low: float, high: float) -> Array:
        return jax.random.uniform(keys[i], (batch, 1, 1), minval=low, maxval=high)

    photo = jnp.arange(batch)
    colour, lightness = (v[photo, y, x][:, None, None] for v in (ab, l))
    angle, chroma = draw(0, 0.0, 2.0 * math.pi), draw(1, 0.1, 0.6)
    other = jnp.stack([chroma * jnp.cos(angle), chroma * jnp.sin(angle)], axis=-1)
    size = min(height, width) * draw(2, *_OBJECT_SIZE)
    rows = (jnp.arange(height) - y[:, None])[:, :, None] / size  # (B, H, 1)
    columns = (jnp.arange(width) - x[:, None])[:, None] / size  # (B, 1, W)
    distance = jnp.sum(jnp.square((ab - colour) / _OBJECT_AB), axis=-1)
    distance += jnp.square((l - lightness)[..., 0] / _OBJECT_L) + jnp.square(rows) + jnp.square(columns)
    chosen = draw(3, 0.0, 1.0)[..., None] < share
    return ab + jnp.where(chosen, jnp.exp(-0.5 * distance)[..., None] * (other - colour), 0.0)


def _span(centre: Array, radius: Array, size: int) -> Array:
    """1 within `radius` of `centre`, (B, K) each, else 0: float32 (B, K, size)."""
    distance = jnp.abs(jnp.arange(size) - centre[..., None])
    return (distance <= radius[..., None]).astype(jnp.float32)
