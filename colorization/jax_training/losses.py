"""Losses and image metrics of JAX arrays, each with the value of its namesake in `training/losses.py` or `metrics.py`.

Names, shapes and ranges are those of `color.py`.
"""

import math

import jax
import jax.numpy as jnp

from colorization import color_numpy

Array = jax.Array

RGB_LOG_SCALE = 0.02  # of [0, 1]: see `rgb_loss`
CIEDE2000_SMOOTHING = 0.5  # L* by which the colours that `ciede2000_loss` compares differ at least
OVERSHOOT_CELL = 8  # pixels of the side of the areas whose mean colours `overshoot_loss` compares
OVERSHOOT_MARGIN = 15.0  # CIE ab units that cost nothing there
OVERSHOOT_SCALE = 20.0  # CIE ab units


def rgb_to_lab(rgb: Array) -> Array:
    """Converts `rgb` (..., 3) in [0, 1] to `lab` (..., 3), without the shortened floats of GPUs."""
    with jax.default_matmul_precision("highest"):
        return color_numpy.rgb_to_lab(rgb)


def rgb_to_l_ab(rgb: Array) -> tuple[Array, Array]:
    """Converts `rgb` (..., 3) in [0, 1] to `l` (..., 1) and `ab` (..., 2), without the shortened floats of GPUs."""
    with jax.default_matmul_precision("highest"):
        return color_numpy.rgb_to_l_ab(rgb)


@jax.custom_vjp
def l_ab_to_rgb(l: Array, ab: Array) -> Array:
    """Converts `l` (..., 1) and `ab` (..., 2) to `rgb` (..., 3), clipped to [0, 1].

    As in `color.lab_to_rgb`, the gradient is 0 where the raw one is undefined, outside of sRGB.
    """
    with jax.default_matmul_precision("highest"):
        return color_numpy.l_ab_to_rgb(l, ab)


def _l_ab_to_rgb_forward(l: Array, ab: Array) -> tuple[Array, tuple[Array, Array]]:
    return l_ab_to_rgb(l, ab), (l, ab)


def _l_ab_to_rgb_backward(inputs: tuple[Array, Array], upstream: Array) -> tuple[Array, ...]:
    with jax.default_matmul_precision("highest"):
        _, raw_gradient = jax.vjp(color_numpy.l_ab_to_rgb, *inputs)
        return tuple(jnp.where(jnp.isfinite(g), g, 0.0) for g in raw_gradient(upstream))


l_ab_to_rgb.defvjp(_l_ab_to_rgb_forward, _l_ab_to_rgb_backward)


def rgb_loss(real_rgb: Array, fake_rgb: Array) -> Array:
    """Half the mean over photos of log(1 + MSE / RGB_LOG_SCALE^2), of (B, H, W, 3) in [0, 1]: a scalar."""
    error = jnp.mean(jnp.square(real_rgb - fake_rgb), axis=(1, 2, 3))
    return 0.5 * jnp.mean(jnp.log1p(error / RGB_LOG_SCALE**2))


def ciede2000_loss(l: Array, real_ab: Array, fake_ab: Array) -> Array:
    """Mean CIEDE2000 difference in tens: a scalar.

    Args:
      l: float32 (B, H, W, 1) in [-1, 1].
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      fake_ab: float32 (B, H, W, 2), about [-1, 1].
    """

    def to_lab(ab: Array) -> Array:
        lightness = l * color_numpy.L_SCALE + color_numpy.L_CENTER
        return jnp.concatenate([lightness, (ab + 1e-6) * color_numpy.AB_SCALE], axis=-1)

    return jnp.mean(ciede2000(to_lab(real_ab), to_lab(fake_ab) + jnp.array([CIEDE2000_SMOOTHING, 0.0, 0.0]))) / 10.0


def colorfulness_loss(real_rgb: Array, fake_rgb: Array, *, margin: float | Array) -> Array:
    """How far the mean colorfulness of results is from that of the originals beyond a margin, in hundreds: a scalar.

    The border, a sixteenth of each side, does not count; `training/losses.py` says why.

    Args:
      real_rgb: float32 (B, H, W, 3) in [0, 1].
      fake_rgb: float32 (B, H, W, 3).
      margin: difference that costs nothing, in units of colorfulness.

    Papers: the measure, Hasler and Suesstrunk 2003; as a loss, DDColor, Kang et al. 2022 (arXiv:2212.11613).
    """
    real, fake = (jnp.mean(colorfulness(255.0 * _cut_border(rgb), epsilon=1.0)) for rgb in (real_rgb, fake_rgb))
    return jnp.maximum(jnp.abs(real - fake) - margin, 0.0) / 100.0


def _cut_border(image: Array) -> Array:
    """(B, H, W, C) without its outer H // 16 rows and W // 16 columns."""
    height, width = image.shape[1:3]
    rows, columns = height // 16, width // 16
    return image[:, rows : height - rows, columns : width - columns]


