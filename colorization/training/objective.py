"""What the generator is asked to do: the sum of losses, each with its weight."""

import dataclasses

import keras
import tensorflow as tf

from colorization import color
from colorization.training import losses


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the losses relative to the chroma loss; a loss of weight 0 is not computed.

    Attributes:
      chroma_kind: "huber", "l1" or "log", see `losses.chroma_loss`.
      saturation: how much more vivid pixels count, see `losses.chroma_loss`.
      kl: of the noise encoder's KL loss.
      adversarial: of the hinge loss; needs a discriminator.
      classification: of the joint classification; needs the features of layer `FEATURES`.
      perceptual: of the perceptual loss; needs an encoder that looks at RGB.
      colorfulness: of the colorfulness loss.
    """

    chroma_kind: str = "huber"
    saturation: float = 3.0
    kl: float = 0.002
    adversarial: float = 0.0
    classification: float = 0.0
    perceptual: float = 0.0
    colorfulness: float = 0.0


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
          ValueError: if a loss lacks its network.
        """
        if weights.classification and classifier is None:
            raise ValueError("a classification loss needs a classifier")
        if weights.perceptual and encoder is None:
            raise ValueError("a perceptual loss needs an encoder")
        self.weights, self.classifier, self.encoder = weights, classifier, encoder

    def chroma_loss(self, real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tf.Tensor:
        """The chroma loss of these weights, scalar."""
        return losses.chroma_loss(
            real_ab, fake_ab, saturation_weight=self.weights.saturation, kind=self.weights.chroma_kind
        )

    def compute(
        self, l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor, features: tf.Tensor | None, automatic: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Computes each loss and their weighted sum.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).
          fake_ab: float32 (B, H, W, 2).
          features: the generator's at layer FEATURES, or None.
          automatic: int32 scalar; the colorfulness counts of the photos from this one on.

        Returns:
          Dict of scalars by name; scalar sum.
        """
        weights = self.weights
        values = {"chroma_loss": self.chroma_loss(real_ab, fake_ab)}
        total = values["chroma_loss"]
        if weights.classification:
            logits = self.classifier(features)
            values["classification_loss"] = losses.classification_loss(
                real_ab, logits, saturation_weight=weights.saturation
            )
            total += weights.classification * values["classification_loss"]
        if weights.perceptual or weights.colorfulness:
            real_rgb, fake_rgb = color.l_ab_to_rgb(l, real_ab), color.l_ab_to_rgb(l, fake_ab)
        if weights.perceptual:
            features = [self.encoder(2.0 * rgb - 1.0, training=False)[1:4] for rgb in (real_rgb, fake_rgb)]
            values["perceptual_loss"] = losses.perceptual_loss(*features)
            total += weights.perceptual * values["perceptual_loss"]
        if weights.colorfulness:
            values["colorfulness_loss"] = losses.colorfulness_loss(real_rgb[automatic:], fake_rgb[automatic:])
            total += weights.colorfulness * values["colorfulness_loss"]
        return values, total

    def loss_names(self) -> list[str]:
        """Names of the losses that `compute` returns."""
        extra = [name for name in ("classification", "perceptual", "colorfulness") if getattr(self.weights, name)]
        return ["chroma_loss", *(f"{name}_loss" for name in extra)]
