"""U-Net generator on an ImageNet encoder: lightness, noise and colour hints in, chroma out.

Inputs:
  l: (B, H, W, 1) lightness in [-1, 1].
  z: (B, z_dim) noise; 0 is the automatic colour, z ~ N(0, I) gives other moods of the same photo.
  hints: (B, H, W, 3) colours that a person asks for: ab in [-1, 1] where the mask, the third channel, is 1; else 0.
Output:
  ab: (B, H, W, 2) chroma, float32, about [-1, 1] (not clipped: a saturated output would have no gradient).

Stages: (1) `l`, repeated to three channels, goes through MobileNet v1 tapped at strides 2, 4, 8, 16, 32
(`encoder.py`). (2) The coarsest features are modulated by `z`: mood is global. (3) Four times: project to fewer
channels, upsample 2x, join the encoder's features of that resolution and the hints, one 3x3 convolution. At stride
16 all positions then look at each other, twice: so a hint reaches the whole of its object, and the halves of a sky
agree. (4) Chroma is predicted at half resolution and upsampled bilinearly: the eye resolves colour less finely than
lightness, and the last full-resolution stage would cost as much as all others.

A restrained generator has a side branch that reads the decoder and says, for each cell of 8 x 8 pixels, how far from
grey its colour is sure to be. Red far beyond that is held back, for what a network paints where it cannot guess is
red; `layers.Restrain` can hold back other hues, too.

Fully convolutional. H, W of any size >= 1: sizes that 32 does not divide are stretched to the next multiple inside,
and the chroma comes back at H, W.

Papers: U-Net, Ronneberger et al. 2015 (arXiv:1505.04597); encoder as feature extractor for colorization, Larsson et
al. 2016 (arXiv:1603.06668); hints, Zhang et al. 2017 (arXiv:1705.02999).
"""

import keras
from keras import layers

from colorization.models.encoder import build_folded_encoder, build_mobilenet_encoder
from colorization.models.layers import (
    PoolHints,
    ResizeLike,
    ResizeToMultiple,
    Restrain,
    attention_block,
    modulate,
)

# Channels of the decoder at strides 16, 8, 4, 2. What enters a stage from below and from the encoder is projected to
# as many each, so that every stage costs the same: 75 million multiplications for a 128 px photo.
DECODER_FILTERS = (256, 128, 64, 32)
RESTRAINT = "restraint"  # the names of its layers begin with that
_RESTRAINT_FILTERS = 96
_SURE_AT_FIRST = 0.4  # of ab / 110: farther out than nearly all colours are


