"""Keeps predicted chroma inside sRGB without touching lightness.

Many (L*, a*, b*) that a network predicts are no sRGB colours, above all near black and white. Clipping their RGB
shifts lightness, by up to 20 L*; here chroma gives way instead: `ab` moves along its hue towards grey.

At constant L* the luminance Y is constant, so in linear light every sRGB channel lies on a line from Y (grey) to its
value at full chroma, and how far along it the channel leaves [0, 1] has a closed form. Lab chroma is not quite linear
in that fraction, so a small rest is left for the clipping: for chroma drawn uniformly from [-88, 88] the mean shift of
lightness is 0.06 L* and the largest 1.2.
"""

import functools

import numpy as np
import tensorflow as tf

from colorization import color

_EPSILON = 1e-9  # a channel that does not move with chroma (grey) never leaves [0, 1]


def limit_chroma(l: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
    """Scales chroma down to what sRGB can show at this lightness.

    Args:
      l: float32 (..., 1) in [-1, 1].
      ab: float32 (..., 2), any range.

    Returns:
      ab: float32 (..., 2), of the same hue and at most the same chroma.
    """
    lab = color.join_lab(l, ab)
    f_y = (lab[..., :1] + 16.0) / 116.0  # CIE 15:2004: L* = 116 f(Y) - 16, a* = 500 (f(X) - f(Y)), ...
    y = _decompress(f_y)
    x_moved = _decompress(f_y + lab[..., 1:2] / 500.0) - y
    z_moved = _decompress(f_y - lab[..., 2:3] / 200.0) - y
    x_row, _, z_row = _linear_rgb_of_xyz()
    rgb_moved = x_moved * x_row + z_moved * z_row  # (..., 3): linear light minus that of grey
    room = tf.where(rgb_moved > 0.0, 1.0 - y, y) / tf.maximum(tf.abs(rgb_moved), _EPSILON)
    return ab * tf.clip_by_value(tf.reduce_min(room, axis=-1, keepdims=True), 0.0, 1.0)


def _decompress(f: tf.Tensor) -> tf.Tensor:
    """The inverse of CIELAB's f: relative X, Y or Z."""
    delta = 6.0 / 29.0
    return tf.where(f > delta, f * f * f, 3.0 * delta * delta * (f - 4.0 / 29.0))


@functools.cache
def _linear_rgb_of_xyz() -> np.ndarray:
    """Linear sRGB of X, Y and Z, each relative to white: float32 (3, 3), one row for each of X, Y, Z.

    Read off the primaries' Lab values, so that `color.py` stays the only file that knows the matrix.
    """
    with tf.init_scope():  # eagerly, also while a graph is traced
        lightness, a, b = np.split(color.rgb_to_lab(np.eye(3, dtype=np.float32)[:, None]).numpy()[:, 0], 3, axis=-1)
        f_y = (lightness + 16.0) / 116.0
        xyz = _decompress(np.hstack([f_y + a / 500.0, f_y, f_y - b / 200.0])).numpy()
    return np.linalg.inv(xyz)
