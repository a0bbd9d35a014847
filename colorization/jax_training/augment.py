"""Crops and ageing of training photos, on the device; what `data/augment.py` does in TensorFlow.

Every function takes its randomness as a JAX key: the same key gives the same result.
"""

import math

import jax
import jax.numpy as jnp

Array = jax.Array


def crop_and_flip(key: Array, canvases: Array, sizes: Array, *, size: int, min_area: float) -> Array:
    """Takes a random, nearly square rectangle of each photo, resizes it to a square and flips half of them.

    Args:
      key: of the draws.
      canvases: uint8 (B, C, C, 3), each with a photo in its upper left corner.
      sizes: int32 (B, 2), height and width of those.
      size: S, side of the result in pixels.
      min_area: smallest part of a photo's area that is taken, in (0, 1].

    Returns:
      rgb: float32 (B, S, S, 3) in [0, 1].
    """
    keys = jax.random.split(key, 5)
    height, width = sizes[:, 0].astype(jnp.float32), sizes[:, 1].astype(jnp.float32)

    def draw(i: int, low: float = 0.0, high: float = 1.0) -> Array:
        return jax.random.uniform(keys[i], height.shape, minval=low, maxval=high)

    area, aspect = draw(0, min_area, 1.0) * height * width, draw(1, 0.8, 1.25)
    crop_height = jnp.minimum(jnp.sqrt(area / aspect), height)
    crop_width = jnp.minimum(jnp.sqrt(area * aspect), width)
    top, left = draw(2) * (height - crop_height), draw(3) * (width - crop_width)
    flipped = draw(4) < 0.5
    return _resize(canvases, sizes, (top, left), (crop_height, crop_width), size, flipped)


def crop_centre(canvases: Array, sizes: Array, *, size: int) -> Array:
    """Takes the largest square from the middle of each photo and resizes it; shapes as for `crop_and_flip`."""
    side = jnp.min(sizes, axis=1).astype(jnp.float32)
    top, left = ((sizes[:, axis] - side) / 2.0 for axis in (0, 1))
    return _resize(canvases, sizes, (top, left), (side, side), size, jnp.zeros(side.shape, bool))


def _resize(
    canvases: Array, sizes: Array, start: tuple[Array, Array], extent: tuple[Array, Array], size: int, flipped: Array
) -> Array:
    """Resizes rectangles of the photos, given in pixels (B,), to float32 (B, size, size, 3) in [0, 1]."""
    rows, columns = (
        _resize_weights(start[i], extent[i], sizes[:, i].astype(jnp.float32), canvases.shape[i + 1], size)
        for i in (0, 1)
    )
    columns = jnp.where(flipped[:, None, None], columns[:, ::-1], columns)
    with jax.default_matmul_precision("highest"):
        rgb = jnp.einsum("bsh,bhwc->bswc", rows, canvases.astype(jnp.float32))
        rgb = jnp.einsum("btw,bswc->bstc", columns, rgb)
    return jnp.clip(rgb / 255.0, 0.0, 1.0)


