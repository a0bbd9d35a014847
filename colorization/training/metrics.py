"""Image metrics that compare a colorized photo with its original, one value per image.

Every function is plain TensorFlow, so it runs eagerly, in tf.data and inside tf.function, and takes 8-bit sRGB:
what a person would look at, after rounding and clipping.

| name         | unit                   | better | paper                                                           |
|--------------|------------------------|--------|-----------------------------------------------------------------|
| PSNR         | dB                     | higher | 10 log10(255^2 / MSE) over all pixels and channels of one image |
| SSIM         | at most 1              | higher | Wang et al. 2004, "Image Quality Assessment: From Error         |
|              |                        |        | Visibility to Structural Similarity"                            |
| CIEDE2000    | Delta E, 1 just seen   | lower  | Sharma, Wu and Dalal 2005, "The CIEDE2000 Color-Difference      |
|              |                        |        | Formula: Implementation Notes, ..."                             |
| colorfulness | about 0 (grey) to 110  | -      | Hasler and Suesstrunk 2003, "Measuring Colourfulness in         |
|              |                        |        | Natural Images"                                                 |
"""

import math

import tensorflow as tf

from colorization import color

MAX_PSNR = 100.0  # dB for identical images; one level of error in one value of a 256x256 image is 101 dB
SSIM_FILTER_SIZE = 11  # px: Gaussian window of Wang et al.
SSIM_FILTER_SIGMA = 1.5  # px
# Degrees. The formula jumps by about 1 % where hues differ by more than 180; this margin above float32's rounding
# keeps exactly opposite hues on the side where the paper has them.
HALF_TURN = 180.0005
IMAGE_METRICS = ("psnr", "ssim", "ciede2000", "colorfulness")


