"""Augmentation: what a camera, a darkroom and eighty years in a shoebox do to a photo.

Everything is stateless: the same seed gives the same result, wherever and whenever it runs.
"""

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
    blur of a soft lens and grain.

    Args:
      l: float32 (B, H, W, 1) in [-1, 1].
      seed: int32 or int64 (2,).
      share: of the batch, in [0, 1]; that many photos, rounded up, are chosen at random.

    Returns:
      float32 (B, H, W, 1) in [-1, 1].
    """
    if share == 0.0:
        return l
    batch = tf.shape(l)[0]
    num_aged = tf.cast(tf.math.ceil(share * tf.cast(batch, tf.float32)), tf.int32)
    chosen = tf.argsort(tf.random.stateless_uniform((batch,), seed))[:num_aged]

    def draw(knob: int, low: float, high: float) -> tf.Tensor:
        """One number per photo; the knob's number sets its seed apart."""
        return tf.random.stateless_uniform((num_aged, 1, 1, 1), seed + knob, low, high)

    value = (tf.gather(l, chosen) + 1.0) / 2.0
    value = tf.pow(value, tf.exp(draw(1, -0.5, 0.5)))
    value = value + tf.round(draw(2, 0.0, 1.0)) * draw(3, 0.3, 1.0) * (_blur(value) - value)
    black, white = draw(4, 0.0, 0.2), draw(5, 0.75, 1.0)
    value = black + (white - black) * value
    grain = tf.random.stateless_normal(tf.shape(value), seed + 6)
    value = value + tf.round(draw(7, 0.0, 1.0)) * draw(8, 0.0, 0.06) * grain
    aged = tf.clip_by_value(value, 0.0, 1.0) * 2.0 - 1.0
    return tf.tensor_scatter_nd_update(l, chosen[:, tf.newaxis], aged)


def _blur(value: tf.Tensor) -> tf.Tensor:
    """Blurs (B, H, W, 1) with a 5x5 binomial kernel (sigma 1 pixel), edges repeated."""
    row = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    padded = tf.pad(value, [[0, 0], [2, 2], [2, 2], [0, 0]], mode="SYMMETRIC")
    vertical = tf.nn.conv2d(padded, tf.reshape(row, (5, 1, 1, 1)), 1, "VALID")
    return tf.nn.conv2d(vertical, tf.reshape(row, (1, 5, 1, 1)), 1, "VALID")
