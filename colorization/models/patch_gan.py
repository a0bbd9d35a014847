"""PatchGAN discriminator: is each 70x70 patch of this colour photo real?

Inputs:
  l: (B, H, W, 1) lightness in [-1, 1], the condition.
  ab: (B, H, W, 2) chroma in [-1, 1], real or generated.
Output:
  logits: (B, h, w, 1) float32, one per overlapping 70x70 patch (14x14 of them at 128 px); above 0 means real.

Five 4x4 convolutions, three of stride 2, with 1, 2, 4, 4 times base_filters channels and one logit. Spectral
normalization instead of batch norm keeps the discriminator 1-Lipschitz, which is what the hinge loss wants.

Papers: PatchGAN, Isola et al. 2017 (arXiv:1611.07004); spectral normalization, Miyato et al. 2018 (arXiv:1802.05957).
"""

import keras
from keras import layers


def build_patch_gan(*, base_filters: int = 32) -> keras.Model:
    """Builds the discriminator.

    Args:
      base_filters: channels of the first stage, then x2, x4, x4. The paper has 64, and x8 in the last stage; this
        takes a sixth of its arithmetic, which on a CPU is the difference between an adversarial phase and none.

    Returns:
      keras.Model with inputs [l, ab] and output logits. Call it with training=True to update its spectral norms.
    """
    l = keras.Input((None, None, 1), name="l")
    ab = keras.Input((None, None, 2), name="ab")
    x = layers.Concatenate(name="lab")([l, ab])
    for stage, stride in enumerate((2, 2, 2, 1)):
        x = _spectral_conv(base_filters * min(2**stage, 4), stride, f"stage_{stage}")(x)
        x = layers.LeakyReLU(0.2, name=f"stage_{stage}_relu")(x)
    logits = _spectral_conv(1, 1, "logits")(x)
    logits = layers.Activation("linear", dtype="float32", name="float32_logits")(logits)
    return keras.Model([l, ab], logits, name="patch_gan")


def _spectral_conv(filters: int, stride: int, name: str) -> layers.Layer:
    """4x4 convolution with one pixel of padding per side, as published: stride 1 loses a row, stride 2 halves."""
    conv = layers.Conv2D(filters, 4, stride, padding="valid", name=f"{name}_conv")
    normalized = layers.SpectralNormalization(conv, name=name)
    return lambda x: normalized(layers.ZeroPadding2D(1, name=f"{name}_padding")(x))
