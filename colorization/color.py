"""sRGB <-> CIELAB and the normalization that the networks see.

Of this project, only `color_numpy.py`, its twin for NumPy arrays, knows the constants. The conversion itself is
`tfio.experimental.color` (D65, 2 degree observer, the same matrices as scikit-image): plain TensorFlow ops, so it runs
eagerly, inside tf.data, under XLA and inside a SavedModel without custom ops.

Names, shapes and ranges used in the whole project (B may be absent):

| name  | shape        | dtype   | range                                             |
|-------|--------------|---------|---------------------------------------------------|
| `rgb` | (B, H, W, 3) | float32 | [0, 1], gamma-encoded sRGB (uint8 0..255 in files)|
| `lab` | (B, H, W, 3) | float32 | CIE units: L* 0..100, a* and b* about -108..98    |
| `l`   | (B, H, W, 1) | float32 | [-1, 1]: L* / 50 - 1                              |
| `ab`  | (B, H, W, 2) | float32 | [-1, 1]: a* / 110 and b* / 110                    |

Reference: CIE 15:2004, Colorimetry; IEC 61966-2-1 (sRGB).
"""

import warnings

import tensorflow as tf

from colorization.color_numpy import AB_SCALE, L_CENTER, L_SCALE

with warnings.catch_warnings():
    # Its native library does not load on TensorFlow 2.21 and says so on import; the colour ops are pure Python.
    warnings.simplefilter("ignore")
    import tensorflow_io as tfio


def rgb_to_lab(rgb: tf.Tensor) -> tf.Tensor:
    """Converts gamma-encoded sRGB to CIELAB.

    Args:
      rgb: float32 (H, W, 3) or (B, H, W, 3) in [0, 1].

    Returns:
      lab: float32 of the same shape, CIE units.
    """
    return tfio.experimental.color.rgb_to_lab(rgb)


@tf.custom_gradient
def lab_to_rgb(lab: tf.Tensor) -> tf.Tensor:
    """Converts CIELAB to gamma-encoded sRGB, clipped to the gamut.

    The gradient is finite everywhere. A pixel whose colour lies outside sRGB sits on the clipped, flat part of
    the function; wherever the raw derivative is undefined there (power of a negative number), it is 0.

    Args:
      lab: float32 (H, W, 3) or (B, H, W, 3), CIE units.

    Returns:
      rgb: float32 of the same shape in [0, 1].
    """
    lab = tf.convert_to_tensor(lab)

    def grad(upstream: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(lab)
            rgb = tfio.experimental.color.lab_to_rgb(lab)
        raw = tape.gradient(rgb, lab, output_gradients=upstream)
        return tf.where(tf.math.is_finite(raw), raw, tf.zeros_like(raw))

    return tfio.experimental.color.lab_to_rgb(lab), grad


def normalize_l(lightness: tf.Tensor) -> tf.Tensor:
    """Maps L* (0..100) to `l` ([-1, 1]), any shape."""
    return (lightness - L_CENTER) / L_SCALE


def denormalize_l(l: tf.Tensor) -> tf.Tensor:
    """Maps `l` ([-1, 1]) to L* (0..100), any shape."""
    return l * L_SCALE + L_CENTER


def split_lab(lab: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits `lab` (..., 3) in CIE units into normalized `l` (..., 1) and `ab` (..., 2)."""
    return normalize_l(lab[..., :1]), lab[..., 1:] / AB_SCALE


def join_lab(l: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Joins normalized `l` (..., 1) and `ab` (..., 2) into `lab` (..., 3) in CIE units."""
    return tf.concat([denormalize_l(l), ab * AB_SCALE], axis=-1)


def rgb_to_l_ab(rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Converts `rgb` (..., H, W, 3) in [0, 1] to normalized `l` (..., H, W, 1) and `ab` (..., H, W, 2)."""
    return split_lab(rgb_to_lab(rgb))


def l_ab_to_rgb(l: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Converts normalized `l` (..., H, W, 1) and `ab` (..., H, W, 2) to `rgb` (..., H, W, 3) in [0, 1]."""
    return lab_to_rgb(join_lab(l, ab))


def to_uint8(rgb: tf.Tensor) -> tf.Tensor:
    """Rounds and saturates `rgb` in [0, 1] to uint8 0..255, any shape."""
    return tf.saturate_cast(tf.round(rgb * 255.0), tf.uint8)