def psnr(result: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
    """Peak signal-to-noise ratio of each image.

    Args:
      result: rgb uint8 (B, H, W, 3).
      original: rgb uint8 (B, H, W, 3).

    Returns:
      float32 (B,) in dB, at most `MAX_PSNR` (which stands for identical images, so that a mean stays finite).
    """
    return tf.minimum(tf.image.psnr(result, original, max_val=255), MAX_PSNR)


def ssim(result: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
    """Structural similarity of each image: the mean over R, G and B and over all windows inside the image.

    The window is an 11 x 11 Gaussian of sigma 1.5 px, with K1 = 0.01 and K2 = 0.03, as in Wang et al. 2004.

    Args:
      result: rgb uint8 (B, H, W, 3), H and W at least 11.
      original: rgb uint8 (B, H, W, 3).

    Returns:
      float32 (B,), at most 1.
    """
    return tf.image.ssim(
        result, original, max_val=255, filter_size=SSIM_FILTER_SIZE, filter_sigma=SSIM_FILTER_SIGMA, k1=0.01, k2=0.03
    )


def colorfulness(rgb: tf.Tensor, *, epsilon: float = 0.0) -> tf.Tensor:
    """Colorfulness M3 of each image (Hasler and Suesstrunk 2003), with signed R - G and (R + G) / 2 - B.

    Public code that takes |R - G| instead (DDColor's does) reports lower numbers.

    Args:
      rgb: uint8 (B, H, W, 3), or float32 in [0, 255] for a loss.
      epsilon: added under the square roots; as a loss it needs some, for a finite gradient at grey.

    Returns:
      float32 (B,), 0 for a grey image; the paper calls 33 moderately and 109 extremely colourful.
    """
    red, green, blue = tf.unstack(tf.cast(rgb, tf.float32), axis=-1)  # (B, H, W) each
    opponents = tf.stack([red - green, (red + green) / 2.0 - blue], axis=-1)  # (B, H, W, 2)
    mean, variance = tf.nn.moments(opponents, axes=[1, 2])  # (B, 2) each
    deviation = tf.sqrt(tf.reduce_sum(variance, axis=-1) + epsilon)
    return deviation + 0.3 * tf.sqrt(tf.reduce_sum(tf.square(mean), axis=-1) + epsilon)


def ciede2000(lab: tf.Tensor, other_lab: tf.Tensor) -> tf.Tensor:
    """CIEDE2000 colour difference of each pixel, with kL = kC = kH = 1 (Sharma, Wu and Dalal 2005).

    Equation numbers are those of the paper.

    Args:
      lab: float32 or float64 (..., 3), CIE units.
      other_lab: the same shape and dtype.

    Returns:
      Delta E00 of the same dtype, shape (...), 0 or more.
    """
    (l1, a1, b1), (l2, a2, b2) = tf.unstack(lab, axis=-1), tf.unstack(other_lab, axis=-1)
    mean_c7 = ((tf.sqrt(a1**2 + b1**2) + tf.sqrt(a2**2 + b2**2)) / 2.0) ** 7  # (2), (3)
    stretch = 1.5 - 0.5 * tf.sqrt(mean_c7 / (mean_c7 + 25.0**7))  # 1 + G, (4)
    c1, h1 = _chroma_and_hue(a1 * stretch, b1)
    c2, h2 = _chroma_and_hue(a2 * stretch, b2)
    colored = c1 * c2 > 0.0
    turn = h2 - h1  # (10)
    turn = tf.where(turn > HALF_TURN, turn - 360.0, tf.where(turn < -HALF_TURN, turn + 360.0, turn))
    turn = tf.where(colored, turn, tf.zeros_like(turn))
    # (14); where one colour is grey, its hue is 0 and the "mean" is the other one's hue.
    total = h1 + h2
    far = tf.abs(h1 - h2) > HALF_TURN
    mean_h = tf.where(far, tf.where(total < 360.0, total + 360.0, total - 360.0), total) / 2.0
    mean_h = tf.where(colored, mean_h, total)
    delta_h = 2.0 * tf.sqrt(c1 * c2) * _sin(turn / 2.0)  # (11)
    return _weighted_difference(l2 - l1, c2 - c1, delta_h, (l1 + l2) / 2.0, (c1 + c2) / 2.0, mean_h)


def _weighted_difference(
    delta_l: tf.Tensor, delta_c: tf.Tensor, delta_h: tf.Tensor, mean_l: tf.Tensor, mean_c: tf.Tensor, mean_h: tf.Tensor
) -> tf.Tensor:
    """Equations (15) to (22): weights the three differences by where in colour space they lie."""
    t = 1.0 - 0.17 * _cos(mean_h - 30.0) + 0.24 * _cos(2.0 * mean_h)
    t += 0.32 * _cos(3.0 * mean_h + 6.0) - 0.20 * _cos(4.0 * mean_h - 63.0)
    rotation = 60.0 * tf.exp(-(((mean_h - 275.0) / 25.0) ** 2))  # 2 x delta theta, degrees
    c7 = mean_c**7
    r_t = -_sin(rotation) * 2.0 * tf.sqrt(c7 / (c7 + 25.0**7))
    off_middle = (mean_l - 50.0) ** 2
    term_l = delta_l / (1.0 + 0.015 * off_middle / tf.sqrt(20.0 + off_middle))
    term_c = delta_c / (1.0 + 0.045 * mean_c)
    term_h = delta_h / (1.0 + 0.015 * mean_c * t)
    # Never below 0 on paper, but rounding may put it there for equal colours.
    return tf.sqrt(tf.maximum(term_l**2 + term_c**2 + term_h**2 + r_t * term_c * term_h, 0.0))


def _chroma_and_hue(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Chroma, and hue angle in degrees [0, 360) which is 0 for greys: equations (6) and (7)."""
    hue = tf.atan2(b, a) * (180.0 / math.pi)
    return tf.sqrt(a**2 + b**2), tf.where(hue < 0.0, hue + 360.0, hue)


def _sin(degrees: tf.Tensor) -> tf.Tensor:
    return tf.sin(degrees * (math.pi / 180.0))


def _cos(degrees: tf.Tensor) -> tf.Tensor:
    return tf.cos(degrees * (math.pi / 180.0))


def mean_ciede2000(result: tf.Tensor, original: tf.Tensor) -> tf.Tensor:
    """Mean CIEDE2000 difference over the pixels of each image.

    Args:
      result: rgb uint8 (B, H, W, 3).
      original: rgb uint8 (B, H, W, 3).

    Returns:
      float32 (B,), 0 or more.
    """
    lab, other_lab = (color.rgb_to_lab(tf.cast(rgb, tf.float32) / 255.0) for rgb in (result, original))
    return tf.reduce_mean(ciede2000(lab, other_lab), axis=[1, 2])


@tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)] * 2)
def image_metrics(result: tf.Tensor, original: tf.Tensor) -> dict[str, tf.Tensor]:
    """All of `IMAGE_METRICS` at once: the comparisons, and the colorfulness of `result`.

    Args:
      result: rgb uint8 (B, H, W, 3), H and W at least 11.
      original: rgb uint8 (B, H, W, 3).

    Returns:
      float32 (B,) under each name of `IMAGE_METRICS`.
    """
    return {
        "psnr": psnr(result, original),
        "ssim": ssim(result, original),
        "ciede2000": mean_ciede2000(result, original),
        "colorfulness": colorfulness(result),
    }
