"""Losses, each a scalar float32."""

import tensorflow as tf

from colorization import color

HUBER_DELTA = 20.0  # CIE ab units: below it errors count quadratically, above linearly


def chroma_loss(real_ab: tf.Tensor, fake_ab: tf.Tensor, *, saturation_weight: float) -> tf.Tensor:
    """Huber loss on chroma in which vivid pixels weigh more.

    Most pixels of most photos are nearly grey, and a plain loss is content with brown for the rest. A pixel of chroma
    C* weighs 1 + saturation_weight * C* / 110; the weights of a batch are normalized to mean 1.

    Args:
      real_ab: float32 (B, H, W, 2) in [-1, 1].
      fake_ab: float32 (B, H, W, 2), about [-1, 1].
      saturation_weight: 0 for the plain Huber loss.

    Returns:
      Scalar, in units of HUBER_DELTA.

    Papers: the rebalancing idea is Zhang et al. 2016 (arXiv:1603.08511), there by class rarity; Huber on ab, Zhang et
    al. 2017 (arXiv:1705.02999).
    """
    error = tf.abs(real_ab - fake_ab) * (color.AB_SCALE / HUBER_DELTA)
    huber = tf.reduce_sum(tf.where(error < 1.0, 0.5 * tf.square(error), error - 0.5), axis=-1)
    weight = 1.0 + saturation_weight * tf.norm(real_ab, axis=-1)
    return tf.reduce_mean(weight * huber) / tf.reduce_mean(weight)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Hinge loss of the discriminator (Lim and Ye 2017, arXiv:1705.02894); logits of any shape."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_logits)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_logits))


def hinge_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator's side of the hinge loss: minus the mean logit of its photos."""
    return -tf.reduce_mean(fake_logits)


def kl_loss(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, I), in nats per photo.

    Args:
      mean: float32 (B, z_dim).
      log_variance: float32 (B, z_dim).

    Returns:
      Scalar, mean over the batch (Kingma and Welling 2013, arXiv:1312.6114, appendix B).
    """
    terms = 1.0 + log_variance - tf.square(mean) - tf.exp(log_variance)
    return -0.5 * tf.reduce_mean(tf.reduce_sum(terms, axis=-1))
