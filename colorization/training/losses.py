"""Losses, each a scalar float32: a replica's share of the global batch's loss, see `replicas.py`.

With one replica that is the loss itself.
"""

import tensorflow as tf

from colorization import color
from colorization.training import metrics, replicas

HUBER_DELTA = 20.0  # CIE ab units: below it errors count quadratically, above linearly
LOG_SCALE = 5.0  # CIE ab units: root mean square error of a photo below which the log loss hardly asks for less
RGB_LOG_SCALE = 0.02  # of [0, 1]: the same for the log loss in RGB; 34 dB
OVERSHOOT_MARGIN = 15.0  # CIE ab units that colours may be farther out than the true ones
OVERSHOOT_SCALE = 20.0  # CIE ab units beyond it that cost 1
OVERSHOOT_CELL = 8  # pixels: side of the squares whose mean colours are compared
UNEVENNESS_TOLERANCE = 10.0  # CIE ab units: true colours that are farther apart are not one colour
UNEVENNESS_MARGIN = 5.0  # CIE ab units that painted colours may then be apart
UNEVENNESS_SCALE = 10.0  # CIE ab units beyond it that cost 1
UNEVENNESS_STEPS = ((0, 1), (1, 0), (0, 3), (3, 0), (3, 3), (3, -3))  # rows and columns from one area to the other
CIEDE2000_SMOOTHING = 0.5  # L* by which the colours that `ciede2000_loss` compares differ at least
RESTRAINT_MIN_CHROMA = 6.0  # CIE ab units: what is painted paler is not worth restraint
AB_CLASS_SIZE = 10.0  # CIE ab units: side of the squares of the ab plane that are classes of colour
_CLASSES_A_SIDE = 22
NUM_AB_CLASSES = _CLASSES_A_SIDE**2


def chroma_loss(real_ab: tf.Tensor, fake_ab: tf.Tensor, *, saturation_weight: float, kind: str = "huber") -> tf.Tensor:
    """Loss on chroma in which vivid pixels weigh more.

    Most pixels of most photos are nearly grey, and a plain loss is content with brown for the rest. A pixel of chroma
    C* weighs 1 + saturation_weight * C* / 110; the weights of a batch are normalized to mean 1.

    Kinds: "huber" and "l1" are means over pixels, in units of HUBER_DELTA. "log" is half the mean over photos of
    log(1 + MSE / (LOG_SCALE / 110)^2): a photo counts by how much better it gets relative to what it is, as in PSNR, so
    photos whose colours nobody could guess don't drown the others. It is the negative log-likelihood of errors with
    heavy tails, one scale a photo.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      fake_ab: float32 (B, H, W, 2), about [-1, 1].
      saturation_weight: 0 for the plain loss.
      kind: "huber", "l1" or "log".

    Returns:
      Scalar.

    Papers: the rebalancing idea is Zhang et al. 2016 (arXiv:1603.08511), there by class rarity; Huber on ab, Zhang et
    al. 2017 (arXiv:1705.02999); L1, Isola et al. 2017 (arXiv:1611.07004).
    """
    weight = saturation_weights(real_ab, saturation_weight)
    if kind == "log":
        error = tf.reduce_sum(tf.square(real_ab - fake_ab), axis=-1) * (color.AB_SCALE / LOG_SCALE) ** 2
        return 0.5 * replicas.share_of_mean(tf.math.log1p(tf.reduce_mean(weight * error, axis=[1, 2])))
    error = tf.abs(real_ab - fake_ab) * (color.AB_SCALE / HUBER_DELTA)
    if kind == "huber":
        error = tf.where(error < 1.0, 0.5 * tf.square(error), error - 0.5)
    return replicas.share_of_mean(weight * tf.reduce_sum(error, axis=-1))


