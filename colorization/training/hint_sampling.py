"""Colour hints as a person might give them, drawn from the true colours of training photos.

Everything is stateless: the same seed gives the same hints.

Paper: Real-Time User-Guided Image Colorization with Learned Deep Priors, Zhang et al. 2017 (arXiv:1705.02999).
"""

import tensorflow as tf

from colorization.training.replicas import Rows

MAX_POINTS = 32
_POINT_PROBABILITY = 0.125  # of the geometric distribution of the number of points: 8 on average
_MAX_RADIUS = 4  # px: a hint covers a square of 1 to 9 px
# What counts as the object of a point: standard deviations, of colour in units of ab (11 CIE units), of lightness in
# units of l (15 L*), and of distance in sides of the photo (one drawn per photo).
_OBJECT_AB, _OBJECT_L, _OBJECT_SIZE = 0.1, 0.3, (0.05, 0.4)


def sample_hints(
    l: tf.Tensor, ab: tf.Tensor, seed: tf.Tensor, *, recoloured_share: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws points of each photo and shows their colour; before that, gives an object of some photos another colour.

    Each photo gets 1 to MAX_POINTS squares of 1 to 9 px; the centres are normally distributed about the middle, where
    people point; each square shows its mean colour. Where squares overlap, their colours are averaged.

    In a recoloured photo, what lies near the first point and has its colour and lightness gets a random colour: a red
    car turns blue, the road stays grey. A generator that has seen true colours only trusts its own opinion more than a
    hint against it.

    Args:
      l: float32 (B, H, W, 1) in [-1, 1], of static shape.
      ab: float32 (B, H, W, 2) in [-1, 1].
      seed: int32 or int64 (2,).
      recoloured_share: probability of being recoloured, in [0, 1].

    Returns:
      hints: float32 (B, H, W, 3): ab where the mask, the third channel, is 1; else 0.
      ab: float32 (B, H, W, 2), the photos that the hints speak of.
    """
    photos, (height, width) = Rows.of(ab), ab.shape[1:3]
    y, x = (_draw_centres(photos, seed + knob, size) for knob, size in ((1, height), (2, width)))  # (B, K) each
    ab = _recolour_objects(l, ab, y[:, 0], x[:, 0], seed + 6, recoloured_share)
    uniform = photos.uniform((1,), seed + 3, 1e-6)
    number = 1.0 + tf.floor(tf.math.log(uniform) / tf.math.log(1.0 - _POINT_PROBABILITY))
    shown = tf.cast(tf.range(MAX_POINTS, dtype=tf.float32) < number, tf.float32)  # (B, K)
    radius = photos.uniform((MAX_POINTS,), seed + 4, 0, _MAX_RADIUS + 1, tf.int32)
    rows = _span(y, radius, height) * shown[..., tf.newaxis]  # (B, K, H)
    columns = _span(x, radius, width)  # (B, K, W)
    total = tf.einsum("bkw,bkwc->bkc", columns, tf.einsum("bkh,bhwc->bkwc", rows, ab))
    num_pixels = tf.reduce_sum(rows, axis=-1) * tf.reduce_sum(columns, axis=-1)  # (B, K)
    colours = total / tf.maximum(num_pixels, 1.0)[..., tf.newaxis]  # (B, K, 2)
    covered = tf.concat([colours, tf.ones_like(colours[..., :1])], axis=-1)  # (B, K, 3)
    sums = tf.einsum("bkh,bkwc->bhwc", rows, columns[..., tf.newaxis] * covered[:, :, tf.newaxis])
    return sums / tf.maximum(sums[..., 2:], 1.0), ab


def _recolour_objects(
    l: tf.Tensor, ab: tf.Tensor, y: tf.Tensor, x: tf.Tensor, seed: tf.Tensor, share: float
) -> tf.Tensor:
    """Shifts what is like the pixel at (y, x), (B,) each, to a random colour; the shift fades with the difference."""
    photos, (height, width) = Rows.of(ab), ab.shape[1:3]
    here = tf.stack([y, x], axis=-1)
    colour, lightness = (tf.gather_nd(v, here, batch_dims=1)[:, tf.newaxis, tf.newaxis] for v in (ab, l))
    angle = photos.uniform((1, 1), seed + 1, 0.0, 6.2832)
    chroma = photos.uniform((1, 1), seed + 2, 0.1, 0.6)
    other = tf.stack([chroma * tf.cos(angle), chroma * tf.sin(angle)], axis=-1)
    size = min(height, width) * photos.uniform((1, 1), seed + 3, *_OBJECT_SIZE)
    rows = tf.cast(tf.range(height) - y[:, tf.newaxis], tf.float32)[:, :, tf.newaxis] / size  # (B, H, 1)
    columns = tf.cast(tf.range(width) - x[:, tf.newaxis], tf.float32)[:, tf.newaxis] / size  # (B, 1, W)
    distance = tf.reduce_sum(tf.square((ab - colour) / _OBJECT_AB), axis=-1)
    distance += tf.square((l - lightness)[..., 0] / _OBJECT_L) + tf.square(rows) + tf.square(columns)
    chosen = photos.uniform((1, 1, 1), seed) < share
    return ab + tf.where(chosen, tf.exp(-0.5 * distance)[..., tf.newaxis] * (other - colour), 0.0)


def _draw_centres(photos: Rows, seed: tf.Tensor, size: int) -> tf.Tensor:
    """Pixels of an axis of `size` pixels, normally distributed about its middle: int32 (B, K)."""
    position = 0.5 + 0.25 * photos.normal((MAX_POINTS,), seed)
    return tf.clip_by_value(tf.cast(position * size, tf.int32), 0, size - 1)


def _span(centre: tf.Tensor, radius: tf.Tensor, size: int) -> tf.Tensor:
    """1 within `radius` of `centre`, (B, K) each, else 0: float32 (B, K, size)."""
    distance = tf.abs(tf.range(size) - centre[..., tf.newaxis])
    return tf.cast(distance <= radius[..., tf.newaxis], tf.float32)
