"""Noise encoder: which `z` would make the generator give this photo these colours?

Without it a generator learns to ignore its noise. During training a part of each batch gets its `z` from here
(sampled from the predicted Gaussian), the rest z = 0: the generator learns what the noise is for, and the KL term
keeps it close to N(0, I), from which samples are drawn later.

Inputs:
  l: (B, H, W, 1) lightness in [-1, 1].
  ab: (B, H, W, 2) chroma in [-1, 1] of the true photo.
Outputs:
  mean, log_variance: (B, z_dim) float32 of the Gaussian posterior of z.

It sees the photo at an eighth of its size: `z` is a mood, not a map.

Papers: BicycleGAN, Zhu et al. 2017 (arXiv:1711.11586); Auto-Encoding Variational Bayes, Kingma and Welling 2013
(arXiv:1312.6114).
"""

import keras
from keras import layers


def build_noise_encoder(*, z_dim: int = 8, base_filters: int = 32) -> keras.Model:
    """Builds the noise encoder.

    Args:
      z_dim: length of the noise vector.
      base_filters: channels of the first stage, then x2, x4.

    Returns:
      keras.Model with inputs [l, ab] and outputs [mean, log_variance].
    """
    l = keras.Input((None, None, 1), name="l")
    ab = keras.Input((None, None, 2), name="ab")
    x = layers.Concatenate(name="lab")([l, ab])
    x = layers.AveragePooling2D(8, name="eighth")(x)
    for stage in range(3):
        x = layers.Conv2D(
            base_filters * 2**stage,
            3,
            strides=1 if stage == 0 else 2,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"stage_{stage}",
        )(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    mean = layers.Dense(z_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(z_dim, dtype="float32", kernel_initializer="zeros", name="log_variance")(x)
    return keras.Model([l, ab], [mean, log_variance], name="noise_encoder")