def overshoot_loss(real_ab: Array, fake_ab: Array) -> Array:
    """Mean square of how far areas of results are more vivid than those of the originals beyond a margin: a scalar.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1], H and W multiples of OVERSHOOT_CELL.
      fake_ab: float32 (B, H, W, 2), about [-1, 1].
    """
    real, fake = (color_numpy.AB_SCALE * area_means(ab, OVERSHOOT_CELL) for ab in (real_ab, fake_ab))
    chroma = jnp.sqrt(jnp.sum(jnp.square(fake), axis=-1) + 1.0)  # the root of 0 has no finite gradient
    overshoot = chroma - jnp.sum(real * fake, axis=-1) / chroma
    return jnp.mean(jnp.square(jnp.maximum(overshoot - OVERSHOOT_MARGIN, 0.0) / OVERSHOOT_SCALE))


def area_means(x: Array, size: int) -> Array:
    """Means of squares of `size` x `size` pixels of (B, H, W, C), H and W multiples of `size`."""
    batch, height, width, channels = x.shape
    return jnp.mean(x.reshape(batch, height // size, size, width // size, size, channels), axis=(2, 4))


def kl_loss(mean: Array, log_variance: Array) -> Array:
    """KL divergence of N(mean, exp(log_variance)), (B, z_dim) each, from N(0, I), in nats per photo: a scalar."""
    return jnp.mean(-0.5 * jnp.sum(1.0 + log_variance - jnp.square(mean) - jnp.exp(log_variance), axis=-1))


def colorfulness(rgb: Array, *, epsilon: float = 0.0) -> Array:
    """Colorfulness M3 (Hasler and Suesstrunk 2003) of each image (B, H, W, 3) in [0, 255]: float32 (B,)."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    opponents = jnp.stack([red - green, (red + green) / 2.0 - blue], axis=-1)
    mean, variance = jnp.mean(opponents, axis=(1, 2)), jnp.var(opponents, axis=(1, 2))  # (B, 2) each
    deviation = jnp.sqrt(jnp.sum(variance, axis=-1) + epsilon)
    return deviation + 0.3 * jnp.sqrt(jnp.sum(jnp.square(mean), axis=-1) + epsilon)


def ciede2000(lab: Array, other_lab: Array) -> Array:
    """CIEDE2000 difference of each pixel (..., 3), CIE units (Sharma, Wu and Dalal 2005, whose equations are named)."""
    l1, a1, b1 = (lab[..., i] for i in range(3))
    l2, a2, b2 = (other_lab[..., i] for i in range(3))
    mean_c7 = ((jnp.hypot(a1, b1) + jnp.hypot(a2, b2)) / 2.0) ** 7
    stretch = 1.5 - 0.5 * jnp.sqrt(mean_c7 / (mean_c7 + 25.0**7))  # 1 + G, (4)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = jnp.hypot(a1, b1), jnp.hypot(a2, b2)
    h1, h2 = (jnp.degrees(jnp.arctan2(b, a)) % 360.0 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180.0) % 360.0 - 180.0  # (10)
    far = jnp.abs(h1 - h2) > 180.0  # (14)
    mean_h = jnp.where(far, h1 + h2 + jnp.where(h1 + h2 < 360.0, 360.0, -360.0), h1 + h2) / 2.0
    coloured = c1 * c2 > 0.0  # a grey has no hue: then there is no turn, and the mean is the other one's hue
    turn, mean_h = jnp.where(coloured, turn, 0.0), jnp.where(coloured, mean_h, h1 + h2)
    delta_h = 2.0 * jnp.sqrt(jnp.where(coloured, c1 * c2, 1.0)) * _sin(turn / 2.0)  # (11)
    mean_l, mean_c = (l1 + l2) / 2.0, (c1 + c2) / 2.0
    t = 1.0 - 0.17 * _cos(mean_h - 30.0) + 0.24 * _cos(2.0 * mean_h)  # (15)
    t += 0.32 * _cos(3.0 * mean_h + 6.0) - 0.20 * _cos(4.0 * mean_h - 63.0)
    rotation = 60.0 * jnp.exp(-(((mean_h - 275.0) / 25.0) ** 2))  # 2 x delta theta, degrees, (16)
    c7 = mean_c**7
    r_t = -_sin(rotation) * 2.0 * jnp.sqrt(c7 / (c7 + 25.0**7))  # (17), (21)
    off_middle = (mean_l - 50.0) ** 2
    term_l = (l2 - l1) / (1.0 + 0.015 * off_middle / jnp.sqrt(20.0 + off_middle))  # (18)
    term_c = (c2 - c1) / (1.0 + 0.045 * mean_c)  # (19)
    term_h = delta_h / (1.0 + 0.015 * mean_c * t)  # (20)
    return jnp.sqrt(jnp.maximum(term_l**2 + term_c**2 + term_h**2 + r_t * term_c * term_h, 0.0))  # (22)


def _sin(degrees: Array) -> Array:
    return jnp.sin(degrees * (math.pi / 180.0))


def _cos(degrees: Array) -> Array:
    return jnp.cos(degrees * (math.pi / 180.0))
