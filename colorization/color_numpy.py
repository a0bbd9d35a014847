"""The conversions of `color.py` for NumPy and JAX arrays, without TensorFlow, and the constants of both.

`color.py` has TensorFlow I/O's conversion, which runs inside graphs; this one is for programs that have no TensorFlow.
Matrices, white point and thresholds are the same, and so are the results: within 2e-4 CIE units in either direction
(`tests/color_numpy_test.py`). Names, shapes and ranges are those of `color.py`.

Each function computes with the library that its argument comes from, so it gives JAX arrays for JAX arrays, also while
they are traced. Gradients are JAX's business, see `jax_training/losses.py`.

Reference: CIE 15:2004, Colorimetry; IEC 61966-2-1 (sRGB).
"""

import numpy as np

L_CENTER = 50.0  # L* that maps to l = 0
L_SCALE = 50.0  # L* units for l = 1
AB_SCALE = 110.0  # a* or b* units for ab = 1; sRGB reaches 107.9

WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)  # X, Y, Z of D65, 2 degree observer
XYZ_OF_LINEAR_RGB = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], np.float32
)
LINEAR_RGB_OF_XYZ = np.array(
    [
        [3.24048134, -1.53715152, -0.49853633],
        [-0.96925495, 1.87599, 0.04155593],
        [0.05564664, -0.20404134, 1.05731107],
    ],
    np.float32,
)
_LINEAR_PART_OF_RGB = 0.04045, 0.0031308  # gamma-encoded and linear value up to which sRGB is linear
_LINEAR_PART_OF_LAB = 0.008856, 0.2068966  # likewise for relative X, Y or Z, and CIELAB's f of it


def rgb_to_linear(rgb: np.ndarray) -> np.ndarray:
    """Decodes the gamma of `rgb` in [0, 1], any shape: linear light in [0, 1]."""
    xp = rgb.__array_namespace__()
    return xp.where(rgb > _LINEAR_PART_OF_RGB[0], ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)


def linear_to_lightness(linear: np.ndarray) -> np.ndarray:
    """L* (...,) of linear light (..., 3)."""
    return 116.0 * _compress(linear @ XYZ_OF_LINEAR_RGB[1]) - 16.0


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Converts gamma-encoded sRGB float32 (..., 3) in [0, 1] to `lab` (..., 3), CIE units."""
    xp = rgb.__array_namespace__()
    f_x, f_y, f_z = xp.moveaxis(_compress(rgb_to_linear(rgb) @ XYZ_OF_LINEAR_RGB.T / WHITE), -1, 0)
    return xp.stack([116.0 * f_y - 16.0, 500.0 * (f_x - f_y), 200.0 * (f_y - f_z)], axis=-1)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """Converts `lab` float32 (..., 3), CIE units, to gamma-encoded sRGB (..., 3), clipped to [0, 1]."""
    xp = lab.__array_namespace__()
    f_y = (lab[..., 0] + 16.0) / 116.0
    f = xp.stack([f_y + lab[..., 1] / 500.0, f_y, xp.maximum(f_y - lab[..., 2] / 200.0, 0.0)], axis=-1)
    xyz = xp.where(f > _LINEAR_PART_OF_LAB[1], f * f * f, (f - 16.0 / 116.0) / 7.787)  # relative to white
    linear = xp.clip(xyz @ (LINEAR_RGB_OF_XYZ * WHITE).T, 0.0, 1.0)  # first, for a negative number has no such power
    rgb = xp.where(linear > _LINEAR_PART_OF_RGB[1], 1.055 * linear ** np.float32(1.0 / 2.4) - 0.055, linear * 12.92)
    return xp.minimum(rgb, 1.0)


def rgb_to_l_ab(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Converts `rgb` (..., 3) in [0, 1] to normalized `l` (..., 1) and `ab` (..., 2)."""
    lab = rgb_to_lab(rgb)
    return (lab[..., :1] - L_CENTER) / L_SCALE, lab[..., 1:] / AB_SCALE


def l_ab_to_rgb(l: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Converts normalized `l` (..., 1) and `ab` (..., 2) to `rgb` (..., 3) in [0, 1]."""
    xp = l.__array_namespace__()
    return lab_to_rgb(xp.concatenate([l * L_SCALE + L_CENTER, ab * AB_SCALE], axis=-1))


def _compress(xyz: np.ndarray) -> np.ndarray:
    """CIELAB's f of relative X, Y or Z."""
    xp = xyz.__array_namespace__()
    return xp.where(xyz > _LINEAR_PART_OF_LAB[0], xp.cbrt(xyz), 7.787 * xyz + 16.0 / 116.0)
