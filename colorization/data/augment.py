"""Augmentation: what a camera, a darkroom and eighty years in a shoebox do to a photo.

Everything is stateless: the same seed gives the same result, wherever and whenever it runs.
"""

import math

import tensorflow as tf


def random_crop_and_flip(rgb: tf.Tensor, seed: tf.Tensor, *, size: int, min_area: float) -> tf.Tensor:
    """Takes a random rectangle of nearly square shape, resizes it to a square and flips half of them.

    Args:
      rgb: uint8 (H, W, 3).
      seed: int32 or int64 (2,).
      size: side of the result in pixels.
      min_area: smallest part of the photo's area that a crop takes, in (0, 1].

    Returns:
      rgb: float32 (size, size, 3) in [0, 1].
    """
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(rgb),
        bounding_boxes=tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed=seed,
        min_object_covered=0.0,
        aspect_ratio_range=(0.8, 1.25),
        area_range=(min_area, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    crop = tf.slice(rgb, begin, extent)
    crop = tf.image.resize(crop, (size, size))
    crop = tf.image.stateless_random_flip_left_right(crop, seed=seed + 1)
    return tf.ensure_shape(crop / 255.0, (size, size, 3))


def age_lightness(l: tf.Tensor, seed: tf.Tensor, *, share: float) -> tf.Tensor:
    """Ages the lightness of a part of the batch; the chroma to be learnt stays what it was.

    Each chosen photo gets a random gamma, fading (raised blacks, lowered whites), and, half of the time each, the
    blur of a soft lens and grain. Half of the chosen ones get no more than that. The others may also have been printed
    in a newspaper, have lost most of their contrast, have faded unevenly and been scratched: each with the probability
    that `_DAMAGES` gives it, whatever the others do.

    Args:
      l: float32 (B, H, W, 1) in [-1, 1].
      seed: int32 or int64 (2,).
      share: of the batch, in [0, 1]; that many photos are chosen at random. What is left of one is a probability.

    Returns:
      float32 (B, H, W, 1) in [-1, 1].
    """
    if share == 0.0:
        return l
    batch = tf.shape(l)[0]
    drawn = tf.cast(share * tf.cast(batch, tf.float32) + tf.random.stateless_uniform((), seed + 9), tf.int32)
    num_aged = tf.maximum(drawn, 1)  # a convolution of no photos fails
    chosen = tf.argsort(tf.random.stateless_uniform((batch,), seed))[:num_aged]

    def draw(knob: int, low: float, high: float) -> tf.Tensor:
        """One number per photo; the knob's number sets its seed apart."""
        return tf.random.stateless_uniform((num_aged, 1, 1, 1), seed + knob, low, high)

    value = (tf.gather(l, chosen) + 1.0) / 2.0
    value = tf.pow(value, tf.exp(draw(1, -0.5, 0.5)))
    value = value + tf.round(draw(2, 0.0, 1.0)) * draw(3, 0.3, 1.0) * (_blur(_blur(value)) - value)
    num_damaged = num_aged // 2  # they come in random order
    value = tf.concat([_damage(value[:num_damaged], seed), value[num_damaged:]], axis=0)
    black, white = draw(4, 0.0, 0.2), draw(5, 0.75, 1.0)
    value = black + (white - black) * value
    value = value + tf.round(draw(7, 0.0, 1.0)) * draw(8, 0.0, 0.08) * _draw_grain(value, seed + 6, draw(10, 0.0, 1.0))
    aged = tf.clip_by_value(value, 0.0, 1.0) * 2.0 - 1.0
    return tf.where(drawn > 0, tf.tensor_scatter_nd_update(l, chosen[:, tf.newaxis], aged), l)


def _draw_grain(value: tf.Tensor, seed: tf.Tensor, coarseness: tf.Tensor) -> tf.Tensor:
    """Normal noise like (B, H, W, 1): of single pixels at a coarseness of 0, of spots of 2 to 3 px at 1."""
    fine = tf.random.stateless_normal(tf.shape(value), seed)
    coarse = _blur(fine) / _BLURRED_NOISE
    return fine + coarseness * (coarse - fine)


def _damage(value: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Does each of `_DAMAGES`, in that order, to a random part of the photos: (B, H, W, 1) in [0, 1]."""
    for knob, (probability, damage) in enumerate(_DAMAGES, start=1):
        damage_seed = seed + 16 * knob  # `age_lightness` and each damage use fewer than 16 seeds
        drawn = tf.random.stateless_uniform((tf.shape(value)[0],), damage_seed)
        rows = tf.where(drawn < probability)  # int64 (N, 1), N may be 0
        damaged = damage(tf.gather_nd(value, rows), damage_seed + 1)
        value = tf.tensor_scatter_nd_update(value, rows, damaged)
    return value


def _print_halftone(value: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Prints with the dot screen of a newspaper: a square grid of 2 to 5 px at any angle, dots softened by the scan.

    Args:
      value: float32 (B, H, W, 1) in [0, 1].
      seed: integer (2,).

    Returns:
      float32 (B, H, W, 1) in [0, 1]; its mean over a cell grows with `value`.
    """
    y, x = _pixel_grid(value)
    period, angle, hardness, strength = _draw(value, seed, (2.0, 5.0), (0.0, math.pi / 2), (4.0, 8.0), (0.2, 1.0))
    cos, sin = (2.0 * math.pi / period * part for part in (tf.cos(angle), tf.sin(angle)))
    # Two plane waves at a right angle: the screen is 1 where a dot of ink has its centre, 0 between four of them.
    screen = 0.5 + 0.25 * (_plane_wave(cos * x, sin * y) + _plane_wave(-sin * x, cos * y))
    return value + strength * (tf.sigmoid(hardness * (value - screen)) - value)


def _plane_wave(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """cos(x + y) of (B, 1, W, 1) and (B, H, 1, 1): (B, H, W, 1). A cosine of each pixel would take longer."""
    return tf.cos(x) * tf.cos(y) - tf.sin(x) * tf.sin(y)


def _lower_contrast(value: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Leaves 25 to 70 % of the contrast, around a grey of 0.2 to 0.9; the rest as for `_print_halftone`."""
    contrast, grey = _draw(value, seed, (0.25, 0.7), (0.2, 0.9))
    return grey + contrast * (value - grey)


def _fade_unevenly(value: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Darkens towards the edges, and bleaches or soils large soft patches; the rest as for `_print_halftone`."""
    y, x = _pixel_grid(value)
    height, width = _sides(value)
    middle_y, middle_x, vignette, strength = _draw(value, seed, (0.3, 0.7), (0.3, 0.7), (0.0, 0.6), (0.0, 0.4))
    distance2 = (y / height - middle_y) ** 2 + (x / width - middle_x) ** 2  # below 1
    patches = tf.random.stateless_uniform((tf.shape(value)[0], 4, 4, 1), seed + 1, -1.0, 1.0)
    patches = tf.image.resize(patches, tf.shape(value)[1:3])
    value = value * (1.0 - vignette * distance2)
    return value + strength * tf.abs(patches) * (tf.where(patches > 0.0, 0.9, 0.15) - value)


def _scratch(value: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws up to 5 thin, nearly vertical lines and up to 6 specks of dust; the rest as for `_print_halftone`."""
    height, _ = _sides(value)
    lines = _draw_strokes(value, seed, num=5, length=(0.2 * height, 1.5 * height), thickness=(1.0, 1.6), slope=0.06)
    dust = _draw_strokes(value, seed + 1, num=6, length=(1.0, 4.0), thickness=(1.0, 4.0), slope=0.5)
    return tf.clip_by_value(value + lines + dust, 0.0, 1.0)


def _draw_strokes(
    value: tf.Tensor,
    seed: tf.Tensor,
    *,
    num: int,
    length: tuple[tf.Tensor | float, tf.Tensor | float],
    thickness: tuple[float, float],
    slope: float,
) -> tf.Tensor:
    """Draws strokes with antialiased edges: each anywhere, there with probability 1/2, light or dark.

    Args:
      value: float32 (B, H, W, 1); only its shape matters.
      seed: integer (2,).
      num: K, the most strokes of a photo.
      length: smallest and largest, px downwards.
      thickness: smallest and largest, px to the right, at least 1.
      slope: largest, px to the right or left for each px downwards.

    Returns:
      float32 (B, H, W, 1): what to add to `value`.
    """
    shape = (tf.shape(value)[0], 1, 1, num)
    drawn = tf.random.stateless_uniform((7, *shape), seed)
    y, x = _pixel_grid(value)
    height, width = _sides(value)
    length, thickness = (low + (high - low) * u for (low, high), u in ((length, drawn[0]), (thickness, drawn[1])))
    away_y = y - height * drawn[2]  # (B, H, 1, K)
    away_x = x - (width * drawn[3] + slope * (2.0 * drawn[4] - 1.0) * away_y)  # (B, H, W, K)
    there = tf.round(drawn[5]) * (tf.sign(drawn[6] - 0.5) * 0.25 + 1.3 * (drawn[6] - 0.5))  # 0, or 0.25 to 0.9 off 0
    there = there * tf.clip_by_value((length + 1.0) / 2.0 - tf.abs(away_y), 0.0, 1.0)
    return tf.reduce_sum(there * tf.clip_by_value((thickness + 1.0) / 2.0 - tf.abs(away_x), 0.0, 1.0), -1, True)


def _draw(value: tf.Tensor, seed: tf.Tensor, *bounds: tuple[float, float]) -> list[tf.Tensor]:
    """One number per photo of `value` and pair of bounds: (B, 1, 1, 1) each."""
    drawn = tf.random.stateless_uniform((len(bounds), tf.shape(value)[0], 1, 1, 1), seed)
    return [low + (high - low) * drawn[i] for i, (low, high) in enumerate(bounds)]


def _sides(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width of (B, H, W, 1) as float32."""
    return tf.cast(tf.shape(value)[1], tf.float32), tf.cast(tf.shape(value)[2], tf.float32)


def _pixel_grid(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Row and column numbers of (B, H, W, 1): float32 (1, H, 1, 1) and (1, 1, W, 1)."""
    height, width = _sides(value)
    return tf.range(height)[tf.newaxis, :, tf.newaxis, tf.newaxis], tf.range(width)[
        tf.newaxis, tf.newaxis, :, tf.newaxis
    ]


def _blur(value: tf.Tensor) -> tf.Tensor:
    """Blurs (B, H, W, 1) with a 5x5 binomial kernel (sigma 1 pixel), edges repeated."""
    row = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    padded = tf.pad(value, [[0, 0], [2, 2], [2, 2], [0, 0]], mode="SYMMETRIC")
    vertical = tf.nn.conv2d(padded, tf.reshape(row, (5, 1, 1, 1)), 1, "VALID")
    return tf.nn.conv2d(vertical, tf.reshape(row, (1, 5, 1, 1)), 1, "VALID")


_BLURRED_NOISE = 70.0 / 256.0
"""Standard deviation of white noise of 1 after `_blur`: the root of the sum of its squared weights."""

_DAMAGES = ((0.45, _print_halftone), (0.45, _lower_contrast), (0.5, _fade_unevenly), (0.5, _scratch))
"""Probability of each damage, in the order in which they befall a photo."""