def _resize_weights(start: Array, extent: Array, end: Array, num_inputs: int, size: int) -> Array:
    """Bilinear weights, antialiased where they shrink, of a stretch of an axis: float32 (B, size, num_inputs)."""
    scale = (extent / size)[:, None, None]
    centre = start[:, None, None] + (jnp.arange(size)[None, :, None] + 0.5) * scale - 0.5
    centre = jnp.clip(centre, 0.0, end[:, None, None] - 1.0)
    position = jnp.arange(num_inputs)[None, None, :]
    weights = jnp.maximum(0.0, 1.0 - jnp.abs(position - centre) / jnp.maximum(scale, 1.0))
    weights = jnp.where(position < end[:, None, None], weights, 0.0)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def age_lightness(key: Array, l: Array) -> Array:
    """Ages the lightness of all photos: gamma and fading; half of the time each, blur and grain; half of them damage.

    The first half may also have been printed in a newspaper, have lost most of their contrast, have faded unevenly and
    been scratched: each with the probability that `_DAMAGES` gives it. See `data/augment.py`.

    Args:
      key: of the draws.
      l: float32 (B, S, S, 1) in [-1, 1].

    Returns:
      float32 (B, S, S, 1) in [-1, 1].
    """
    keys = jax.random.split(key, 10)

    def draw(i: int, low: float = 0.0, high: float = 1.0) -> Array:
        return jax.random.uniform(keys[i], (l.shape[0], 1, 1, 1), minval=low, maxval=high)

    value = jnp.power((l + 1.0) / 2.0, jnp.exp(draw(0, -0.5, 0.5)))
    value += jnp.round(draw(1)) * draw(2, 0.3, 1.0) * (_blur(_blur(value)) - value)
    half = l.shape[0] // 2
    value = jnp.concatenate([_damage(keys[3], value[:half]), value[half:]])
    black, white = draw(4, 0.0, 0.2), draw(5, 0.75, 1.0)
    value = black + (white - black) * value
    value += jnp.round(draw(6)) * draw(7, 0.0, 0.08) * _draw_grain(keys[8], value, draw(9))
    return jnp.clip(value, 0.0, 1.0) * 2.0 - 1.0


def _draw_grain(key: Array, value: Array, coarseness: Array) -> Array:
    """Normal noise like (B, H, W, 1): of single pixels at a coarseness of 0, of spots of 2 to 3 px at 1."""
    fine = jax.random.normal(key, value.shape)
    return fine + coarseness * (_blur(fine) / _BLURRED_NOISE - fine)


def _damage(key: Array, value: Array) -> Array:
    """Does each of `_DAMAGES`, in that order, to a random part of the photos: (B, H, W, 1) in [0, 1]."""
    for i, (probability, damage) in enumerate(_DAMAGES):
        chosen, damage_key = jax.random.split(jax.random.fold_in(key, i))
        there = jax.random.uniform(chosen, (value.shape[0], 1, 1, 1)) < probability
        value = jnp.where(there, damage(damage_key, value), value)
    return value


def _print_halftone(key: Array, value: Array) -> Array:
    """Prints with the dot screen of a newspaper: a square grid of 2 to 5 px at any angle, softened by the scan."""
    y, x = _pixel_grid(value)
    period, angle, hardness, strength = _draw(key, value, (2.0, 5.0), (0.0, math.pi / 2), (4.0, 8.0), (0.2, 1.0))
    cos, sin = (2.0 * math.pi / period * part for part in (jnp.cos(angle), jnp.sin(angle)))
    screen = 0.5 + 0.25 * (jnp.cos(cos * x + sin * y) + jnp.cos(cos * y - sin * x))
    return value + strength * (jax.nn.sigmoid(hardness * (value - screen)) - value)


def _lower_contrast(key: Array, value: Array) -> Array:
    """Leaves 25 to 70 % of the contrast, around a grey of 0.2 to 0.9."""
    contrast, grey = _draw(key, value, (0.25, 0.7), (0.2, 0.9))
    return grey + contrast * (value - grey)


def _fade_unevenly(key: Array, value: Array) -> Array:
    """Darkens towards the edges, and bleaches or soils large soft patches."""
    draws, patch_key = jax.random.split(key)
    y, x = _pixel_grid(value)
    batch, height, width, _ = value.shape
    middle_y, middle_x, vignette, strength = _draw(draws, value, (0.3, 0.7), (0.3, 0.7), (0.0, 0.6), (0.0, 0.4))
    distance2 = (y / height - middle_y) ** 2 + (x / width - middle_x) ** 2  # below 1
    patches = jax.random.uniform(patch_key, (batch, 4, 4, 1), minval=-1.0, maxval=1.0)
    patches = jax.image.resize(patches, value.shape, "bilinear")
    value = value * (1.0 - vignette * distance2)
    return value + strength * jnp.abs(patches) * (jnp.where(patches > 0.0, 0.9, 0.15) - value)