def build_mobilenet_unet(
    *,
    z_dim: int = 8,
    encoder_weights: str | None = None,
    alpha: float = 1.0,
    frozen_until: int = 5,
    decoder_filters: tuple[int, ...] = DECODER_FILTERS,
    folded: bool = False,
    restrained: bool = False,
) -> keras.Model:
    """Builds the U-Net generator.

    Args:
      z_dim: length of the noise vector.
      encoder_weights: "imagenet", a path to MobileNet weights, or None to train the encoder from scratch.
      alpha: width multiplier of the encoder.
      frozen_until: with pretrained weights, encoder blocks up to this one stay fixed (0..12).
      decoder_filters: channels of the decoder at strides 16, 8, 4 and 2.
      folded: build the structure of a pretrained encoder without weights, to restore a checkpoint into.
      restrained: hold back reds that are not sure; untrained, it takes all for sure.

    Returns:
      keras.Model with inputs [l, z, hints] and output ab.

    Raises:
      ValueError: if the encoder's weights can't be used.
    """
    if folded:
        encoder = build_folded_encoder(alpha=alpha, frozen_until=frozen_until)
    else:
        encoder = build_mobilenet_encoder(encoder_weights, alpha=alpha, frozen_until=frozen_until)
    l = keras.Input((None, None, 1), name="l")
    z = keras.Input((z_dim,), name="z")
    hints = keras.Input((None, None, 3), name="hints")
    stretched = ResizeToMultiple(32, name="to_multiple_of_32")(l)
    *skips, x = encoder(layers.Concatenate(name="grey_rgb")([stretched] * 3))
    stretched_hints = ResizeToMultiple(32, name="hints_to_multiple_of_32")(hints)

    x = _conv(x, decoder_filters[0], 1, "bottleneck")  # (B, H/32, W/32, 256)
    x = modulate(x, z, "mood")
    features = []
    for stage, (skip, filters) in enumerate(zip(reversed(skips), decoder_filters, strict=True)):
        stride = 2 ** (4 - stage)  # of its output
        name = f"decoder_{stride}"
        x = _conv(x, filters, 1, f"{name}_up")
        skip = _conv(skip, filters, 1, f"{name}_skip")
        # TensorFlow interpolates in float32 anyway; said so, XLA can compile the gradient, too.
        x = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32", name=f"{name}_upsampled")(x)
        skip = layers.Add(name=f"{name}_hinted")([skip, _hint_features(stretched_hints, stride, filters, name)])
        x = layers.Concatenate(name=f"{name}_joined")([x, skip])
        x = _conv(x, filters, 3, name)
        if stage == 0:
            x = modulate(x, z, "mood_16")
            for index in range(2):
                x = attention_block(x, f"attention_{index}")
        features.append(x)

    half = layers.Conv2D(2, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="half_ab")(x)
    if restrained:
        sure = layers.UpSampling2D(4, interpolation="bilinear", dtype="float32", name=f"{RESTRAINT}_upsampled")(
            _sure_chroma(features, half)
        )
        half = Restrain(dtype="float32", name=f"{RESTRAINT}_ab")(half, sure)
    ab = ResizeLike(dtype="float32", name="ab")(half, reference=l)
    return keras.Model([l, z, hints], ab, name="mobilenet_unet")


def _sure_chroma(features, half_ab):
    """How far from grey the colours are sure to be: float32 (B, H/8, W/8, 1), of ab / 110.

    Args:
      features: of the decoder, at strides 16, 8, 4 and 2.
      half_ab: its chroma (B, H/2, W/2, 2).
    """

    def project(x, name):
        return layers.Conv2D(_RESTRAINT_FILTERS, 1, name=f"{RESTRAINT}_{name}")(x)

    coarse, middle, fine, _ = features
    parts = [middle, layers.AveragePooling2D(2, name=f"{RESTRAINT}_pooled_4")(fine)]
    cell_ab = layers.AveragePooling2D(4, name=f"{RESTRAINT}_pooled_ab")(half_ab)
    parts.append(layers.Rescaling(5.0, name=f"{RESTRAINT}_scaled_ab")(cell_ab))  # as large as features are
    whole = layers.GlobalAveragePooling2D(keepdims=True, name=f"{RESTRAINT}_pooled_all")(coarse)
    x = layers.Add(name=f"{RESTRAINT}_added")(
        [
            layers.UpSampling2D(2, interpolation="bilinear", dtype="float32", name=f"{RESTRAINT}_upsampled_16")(
                project(coarse, "16")
            ),
            project(layers.Concatenate(name=f"{RESTRAINT}_joined")(parts), "8"),
            project(whole, "all"),
        ]
    )
    x = layers.ReLU(name=f"{RESTRAINT}_relu")(x)
    x = _conv(x, _RESTRAINT_FILTERS, 3, f"{RESTRAINT}_conv")
    return layers.Conv2D(
        1,
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_SURE_AT_FIRST),
        dtype="float32",
        name=f"{RESTRAINT}_sure",
    )(x)


def _hint_features(hints, stride: int, filters: int, name: str):
    """Features (B, H/stride, W/stride, filters) of the hints (B, H, W, 3); exactly 0 where no hint is near."""
    pooled = PoolHints(stride, name=f"{name}_hints")(hints)
    # Zeros: untrained, hints change nothing.
    return layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer="zeros", name=f"{name}_hint_conv"
    )(pooled)


def _conv(x, filters: int, size: int, name: str):
    """Convolution and ReLU."""
    return layers.Conv2D(filters, size, padding="same", activation="relu", kernel_initializer="he_normal", name=name)(x)
