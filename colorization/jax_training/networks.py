"""The generator and the noise encoder as functions of their weights, for JAX to differentiate.

Keras must run on its JAX backend.
"""

import dataclasses
import types

import jax
import jax.numpy as jnp
import keras
import numpy as np

from colorization import models

Array = jax.Array
Weights = dict[str, Array]  # by "generator/<path of the variable>" and "noise_encoder/<path>"


@dataclasses.dataclass(frozen=True)
class Networks:
    """What is trained.

    Attributes:
      generator: inputs [l, z, hints], output ab.
      noise_encoder: inputs [l, ab], outputs mean and log variance of z.
      z_dim: length of z.
    """

    generator: keras.Model
    noise_encoder: keras.Model
    z_dim: int

    def read_weights(self) -> tuple[Weights, Weights]:
        """Returns the networks' weights: those that train, and those that don't."""
        trained, fixed = {}, {}
        for name, network in self._by_name().items():
            trained |= {f"{name}/{v.path}": v.value for v in network.trainable_variables}
            fixed |= {f"{name}/{v.path}": v.value for v in network.non_trainable_variables}
        return trained, fixed

    def assign(self, weights: dict[str, np.ndarray], source: object) -> None:
        """Assigns all weights.

        Args:
          weights: by the names of `Weights`.
          source: where they come from, for the message.

        Raises:
          ValueError: one is missing, of another shape, or too many.
        """
        variables = {f"{name}/{v.path}": v for name, network in self._by_name().items() for v in network.variables}
        if odd := sorted(variables.keys() ^ weights.keys()):
            raise ValueError(f"{source}: not the weights of these networks: {odd[0]} is in one of them only")
        for name, weight in weights.items():
            if variables[name].shape != weight.shape:
                raise ValueError(f"{source}: {name} has shape {weight.shape}, not {tuple(variables[name].shape)}")
            variables[name].assign(weight.astype(np.float32))

    def generate(self, trained: Weights, fixed: Weights, l: Array, z: Array, hints: Array) -> Array:
        """`ab` float32 (B, H, W, 2) of `l` (B, H, W, 1), `z` (B, z_dim) and `hints` (B, H, W, 3)."""
        return _call(self.generator, "generator", trained, fixed, [l, z, hints]).astype(jnp.float32)

    def encode(self, trained: Weights, fixed: Weights, l: Array, ab: Array) -> tuple[Array, Array]:
        """Mean and log variance of z, float32 (B, z_dim) each."""
        mean, log_variance = _call(self.noise_encoder, "noise_encoder", trained, fixed, [l, ab])
        return mean.astype(jnp.float32), log_variance.astype(jnp.float32)

    def encoder_names(self) -> set[str]:
        """Names of the weights of the generator's encoder."""
        encoder = self.generator.get_layer("encoder")
        return {f"generator/{v.path}" for v in encoder.trainable_variables}

    def _by_name(self) -> dict[str, keras.Model]:
        return {"generator": self.generator, "noise_encoder": self.noise_encoder}


def build_networks(*, z_dim: int, encoder_weights: str | None, frozen_until: int, mixed_precision: bool) -> Networks:
    """Builds both networks.

    Args:
      z_dim: length of the noise vector.
      encoder_weights: "imagenet", a `.weights.h5` file, or None for a pretrained structure that is to be filled.
      frozen_until: encoder blocks up to this one (0..12) don't train.
      mixed_precision: compute in bfloat16.

    Raises:
      ValueError: the weights can't be used.
      RuntimeError: Keras runs on another backend.
    """
    if keras.backend.backend() != "jax":
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}, not on JAX")
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed_precision else "float32")
    generator = models.build_mobilenet_unet(
        z_dim=z_dim, encoder_weights=encoder_weights, frozen_until=frozen_until, folded=encoder_weights is None
    )
    for layer in generator.get_layer("encoder").layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.call = types.MethodType(_depthwise_call, layer)
    return Networks(generator, models.build_noise_encoder(z_dim=z_dim), z_dim)


def _call(network: keras.Model, name: str, trained: Weights, fixed: Weights, inputs: list[Array]):
    outputs, _ = network.stateless_call(
        [trained[f"{name}/{v.path}"] for v in network.trainable_variables],
        [fixed[f"{name}/{v.path}"] for v in network.non_trainable_variables],
        inputs,
        training=True,
    )
    return outputs


def _depthwise_call(self: keras.layers.DepthwiseConv2D, inputs: Array) -> Array:
    """The layer as a sum of shifted products, which XLA fuses: GPUs have no fast kernels for the other's gradient."""
    kernel = keras.ops.convert_to_tensor(self.kernel, inputs.dtype)  # (3, 3, C, 1)
    bias = keras.ops.convert_to_tensor(self.bias, inputs.dtype)
    return depthwise_conv(inputs, kernel[..., 0], self.strides[0], self.padding) + bias


def depthwise_conv(x: Array, kernel: Array, stride: int, padding: str) -> Array:
    """Depthwise convolution, summed in float32.

    Args:
      x: (B, H, W, C).
      kernel: (K, K, C).
      stride: of both axes.
      padding: "same" (TensorFlow's, with the odd row and column at the end) or "valid".
    """
    size = kernel.shape[0]
    if padding == "same":
        pads = [max(0, (-(-n // stride) - 1) * stride + size - n) for n in x.shape[1:3]]
        x = jnp.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    height, width = ((n - size) // stride + 1 for n in x.shape[1:3])
    rows, columns = (height - 1) * stride + 1, (width - 1) * stride + 1
    total = 0.0
    for i in range(size):
        for j in range(size):
            shifted = x[:, i : i + rows : stride, j : j + columns : stride]
            total += shifted.astype(jnp.float32) * kernel[i, j].astype(jnp.float32)
    return total.astype(x.dtype)