def _scratch(key: Array, value: Array) -> Array:
    """Draws up to 5 thin, nearly vertical lines and up to 6 specks of dust."""
    lines, dust = jax.random.split(key)
    height = value.shape[1]
    strokes = _draw_strokes(lines, value, 5, length=(0.2 * height, 1.5 * height), thickness=(1.0, 1.6), slope=0.06)
    strokes += _draw_strokes(dust, value, 6, length=(1.0, 4.0), thickness=(1.0, 4.0), slope=0.5)
    return jnp.clip(value + strokes, 0.0, 1.0)


def _draw_strokes(
    key: Array, value: Array, num: int, *, length: tuple[float, float], thickness: tuple[float, float], slope: float
) -> Array:
    """What to add to `value` (B, H, W, 1) for up to `num` strokes, light or dark: float32 of its shape.

    Args:
      key: of the draws.
      value: only its shape matters.
      num: K, the most strokes of a photo.
      length: smallest and largest, px downwards.
      thickness: smallest and largest, px to the right, at least 1.
      slope: largest, px to the right or left for each px downwards.
    """
    batch, height, width, _ = value.shape
    drawn = jax.random.uniform(key, (7, batch, 1, 1, num))
    y, x = _pixel_grid(value)
    length, thickness = (low + (high - low) * u for (low, high), u in ((length, drawn[0]), (thickness, drawn[1])))
    away_y = y - height * drawn[2]  # (B, H, 1, K)
    away_x = x - (width * drawn[3] + slope * (2.0 * drawn[4] - 1.0) * away_y)  # (B, H, W, K)
    there = jnp.round(drawn[5]) * (jnp.sign(drawn[6] - 0.5) * 0.25 + 1.3 * (drawn[6] - 0.5))  # 0, or 0.25 to 0.9 off 0
    there = there * jnp.clip((length + 1.0) / 2.0 - jnp.abs(away_y), 0.0, 1.0)
    return jnp.sum(there * jnp.clip((thickness + 1.0) / 2.0 - jnp.abs(away_x), 0.0, 1.0), axis=-1, keepdims=True)


def _draw(key: Array, value: Array, *bounds: tuple[float, float]) -> list[Array]:
    """One number per photo of `value` and pair of bounds: (B, 1, 1, 1) each."""
    drawn = jax.random.uniform(key, (len(bounds), value.shape[0], 1, 1, 1))
    return [low + (high - low) * drawn[i] for i, (low, high) in enumerate(bounds)]


def _pixel_grid(value: Array) -> tuple[Array, Array]:
    """Row and column numbers of (B, H, W, 1): float32 (1, H, 1, 1) and (1, 1, W, 1)."""
    _, height, width, _ = value.shape
    return jnp.arange(height, dtype=jnp.float32)[None, :, None, None], jnp.arange(width, dtype=jnp.float32)[
        None, None, :, None
    ]


def _blur(value: Array) -> Array:
    """Blurs (B, H, W, 1) with a 5x5 binomial kernel (sigma 1 pixel), edges mirrored."""
    height, width = value.shape[1:3]
    padded = jnp.pad(value, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="symmetric")
    row = [w / 16.0 for w in (1.0, 4.0, 6.0, 4.0, 1.0)]
    vertical = sum(w * padded[:, i : i + height] for i, w in enumerate(row))
    return sum(w * vertical[:, :, i : i + width] for i, w in enumerate(row))


_BLURRED_NOISE = 70.0 / 256.0
"""Standard deviation of white noise of 1 after `_blur`: the root of the sum of its squared weights."""

_DAMAGES = ((0.45, _print_halftone), (0.45, _lower_contrast), (0.5, _fade_unevenly), (0.5, _scratch))
"""Probability of each damage, in the order in which they befall a photo."""
