"""Keeps predicted chroma inside sRGB without touching lightness.

Many (L*, a*, b*) that a network predicts are no sRGB colours, above all near black and white. Clipping their RGB
shifts lightness, by up to 20 L*; here chroma gives way instead: `ab` moves along its hue towards grey.

At constant L* the luminance Y is constant, so in linear light every sRGB channel lies on a line from Y (grey) to its
value at full chroma, and how far along it the channel leaves [0, 1] has a closed form. Lab chroma is not quite linear
in that fraction, so a small rest is left for the clipping: for chroma drawn uniformly from [-88, 88] the mean shift of
lightness is 0.06 L* and the largest 1.2.

Written once for both kinds of arrays: in the operations that NumPy and TensorFlow call by the same names.
"""

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from colorization import color_numpy

if TYPE_CHECKING:
    import tensorflow as tf

# Linear sRGB of X, Y and Z, each relative to white: one row for each of X, Y, Z.
_X_ROW, _, _Z_ROW = (color_numpy.LINEAR_RGB_OF_XYZ * color_numpy.WHITE).T
_EPSILON = 1e-9  # a channel that does not move with chroma (grey) never leaves [0, 1]


def limit_chroma(l: "np.ndarray | tf.Tensor", ab: "np.ndarray | tf.Tensor") -> "np.ndarray | tf.Tensor":
    """Scales chroma down to what sRGB can show at this lightness.

    Args:
      l: float32 (..., 1) in [-1, 1].
      ab: float32 (..., 2), any range.

    Returns:
      ab: float32 (..., 2), of the same hue and at most the same chroma; a NumPy array if both arguments are, which
        needs no TensorFlow.
    """
    xp = _find_module(l, ab)
    f_y = (l * color_numpy.L_SCALE + color_numpy.L_CENTER + 16.0) / 116.0  # CIE 15:2004: L* = 116 f(Y) - 16,
    y = _decompress(f_y, xp)  # a* = 500 (f(X) - f(Y)), b* = 200 (f(Y) - f(Z))
    x_moved = _decompress(f_y + ab[..., 0:1] * color_numpy.AB_SCALE / 500.0, xp) - y
    z_moved = _decompress(f_y - ab[..., 1:2] * color_numpy.AB_SCALE / 200.0, xp) - y
    rgb_moved = x_moved * _X_ROW + z_moved * _Z_ROW  # (..., 3): linear light minus that of grey
    room = xp.where(rgb_moved > 0.0, 1.0 - y, y) / xp.maximum(xp.abs(rgb_moved), _EPSILON)
    room_of_all = xp.minimum(xp.minimum(room[..., 0:1], room[..., 1:2]), room[..., 2:3])
    return ab * xp.minimum(xp.maximum(room_of_all, 0.0), 1.0)


def _find_module(*arrays: "np.ndarray | tf.Tensor") -> ModuleType:
    """numpy for its arrays, else tensorflow."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np
    import tensorflow as tf

    return tf


def _decompress(f: "np.ndarray | tf.Tensor", xp: ModuleType) -> "np.ndarray | tf.Tensor":
    """The inverse of CIELAB's f: relative X, Y or Z."""
    delta = 6.0 / 29.0
    return xp.where(f > delta, f * f * f, 3.0 * delta * delta * (f - 4.0 / 29.0))
