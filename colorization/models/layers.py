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
