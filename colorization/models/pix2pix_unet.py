"""The plain U-Net generator of pix2pix: the reference design that others are measured against.

Inputs, output and the handling of sizes are those of `mobilenet_unet.py`: l (B, H, W, 1) in [-1, 1], z (B, z_dim) and
hints (B, H, W, 3) -> ab (B, H, W, 2) in [-1, 1]; here ab leaves through tanh at full resolution, as published, and the
hints enter beside l.

Stages: 4x4 convolutions of stride 2 halve the image `num_stages` times, `z` modulates the bottleneck, transposed
convolutions bring it back, each joined with the encoder's features of its size. Batch norm, leaky ReLU down, ReLU
up. The paper's dropout noise is replaced by `z`. Sizes are stretched to the next multiple of 2 ** num_stages.

Paper: Image-to-Image Translation with Conditional Adversarial Networks, Isola et al. 2017 (arXiv:1611.07004).
"""

import keras
from keras import layers

from colorization.models.layers import ResizeLike, ResizeToMultiple, modulate


def build_pix2pix_unet(*, z_dim: int = 8, base_filters: int = 64, num_stages: int = 7) -> keras.Model:
    """Builds the plain U-Net.

    Args:
      z_dim: length of the noise vector.
      base_filters: channels of the first stage; they double up to 8 times that.
      num_stages: how many times the image is halved; 7 for 128 px, 8 for 256 px as in the paper.

    Returns:
      keras.Model with inputs [l, z, hints] and output ab.
    """
    l = keras.Input((None, None, 1), name="l")
    z = keras.Input((z_dim,), name="z")
    hints = keras.Input((None, None, 3), name="hints")
    x = ResizeToMultiple(2**num_stages, name="to_multiple")(layers.Concatenate(name="l_and_hints")([l, hints]))
    skips = []
    for stage in range(num_stages):
        # The first stage has no norm in the paper; at the bottleneck, one pixel per image, it would erase the signal.
        x = _down(x, base_filters * min(2**stage, 8), f"down_{stage}", norm=0 < stage < num_stages - 1)
        skips.append(x)
    x = modulate(skips.pop(), z, "mood")
    for stage in reversed(range(num_stages - 1)):
        x = _up(x, base_filters * min(2**stage, 8), f"up_{stage}")
        x = layers.Concatenate(name=f"up_{stage}_joined")([x, skips.pop()])
    x = layers.Conv2DTranspose(2, 4, 2, padding="same", activation="tanh", dtype="float32", name="tanh_ab")(x)
    ab = ResizeLike(dtype="float32", name="ab")(x, reference=l)
    return keras.Model([l, z, hints], ab, name="pix2pix_unet")


def _down(x, filters: int, name: str, norm: bool):
    """Halves (B, H, W, C) to (B, H/2, W/2, filters)."""
    x = layers.Conv2D(filters, 4, 2, padding="same", use_bias=not norm, name=name)(x)
    if norm:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)


def _up(x, filters: int, name: str):
    """Doubles (B, H, W, C) to (B, 2H, 2W, filters)."""
    x = layers.Conv2DTranspose(filters, 4, 2, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
