"""What the generator is asked to do: the sum of losses, each with its weight."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from colorization import color
from colorization.training import losses
from colorization.training.batch_roles import Roles


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the losses relative to the chroma loss; a loss of weight 0 is not computed.

    Attributes:
      chroma_kind: "huber", "l1" or "log", see `losses.chroma_loss`; or "log_rgb", see `losses.rgb_loss`.
      saturation: how much more vivid pixels count, see `losses.chroma_loss`.
      kl: of the noise encoder's KL loss.
      adversarial: of the hinge loss; needs a discriminator.
      classification: of the joint classification; needs the features of layer `FEATURES`.
      perceptual: of the perceptual loss; needs an encoder that looks at RGB.
      colorfulness: of the colorfulness loss.
      colorfulness_margin: no weight, but the difference in mean colorfulness that costs nothing.
      ciede2000: of the CIEDE2000 loss.
      overshoot: of the overshoot loss.
      unevenness: of the unevenness loss.
      restraint: of the restraint loss. If it is 0 and the quantile is not, restraint is taught alone: all else stays as
        it is, and this is the only loss.
      restraint_quantile: no weight, but what the restraint learns, see `losses.restraint_loss`; 0 for no restraint.
    """

    chroma_kind: str = "huber"
    saturation: float = 3.0
    kl: float = 0.002
    adversarial: float = 0.0
    classification: float = 0.0
    perceptual: float = 0.0
    colorfulness: float = 0.0
    colorfulness_margin: float = 0.0
    ciede2000: float = 0.0
    overshoot: float = 0.0
    unevenness: float = 0.0
    restraint: float = 0.0
    restraint_quantile: float = 0.0

    @property
    def restraint_alone(self) -> bool:
        """Whether nothing but the restraint is taught."""
        return self.restraint_quantile > 0 and not self.restraint


FEATURES = "decoder_8"  # layer of the generator whose features the classification reads


class Objective:
    """Computes the losses on (l, real_ab, fake_ab) that don't involve the other networks."""

    def __init__(self, weights: LossWeights, *, classifier: keras.layers.Layer | None, encoder: keras.Model | None):
        """Keeps what the losses need.

        Args:
          weights: of the losses.
          classifier: linear layer, features (B, h, w, C) -> logits; needed with a classification weight. Used in
            training only: joint classification and regression, Zhang et al. 2017 (arXiv:1705.02999).
          encoder: frozen, rgb in [-1, 1] -> list of features; needed with a perceptual weight.

        Raises:
          ValueError: if a loss lacks its network, or "log_rgb" comes with a saturation weight, which it has no use for.
        """
        if weights.chroma_kind == "log_rgb" and weights.saturation and not weights.classification:
            raise ValueError("the chroma loss log_rgb weighs all pixels the same: it needs a saturation weight of 0")
        if weights.classification and classifier is None:
            raise ValueError("a classification loss needs a classifier")
        if weights.perceptual and encoder is None:
            raise ValueError("a perceptual loss needs an encoder")
        self.weights, self.classifier, self.encoder = weights, classifier, encoder

    def chroma_loss(self, l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tf.Tensor:
        """The chroma loss of these weights, scalar; arguments as of `compute`."""
        if self.weights.chroma_kind == "log_rgb":
            l, real_ab, fake_ab = map(_halve, (l, real_ab, fake_ab))
            return losses.rgb_loss(color.l_ab_to_rgb(l, real_ab), color.l_ab_to_rgb(l, fake_ab))
        return losses.chroma_loss(
            real_ab, fake_ab, saturation_weight=self.weights.saturation, kind=self.weights.chroma_kind
        )

    def compute(
        self, l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor, seen: Sequence[tf.Tensor], roles: Roles
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Computes each loss and their weighted sum.

        What compares colours as RGB or by CIEDE2000 sees means of squares of 2 x 2 pixels: the generators that matter
        paint chroma at half the resolution anyway, and conversions of every pixel take a fifth of a step on a CPU.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).
          fake_ab: float32 (B, H, W, 2).
          seen: what the generator's layers of `layer_names` make.
          roles: of the photos; the colorfulness counts of the automatic ones.

        Returns:
          Dict of scalars by name; scalar sum. On several replicas, each's share.
        """
        weights = self.weights
        restraint = {}
        if weights.restraint_quantile:
            *seen, painted_ab, sure = seen
            # What is painted does not learn from being unsure: the other losses see it held back.
            restraint["restraint_loss"] = losses.restraint_loss(
                real_ab, tf.stop_gradient(painted_ab), sure, quantile=weights.restraint_quantile
            )
            if weights.restraint_alone:
                return restraint, restraint["restraint_loss"]
        values = {"chroma_loss": self.chroma_loss(l, real_ab, fake_ab)} | restraint
        total = values["chroma_loss"]
        if restraint:
            total += weights.restraint * restraint["restraint_loss"]
        if weights.classification:
            logits = self.classifier(seen[0])
            values["classification_loss"] = losses.classification_loss(
                real_ab, logits, saturation_weight=weights.saturation
            )
            total += weights.classification * values["classification_loss"]
        if weights.perceptual:
            real_rgb, fake_rgb = color.l_ab_to_rgb(l, real_ab), color.l_ab_to_rgb(l, fake_ab)
            features = [self.encoder(2.0 * rgb - 1.0, training=False)[1:4] for rgb in (real_rgb, fake_rgb)]
            values["perceptual_loss"] = losses.perceptual_loss(*features)
            total += weights.perceptual * values["perceptual_loss"]
        half_l, half_real_ab, half_fake_ab = map(_halve, (l, real_ab, fake_ab))
        if weights.colorfulness:
            real_rgb, fake_rgb = (color.l_ab_to_rgb(half_l, ab) for ab in (half_real_ab, half_fake_ab))
            values["colorfulness_loss"] = losses.colorfulness_loss(
                real_rgb, fake_rgb, roles.automatic, roles.num_automatic, margin=weights.colorfulness_margin
            )
            total += weights.colorfulness * values["colorfulness_loss"]
        if weights.ciede2000:
            values["ciede2000_loss"] = losses.ciede2000_loss(half_l, half_real_ab, half_fake_ab)
            total += weights.ciede2000 * values["ciede2000_loss"]
        if weights.overshoot:
            values["overshoot_loss"] = losses.overshoot_loss(real_ab, fake_ab)
            total += weights.overshoot * values["overshoot_loss"]
        if weights.unevenness:
            values["unevenness_loss"] = losses.unevenness_loss(real_ab, fake_ab)
            total += weights.unevenness * values["unevenness_loss"]
        return values, total

    def layer_names(self) -> list[str]:
        """Names of the generator's layers whose outputs `compute` needs beside its result."""
        restraint = ["half_ab", "restraint_sure"] if self.weights.restraint_quantile else []
        return ([FEATURES] if self.weights.classification else []) + restraint

    def loss_names(self) -> list[str]:
        """Names of the losses that `compute` returns."""
        if self.weights.restraint_alone:
            return ["restraint_loss"]
        names = ("restraint", "classification", "perceptual", "colorfulness", "ciede2000", "overshoot", "unevenness")
        extra = [name for name in names if getattr(self.weights, name)]
        return ["chroma_loss", *(f"{name}_loss" for name in extra)]


def _halve(x: tf.Tensor) -> tf.Tensor:
    """Means of squares of 2 x 2 pixels of (B, H, W, C)."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")
