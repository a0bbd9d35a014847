"""What happens to a photo before and after the network, as TensorFlow functions: SavedModel and Colorizer share them.

Lightness is taken at the photo's own size and shrunk to a work size; the network predicts chroma there; chroma is
enlarged, smoothly, and joined to the full-size lightness. So a result is as sharp as its input.
"""

import tensorflow as tf

from colorization import color
from colorization.inference import gamut
from colorization.inference.numpy_backend import MAX_LONG_SIDE, STRIDE

CONTRAST_SCOPE = "stretch_contrast"  # name of the part of the graph that `stretch_contrast` makes
SMOOTHING_SCOPE = "smooth_ab"  # the same, of `smooth_ab`
BLUE_SCOPE = "limit_blue"  # the same, of `limit_blue`
_MIN_CONTRAST = 0.4  # standard deviation of `l`, in [-1, 1], that the network sees at least
_MAX_STRETCH = 4.0  # factor up to which contrast is raised: what is left of a flat picture is noise
_EDGE_VARIANCE = 0.001  # of `l`, in [-1, 1]: with much less, chroma is averaged, and with much more led by it
_BLUE_AXIS = (-0.087, -0.996)  # 265 degrees in the (a*, b*) plane
_NOT_BLUE, _FULLY_BLUE = 0.42, 0.71  # cosines of the distance from it: 65 and 45 degrees
_BLUE_KNEE = 0.6  # of the limit: paler blues stay as they are
_HINT_REACH = 6  # work pixels from a hinted pixel at which the correction of its colour has faded out


def work_shape(height: tf.Tensor, width: tf.Tensor, work_size: int) -> tf.Tensor:
    """Chooses the size at which the network sees a photo.

    The shorter side becomes `work_size`, also of photos that are smaller than that. The proportions are kept up to
    rounding to `STRIDE`. A photo longer than 4:1 is limited by its long side instead.

    Args:
      height: of the photo, an integer.
      width: of the photo, an integer.
      work_size: multiple of `STRIDE`.

    Returns:
      int32 (2,): height and width, each a multiple of `STRIDE`.
    """
    shape = tf.cast(tf.stack([height, width]), tf.float32)
    scale = work_size * tf.minimum(1.0 / tf.reduce_min(shape), MAX_LONG_SIDE / tf.reduce_max(shape))
    return STRIDE * tf.maximum(1, tf.cast(tf.round(shape * scale / STRIDE), tf.int32))


def to_l(rgb: tf.Tensor) -> tf.Tensor:
    """Takes the lightness of uint8 or uint16 sRGB (..., H, W, 3): `l`, float32 (..., H, W, 1) in [-1, 1]."""
    rgb = tf.convert_to_tensor(rgb)
    l, _ = color.rgb_to_l_ab(tf.cast(rgb, tf.float32) / rgb.dtype.max)
    return l