def rgb_loss(real_rgb: tf.Tensor, fake_rgb: tf.Tensor) -> tf.Tensor:
    """Half the mean over photos of log(1 + MSE / RGB_LOG_SCALE^2), with the mean square error of R, G and B.

    The "log" kind of `chroma_loss`, but in the space where PSNR and colorfulness are measured. How far RGB moves for a
    step in ab depends on hue and lightness: a blue that misses by 20 units is a larger error than such a yellow.

    Args:
      real_rgb: float32 (B, H, W, 3) in [0, 1].
      fake_rgb: float32 (B, H, W, 3).

    Returns:
      Scalar; 1 dB of PSNR is 0.115 of it.
    """
    error = tf.reduce_mean(tf.square(real_rgb - fake_rgb), axis=[1, 2, 3])
    return 0.5 * replicas.share_of_mean(tf.math.log1p(error / RGB_LOG_SCALE**2))


def ciede2000_loss(l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tf.Tensor:
    """Mean CIEDE2000 difference in tens.

    Linear in the error where the chroma losses are quadratic: it asks for the median of the colours that a pixel may
    have, and they for the mean.

    Args:
      l: float32 (B, H, W, 1) in [-1, 1].
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      fake_ab: float32 (B, H, W, 2), about [-1, 1].

    Returns:
      Scalar, not quite 0 for equal colours: lightness is taken to differ a little, for a finite gradient there.

    Paper: Sharma, Wu and Dalal 2005.
    """
    real, fake = (color.join_lab(l, ab + 1e-6) for ab in (real_ab, fake_ab))
    difference = metrics.ciede2000(real, fake + [CIEDE2000_SMOOTHING, 0.0, 0.0])
    return replicas.share_of_mean(difference) / 10.0


def saturation_weights(real_ab: tf.Tensor, saturation_weight: float) -> tf.Tensor:
    """Weight of each pixel of (B, H, W, 2), mean 1 in the global batch: float32 (B, H, W); see `chroma_loss`."""
    weight = 1.0 + saturation_weight * tf.norm(real_ab, axis=-1)
    return weight / replicas.global_mean(weight)


def classification_loss(real_ab: tf.Tensor, logits: tf.Tensor, *, saturation_weight: float) -> tf.Tensor:
    """Cross-entropy of the colour class of each cell; vivid cells weigh more.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      logits: (B, h, w, NUM_AB_CLASSES), H and W multiples of h and w.
      saturation_weight: as for `chroma_loss`.

    Returns:
      Scalar in nats. The class of a cell is the square of AB_CLASS_SIZE in which its mean colour lies.

    Paper: colour classes with rebalancing, Zhang et al. 2016 (arXiv:1603.08511), there weighted by class rarity.
    """
    stride = real_ab.shape[1] // logits.shape[1]
    cell_ab = tf.nn.avg_pool2d(real_ab, stride, stride, "VALID")
    square = tf.cast(tf.floor((cell_ab * color.AB_SCALE + color.AB_SCALE) / AB_CLASS_SIZE), tf.int32)
    square = tf.clip_by_value(square, 0, _CLASSES_A_SIDE - 1)
    classes = square[..., 0] * _CLASSES_A_SIDE + square[..., 1]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, tf.cast(logits, tf.float32))
    return replicas.share_of_mean(saturation_weights(cell_ab, saturation_weight) * losses)


def perceptual_loss(real_features: list[tf.Tensor], fake_features: list[tf.Tensor]) -> tf.Tensor:
    """Mean absolute difference of two photos' features, relative to their size, averaged over layers.

    Args:
      real_features: of the originals, one (B, h, w, C) a layer.
      fake_features: of the results.

    Returns:
      Scalar; 0 for equal photos, about 1 for unrelated ones.

    Paper: Johnson et al. 2016 (arXiv:1603.08155), there squared and with VGG-16.
    """
    pairs = [
        (tf.cast(real, tf.float32), tf.cast(fake, tf.float32))
        for real, fake in zip(real_features, fake_features, strict=True)
    ]
    sizes = replicas.sum_over_replicas([replicas.share_of_mean(tf.abs(tf.stop_gradient(real))) for real, _ in pairs])
    terms = [
        replicas.share_of_mean(tf.abs(real - fake)) / (size + 1e-6)
        for (real, fake), size in zip(pairs, sizes, strict=True)
    ]
    return tf.add_n(terms) / len(terms)


