"""Frechet Inception Distance between sets of images (Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update
Rule Converge to a Local Nash Equilibrium").

Features: the 2,048 average-pooled activations of `keras.applications.InceptionV3`, of images resized to 299 x 299 with
bilinear interpolation. These weights are not the ones of the original FID code, and the distance is biased upwards for
few images: compare only values from this file with the same photos in the same number.
"""

import keras
import numpy as np
import tensorflow as tf

from colorization.evaluation.photos import SIZE

INPUT_SIZE = 299  # px, what Inception v3 was trained on


class InceptionWeightsError(ValueError):
    """The weights cannot be had; the message is one line."""


class FeatureStatistics:
    """Mean and covariance of feature vectors, gathered batch by batch in float64."""

    def __init__(self, num_features: int):
        """Starts empty.

        Args:
          num_features: length of a feature vector.
        """
        self.count = 0
        self._sum = np.zeros(num_features)
        self._outer = np.zeros((num_features, num_features))

    def update(self, features: np.ndarray) -> None:
        """Adds feature vectors, float (B, num_features)."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self._sum += features.sum(axis=0)
        self._outer += features.T @ features

    @property
    def mean(self) -> np.ndarray:
        """float64 (num_features,)."""
        return self._sum / self.count

    @property
    def covariance(self) -> np.ndarray:
        """float64 (num_features, num_features), unbiased; needs two vectors."""
        return (self._outer - self.count * np.outer(self.mean, self.mean)) / (self.count - 1)


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Squared Frechet distance of two Gaussians: |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    Args:
      a: statistics of at least two vectors.
      b: statistics of at least two vectors, as many features.

    Returns:
      the distance, 0 for equal statistics.
    """
    # tr (A B)^(1/2) = sum of the square roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric: stable
    # for the rank-deficient covariances of few images, where a general matrix square root is not.
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace = np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * np.sqrt(np.maximum(product, 0.0)).sum()
    return max(0.0, float(np.sum((a.mean - b.mean) ** 2) + trace))  # rounding may go below 0


def build_inception(weights: str | None) -> keras.Model:
    """Builds the feature extractor.

    Args:
      weights: "imagenet" (from Keras' cache, or downloaded: 84 MiB), the path of a file of InceptionV3 weights without
        the classifier (`..._notop.h5`), or None for random weights.

    Returns:
      model from rgb uint8 or float32 0..255 (B, 256, 256, 3) to features float32 (B, 2048).

    Raises:
      InceptionWeightsError: the weights can neither be found nor downloaded, or don't fit.
    """
    try:
        inception = keras.applications.InceptionV3(
            include_top=False, weights=weights, input_shape=(INPUT_SIZE, INPUT_SIZE, 3), pooling="avg"
        )
    except Exception as error:  # Keras raises a bare Exception for a failed download
        reason = " ".join(str(error).split())[:200]
        raise InceptionWeightsError(f"InceptionV3 weights {weights!r}: {reason}") from error
    rgb = keras.Input((SIZE, SIZE, 3), name="rgb")
    x = keras.layers.Resizing(INPUT_SIZE, INPUT_SIZE)(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(rgb))
    return keras.Model(rgb, inception(x, training=False), name="inception_features")


class FidMeter:
    """FID of the results, and of the grey baseline, against the originals."""

    def __init__(self, inception: keras.Model):
        """Starts empty.

        Args:
          inception: from `build_inception`.
        """
        self._features = tf.function(lambda rgb: inception(tf.cast(rgb, tf.float32)))
        num_features = inception.output_shape[-1]
        self._statistics = {name: FeatureStatistics(num_features) for name in ("original", "result", "grey")}

    def update(self, *, original: np.ndarray, result: np.ndarray, grey: np.ndarray) -> None:
        """Adds images, rgb uint8 (B, 256, 256, 3) each."""
        for name, rgb in (("original", original), ("result", result), ("grey", grey)):
            self._statistics[name].update(self._features(rgb).numpy())

    def distances(self) -> tuple[float, float]:
        """FID of the results and of the grey baseline; needs at least two images."""
        original = self._statistics["original"]
        return tuple(frechet_distance(self._statistics[name], original) for name in ("result", "grey"))
