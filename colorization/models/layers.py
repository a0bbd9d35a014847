"""Layers that the generators share."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="colorization")
class ResizeToMultiple(layers.Layer):
    """Stretches an image so that height and width become multiples of `multiple`.

    A stretch of a few percent keeps the borders natural, where padding would show the network a frame. A static
    size that already fits passes through untouched, so training pays nothing.

    Input: (B, H, W, C), any H, W >= 1. Output: (B, H', W', C), H' and W' the next multiples.
    """

    def __init__(self, multiple: int, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs):
        height, width = inputs.shape[1:3]
        if height is not None and width is not None and height % self.multiple == 0 and width % self.multiple == 0:
            return inputs
        height, width = ops.shape(inputs)[1:3]
        return ops.image.resize(inputs, (self._round_up(height), self._round_up(width)), interpolation="bilinear")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height = None if height is None else self._round_up(height)
        width = None if width is None else self._round_up(width)
        return (batch, height, width, channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}

    def _round_up(self, size):
        return (size + self.multiple - 1) // self.multiple * self.multiple


@keras.saving.register_keras_serializable(package="colorization")
class ResizeLike(layers.Layer):
    """Resizes `inputs` (B, h, w, C) bilinearly to the height and width of `reference` (B, H, W, *)."""

    def call(self, inputs, reference):
        return ops.image.resize(inputs, ops.shape(reference)[1:3], interpolation="bilinear")

    def compute_output_shape(self, inputs_shape, reference_shape):
        return (inputs_shape[0], *reference_shape[1:3], inputs_shape[3])


@keras.saving.register_keras_serializable(package="colorization")
class PoolHints(layers.Layer):
    """Shrinks colour hints by `stride`: each cell gets the mean colour of its hinted pixels and a mask.

    Input: (B, H, W, 3), H and W multiples of `stride`: ab times mask, mask. Output: (B, H/stride, W/stride, 3): ab
    where there is any hint, else 0; mask. One hinted pixel counts as much as a full cell.
    """

    def __init__(self, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, inputs):
        mean = ops.average_pool(inputs, self.stride, self.stride)
        mask = ops.minimum(mean[..., 2:] * self.stride**2, 1.0)
        return ops.concatenate([mean[..., :2] * (mask / ops.maximum(mean[..., 2:], 1e-6)), mask], axis=-1)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height // self.stride,
            None if width is None else width // self.stride,
            channels,
        )

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package="colorization")
class Restrain(layers.Layer):
    """Makes unsure reds pale, and other unsure colours too if it is told to; sure ones stay as they are.

    Inputs: `ab` (B, H, W, 2); `sure` (B, H, W, 1), how far from grey the colour is sure to be, 0 if that is negative.
    Output: `ab`, in which red is at most KNEE + (boldness * sure)^2 / KNEE away from grey: what is not sure at all is
    held at KNEE, and what is sure to be thrice as far out is as good as free. Other hues are limited in the same way
    with `other_boldness`, or not at all if that is None. No gradient reaches `sure`, which has a loss of its own: else
    it would learn to please the other losses instead of to tell the truth.

    Both may be changed any time, for results that are bolder (more than 1) or more careful (less).
    """

    KNEE = 0.11  # of ab / 110: 12 CIE units
    _AXIS = (0.985, 0.174)  # red: 10 degrees in the (a*, b*) plane
    _OUTSIDE, _INSIDE = 0.42, 0.71  # cosine of the distance from it: 65 degrees away is not red, 45 degrees fully

    def __init__(self, boldness: float = 1.0, other_boldness: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.boldness, self.other_boldness = boldness, other_boldness

    def call(self, ab, sure):
        chroma = ops.sqrt(ops.sum(ops.square(ab), axis=-1, keepdims=True) + 1e-6)
        cosine = (self._AXIS[0] * ab[..., :1] + self._AXIS[1] * ab[..., 1:]) / chroma
        red = ops.clip((cosine - self._OUTSIDE) / (self._INSIDE - self._OUTSIDE), 0.0, 1.0)
        sure = ops.maximum(ops.stop_gradient(sure), 0.0)
        excess = red * self._excess(chroma, self.boldness * sure)
        if self.other_boldness is not None:
            excess = excess + (1.0 - red) * self._excess(chroma, self.other_boldness * sure)
        return ab * (1.0 - excess)

    def _excess(self, chroma, sure):
        """The share of the chroma beyond the limit."""
        return ops.relu(1.0 - (self.KNEE + sure * sure / self.KNEE) / chroma)

    def compute_output_shape(self, ab_shape, sure_shape):
        return ab_shape

    def get_config(self):
        return {**super().get_config(), "boldness": self.boldness, "other_boldness": self.other_boldness}


@keras.saving.register_keras_serializable(package="colorization")
class DotProductAttention(layers.Layer):
    """Lets every position look at every other, whatever their number.

    Inputs: (B, H, W, 3 * C), queries, keys and values. Output: (B, H, W, C).

    Paper: multi-head attention, Vaswani et al. 2017 (arXiv:1706.03762).
    """

    def __init__(self, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def call(self, inputs):
        batch, height, width = ops.shape(inputs)[:3]
        channels = inputs.shape[-1] // 3
        heads = ops.reshape(inputs, (batch, height * width, 3, self.num_heads, channels // self.num_heads))
        attended = ops.dot_product_attention(heads[:, :, 0], heads[:, :, 1], heads[:, :, 2])  # (B, H*W, heads, C/heads)
        return ops.reshape(attended, (batch, height, width, channels))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


def attention_block(x, name: str, *, num_heads: int = 4):
    """Self-attention and two dense layers on (B, H, W, C), each added to what it gets; untrained, it changes nothing.

    The dense layers are written as 1x1 convolutions, which CPUs run faster.

    Paper: pre-norm transformer block, Xiong et al. 2020 (arXiv:2002.04745).
    """
    channels = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
    y = layers.Conv2D(3 * channels, 1, use_bias=False, name=f"{name}_qkv")(y)
    y = DotProductAttention(num_heads, name=f"{name}_attention")(y)
    y = layers.Conv2D(channels, 1, kernel_initializer="zeros", name=f"{name}_project")(y)
    x = layers.Add(name=f"{name}_attended")([x, y])
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_dense_norm")(x)
    y = layers.Conv2D(2 * channels, 1, activation="relu", name=f"{name}_dense_1")(y)
    y = layers.Conv2D(channels, 1, kernel_initializer="zeros", name=f"{name}_dense_2")(y)
    return layers.Add(name=name)([x, y])


def modulate(x, z, name: str):
    """Shifts and scales the channels of `x` (B, H, W, C) by a linear function of `z` (B, Z).

    There are no biases: z = 0 leaves `x` exactly as it is, so the automatic colours don't depend on the noise path.
    The scale and shift start small, so an untrained noise path barely disturbs the features.

    Paper: FiLM, Perez et al. 2018 (arXiv:1709.07871).
    """
    channels = x.shape[-1]
    init = keras.initializers.RandomNormal(stddev=0.02)
    gamma = layers.Dense(channels, use_bias=False, kernel_initializer=init, name=f"{name}_gamma")(z)
    beta = layers.Dense(channels, use_bias=False, kernel_initializer=init, name=f"{name}_beta")(z)
    scaled = layers.Multiply(name=f"{name}_scaled")([x, layers.Reshape((1, 1, channels))(gamma)])
    return layers.Add(name=f"{name}_modulated")([x, scaled, layers.Reshape((1, 1, channels))(beta)])