def colorfulness_loss(
    real_rgb: tf.Tensor,
    fake_rgb: tf.Tensor,
    counted: tf.Tensor | None = None,
    num_counted: int | None = None,
    *,
    margin: float = 0.0,
) -> tf.Tensor:
    """How far the mean colorfulness of a batch of results is from that of the originals beyond a margin, in hundreds.

    The mean of the batch, not each photo's own, is to be met: no photo is asked for more colour than it has room for.
    The border, a sixteenth of each side, does not count. A network with zero padding knows where it is, and would paint
    a line of cyan above one of orange there: much colorfulness for few wrong pixels.

    Args:
      real_rgb: float32 (B, H, W, 3) in [0, 1].
      fake_rgb: float32 (B, H, W, 3).
      counted: bool (B,), the photos that the means are of; None for all.
      num_counted: how many those are in the global batch; given with `counted`.
      margin: difference that costs nothing, in units of colorfulness.

    Returns:
      Scalar; over all replicas at least 0.

    Papers: the measure, Hasler and Suesstrunk 2003; as a loss, DDColor, Kang et al. 2022 (arXiv:2212.11613), which
    rewards colorfulness without bound.
    """
    real, fake = (metrics.colorfulness(255.0 * _cut_border(rgb), epsilon=1.0) for rgb in (real_rgb, fake_rgb))
    difference = real - fake
    if counted is None:
        difference = replicas.share_of_mean(difference)
    else:
        difference = tf.reduce_sum(tf.where(counted, difference, 0.0)) / num_counted
    # |x| is x times its sign, and the sign is the global batch's.
    batch_difference = replicas.sum_over_replicas([tf.stop_gradient(difference)])[0]
    excess = tf.sign(batch_difference) * difference - margin / replicas.num_replicas()
    return tf.where(tf.abs(batch_difference) > margin, excess, 0.0) / 100.0


def _cut_border(image: tf.Tensor) -> tf.Tensor:
    """(B, H, W, C) without its outer H // 16 rows and W // 16 columns."""
    height, width = (tf.shape(image)[axis] for axis in (1, 2))
    rows, columns = height // 16, width // 16
    return image[:, rows : height - rows, columns : width - columns]