def shrink_l(l: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Resizes `l` (B, H, W, 1) to `shape` (height, width), without aliasing."""
    return tf.image.resize(l, shape, antialias=True)


def shrink_rgb(rgb: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Resizes uint8 or uint16 sRGB (B, H, W, 3) to `shape` (height, width), without aliasing: float32 in [0, 1]."""
    rgb = tf.convert_to_tensor(rgb)
    return tf.image.resize(rgb, shape, antialias=True) / rgb.dtype.max


def stretch_contrast(l: tf.Tensor) -> tf.Tensor:
    """Gives faded and foggy photos the contrast that the network knows from sharp ones.

    The network alone sees the result: a photo keeps its own lightness.

    Args:
      l: float32 (B, h, w, 1) in [-1, 1].

    Returns:
      The same shape and range: each photo's distances from its mean, times the factor that brings their standard
      deviation to `_MIN_CONTRAST`; as it is where it has that much.
    """
    with tf.name_scope(CONTRAST_SCOPE):
        mean = tf.reduce_mean(l, axis=(1, 2, 3), keepdims=True)
        distance = l - mean
        contrast = tf.sqrt(tf.reduce_mean(tf.square(distance), axis=(1, 2, 3), keepdims=True))
        factor = tf.clip_by_value(_MIN_CONTRAST / tf.maximum(contrast, 1e-6), 1.0, _MAX_STRETCH)
        return tf.clip_by_value(mean + factor * distance, -1.0, 1.0)


def limit_blue(ab: tf.Tensor, limit: float) -> tf.Tensor:
    """Lets vivid blues approach a limit softly, so that the bluest part of a sky is no patch in it.

    Other hues stay: flowers are as vivid as that, and a limit would take their colour.

    Args:
      ab: float32 (B, h, w, 2).
      limit: chroma, in CIE ab units, that no blue exceeds; hues 45 to 65 degrees away from blue may, in part.

    Returns:
      float32 (B, h, w, 2): blue of up to 0.6 of the limit and other hues as they are.
    """
    with tf.name_scope(BLUE_SCOPE):
        chroma = tf.sqrt(tf.reduce_sum(tf.square(ab), axis=-1, keepdims=True) + 1e-6)
        cosine = (_BLUE_AXIS[0] * ab[..., :1] + _BLUE_AXIS[1] * ab[..., 1:]) / chroma
        blue = tf.clip_by_value((cosine - _NOT_BLUE) / (_FULLY_BLUE - _NOT_BLUE), 0.0, 1.0)
        knee = _BLUE_KNEE * limit / color.AB_SCALE
        room = limit / color.AB_SCALE - knee
        excess = tf.nn.relu(chroma - knee)
        return ab * (1.0 - blue * (excess - room * tf.tanh(excess / room)) / chroma)


def smooth_ab(l: tf.Tensor, ab: tf.Tensor, radius: int) -> tf.Tensor:
    """Lets patches of chroma that no edge explains go over into their surroundings, and leads the others along edges.

    Args:
      l: float32 (B, h, w, 1) in [-1, 1].
      ab: float32 (B, h, w, 2), of it.
      radius: in pixels; a window has 2 * radius + 1 of them a side, less at the border.

    Returns:
      float32 (B, h, w, 2).

    Paper: guided filter, He, Sun and Tang 2010.
    """
    side = 2 * radius + 1

    def mean(x: tf.Tensor) -> tf.Tensor:
        rows = tf.nn.avg_pool2d(x, (1, side), 1, "SAME")  # the mean of what lies inside the photo
        return tf.nn.avg_pool2d(rows, (side, 1), 1, "SAME")

    with tf.name_scope(SMOOTHING_SCOPE):
        mean_l, mean_ab = mean(l), mean(ab)
        variance = tf.maximum(mean(tf.square(l)) - tf.square(mean_l), 0.0)
        slope = (mean(l * ab) - mean_l * mean_ab) / (variance + _EDGE_VARIANCE)
        return mean(slope) * l + mean(mean_ab - slope * mean_l)


def obey_hints(ab: tf.Tensor, hints: tf.Tensor) -> tf.Tensor:
    """Makes hinted pixels have exactly the colour that was asked for, and their near surroundings follow smoothly.

    The network carries a hint over its object, but it may find the colour improbable and go half of the way. What is
    missing at hinted pixels is added there, and fades out around them within a few pixels.

    Args:
      ab: float32 (B, h, w, 2), the network's, at the work size.
      hints: float32 (B, h, w, 3), as the network got them.

    Returns:
      float32 (B, h, w, 2).
    """
    mask = hints[..., 2:]
    missing = tf.concat([mask * (hints[..., :2] - ab), mask], axis=-1)
    radius = tf.range(-_HINT_REACH, _HINT_REACH + 1, dtype=tf.float32)
    row = tf.exp(-0.5 * tf.square(radius / (_HINT_REACH / 3.0)))  # 1 in the middle
    kernel = tf.tile((row[:, tf.newaxis] * row)[:, :, tf.newaxis, tf.newaxis], (1, 1, 3, 1))
    spread = tf.nn.depthwise_conv2d(missing, kernel, (1, 1, 1, 1), "SAME")
    mean = spread[..., :2] / tf.maximum(spread[..., 2:], 1e-6)  # of the hinted pixels around, the nearest most
    strength = tf.minimum(spread[..., 2:], 1.0)
    return ab + tf.where(mask > 0.0, missing[..., :2], strength * mean)


def upsample_ab(ab: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Resizes chroma (B, h, w, 2) from the work shape to `shape` (height, width), bilinearly.

    For a photo smaller than its work shape this shrinks, yet nothing aliases: `ab` is as smooth as the enlarged photo.
    """
    return tf.image.resize(ab, shape)


def recolor(l: tf.Tensor, ab: tf.Tensor, saturation: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Joins lightness and chroma, which is reduced where sRGB could not show it at that lightness.

    Args:
      l: float32 (..., 1) in [-1, 1].
      ab: float32 (..., 2), any range.
      saturation: factor for `ab`, at least 0.
      dtype: tf.uint8 or tf.uint16.

    Returns:
      rgb: (..., 3) of that dtype, full range.
    """
    rgb = color.l_ab_to_rgb(l, gamut.limit_chroma(l, ab * saturation))
    return color.to_uint8(rgb) if dtype == tf.uint8 else tf.saturate_cast(tf.round(rgb * dtype.max), dtype)