def overshoot_loss(real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tf.Tensor:
    """Square of how far areas of the results are more vivid than those of the originals, beyond a margin.

    Against blotches. The cheapest way to more colorfulness is a saturated patch in a photo whose colours the network
    cannot guess: the logarithm in the chroma losses forgives such photos, and CIEDE2000 counts chroma the less, the
    higher it is. Counted is the distance in the direction of the painted colour, so a patch of a wrong hue
    overshoots, and one that is as vivid as it should be, or paler, does not.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1], H and W multiples of OVERSHOOT_CELL.
      fake_ab: float32 (B, H, W, 2), about [-1, 1].

    Returns:
      Scalar; 1 where each area is OVERSHOOT_MARGIN + OVERSHOOT_SCALE too vivid.
    """
    real, fake = map(_area_means, (real_ab, fake_ab))
    chroma = tf.sqrt(tf.reduce_sum(tf.square(fake), axis=-1) + 1.0)  # the root of 0 has no finite gradient
    overshoot = chroma - tf.reduce_sum(real * fake, axis=-1) / chroma
    excess = tf.nn.relu(overshoot - OVERSHOOT_MARGIN) / OVERSHOOT_SCALE
    return replicas.share_of_mean(tf.square(excess))


def unevenness_loss(real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tf.Tensor:
    """Square of how far apart, beyond a margin, the results paint near areas whose true colours are alike.

    Against patches within one object: half a suit orange and half grey. The losses that look at each place alone hardly
    mind, and the eye does.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1], H and W multiples of OVERSHOOT_CELL and more than 3 of them.
      fake_ab: float32 (B, H, W, 2), about [-1, 1].

    Returns:
      Scalar. A pair of areas of OVERSHOOT_CELL pixels a side counts by how alike its true colours are: 1 if they are
      the same, 0 from UNEVENNESS_TOLERANCE on.
    """
    real, fake = map(_area_means, (real_ab, fake_ab))
    terms = []
    for rows, columns in UNEVENNESS_STEPS:
        alike = tf.nn.relu(1.0 - tf.norm(_difference(real, rows, columns), axis=-1) / UNEVENNESS_TOLERANCE)
        # The root of 0 has no finite gradient.
        apart = tf.sqrt(tf.reduce_sum(tf.square(_difference(fake, rows, columns)), axis=-1) + 1.0)
        excess = tf.nn.relu(apart - UNEVENNESS_MARGIN) / UNEVENNESS_SCALE
        terms.append(replicas.share_of_mean(alike * tf.square(excess)))
    return tf.add_n(terms) / len(terms)


def _area_means(ab: tf.Tensor) -> tf.Tensor:
    """The mean colours, in CIE units, of squares of OVERSHOOT_CELL pixels a side of (B, H, W, 2)."""
    return color.AB_SCALE * tf.nn.avg_pool2d(ab, OVERSHOOT_CELL, OVERSHOOT_CELL, "VALID")


def _difference(x: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    """Of each place of (B, H, W, C) that has another one so many rows above and columns to the left, theirs."""
    height, width = x.shape[1:3]
    left, right = max(-columns, 0), max(columns, 0)
    return x[:, rows:, right : width - left] - x[:, : height - rows, left : width - right]


def restraint_loss(real_ab: tf.Tensor, painted_ab: tf.Tensor, sure: tf.Tensor, *, quantile: float) -> tf.Tensor:
    """Quantile loss of how far out the true colours are in the direction of the painted ones.

    In a share `quantile` of the places, weighted as below, the truth is less far out than `sure` says. Places that
    are painted nearly grey don't count, and others the more, the redder and the more vivid they are painted.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      painted_ab: float32 (B, H/2, W/2, 2), before anything is held back.
      sure: float32 (B, h, w, 1), h and w parts of H/2 and W/2; the same units.
      quantile: in (0, 1).

    Returns:
      Scalar, 0 for a perfect prophecy.

    Paper: regression quantiles, Koenker and Bassett 1978.
    """
    real, painted = (
        tf.nn.avg_pool2d(ab, ab.shape[1] // sure.shape[1], ab.shape[1] // sure.shape[1], "VALID")
        for ab in (real_ab, painted_ab)
    )
    chroma = tf.norm(painted, axis=-1, keepdims=True)
    direction = painted / tf.maximum(chroma, 1e-6)
    error = tf.reduce_sum(real * direction, axis=-1, keepdims=True) - sure
    red = tf.maximum(direction[..., :1], 0.0) + 0.5
    weight = tf.where(chroma > RESTRAINT_MIN_CHROMA / color.AB_SCALE, red * tf.minimum(5.0 * chroma, 1.0), 0.0)
    weight /= tf.maximum(replicas.global_mean(weight), 1e-6)
    return replicas.share_of_mean(weight * tf.maximum(quantile * error, (quantile - 1.0) * error))


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Hinge loss of the discriminator (Lim and Ye 2017, arXiv:1705.02894); logits of any shape."""
    return replicas.share_of_mean(tf.nn.relu(1.0 - real_logits) + tf.nn.relu(1.0 + fake_logits))


def hinge_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator's side of the hinge loss: minus the mean logit of its photos."""
    return -replicas.share_of_mean(fake_logits)


def kl_loss(
    mean: tf.Tensor, log_variance: tf.Tensor, counted: tf.Tensor | None = None, num_counted: int | None = None
) -> tf.Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, I), in nats per photo.

    Args:
      mean: float32 (B, z_dim).
      log_variance: float32 (B, z_dim).
      counted: bool (B,), the photos that count; None for all.
      num_counted: how many those are in the global batch; given with `counted`.

    Returns:
      Scalar, mean over the batch (Kingma and Welling 2013, arXiv:1312.6114, appendix B).
    """
    terms = 1.0 + log_variance - tf.square(mean) - tf.exp(log_variance)
    divergence = -0.5 * tf.reduce_sum(terms, axis=-1)
    if counted is None:
        return replicas.share_of_mean(divergence)
    return tf.reduce_sum(tf.where(counted, divergence, 0.0)) / num_counted
