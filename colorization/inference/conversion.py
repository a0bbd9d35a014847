"""What every conversion of an exported model starts from: the model, and one function of it.

| flavour  | inputs                                                          | outputs                                 |
|----------|-----------------------------------------------------------------|-----------------------------------------|
| `rgb`    | `rgb` uint8 (1, H, W, 3), sRGB                                  | `rgb` uint8 (1, H, W, 3)                |
| `chroma` | `l` float32 (1, H, W, 1) in [-1, 1]                             | `ab` float32 (1, H, W, 2) about [-1, 1] |
| `steer`  | `l`, `z` float32 (1, z_dim) and `hints` float32 (1, H, W, 3)    | `ab`                                    |

`rgb` does all that the SavedModel's signature `colorize` does, with the shrinking to the work size and the Lab
conversion inside. `chroma` is the bare network at the size given, for pipelines that keep the photo at full size.
Noise and hints are fixed to zero in both. `steer` is the SavedModel's `steer_ab`, with all that it takes; its
companion, if the model has a noise encoder, is `encode_z` (`l` and `ab` of a photo in colour -> `z`). H and W are fixed
or left open.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from colorization import checksums, color
from colorization.inference import gamut, graph_check, processing, version_files

FLAVOURS = ("rgb", "chroma", "steer")
FLOAT_SCOPE = "stays_float32"  # marks operations that int8 leaves alone

Size = tuple[int, int]
"""Height and width in pixels."""


class ConversionError(ValueError):
    """A model that can't be converted, or whose result can't be trusted; the message is one line."""


class SourceModel:
    """An exported model, ready to be converted.

    Attributes:
      version_dir: its folder.
      work_size: shorter side, in pixels, at which the network sees a photo.
      z_dim: length of the noise vector.
      signatures: those of `saved_model.py`, by name.
      variables: of the generator.
      encoder_variables: of the noise encoder, if there is one.
      takes_hints: whether it can be steered.
      has_encoder: whether it can take the mood of a reference photo.
    """

    def __init__(self, version_dir: str | os.PathLike):
        """Loads the model.

        Raises:
          ConversionError: it is missing, broken, altered or unsafe.
        """
        self.version_dir = Path(version_dir)
        try:
            version_files.check_files(self.version_dir)
            graph_check.check_graph(self.version_dir)
            self.work_size, self.z_dim = version_files.read_sizes(self.version_dir)
            self._loaded = tf.saved_model.load(str(version_dir))
            self.signatures = self._loaded.signatures
            self.variables = list(self._loaded.v)
            self.encoder_variables = list(getattr(self._loaded, "noise_encoder_v", []))
            specs, _ = self._loaded.predict.concrete_functions[0].structured_input_signature
        except checksums.ChecksumError as error:
            raise ConversionError(str(error)) from error
        except Exception as error:  # the loader raises many kinds on damaged files
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConversionError(f"{version_dir}: not a model that can be loaded: {reason}") from error
        # Models exported by older versions of this project take no hints, and have no noise encoder.
        self.takes_hints = len(specs) == 3
        self.has_encoder = "encode_z" in self.signatures

    def predict(self, l: tf.Tensor, shape: Sequence[Any]) -> tf.Tensor:
        """The network without noise and hints.

        Args:
          l: (1, H, W, 1).
          shape: its H and W, as integers or scalar tensors.

        Returns:
          ab: (1, H, W, 2).
        """
        args = [l, tf.zeros([1, self.z_dim])]
        if self.takes_hints:
            args.append(tf.zeros(_stack([1, *shape, 3])))
        return self._loaded.predict(*args)

    def steer(self, l: tf.Tensor, z: tf.Tensor, hints: tf.Tensor) -> tf.Tensor:
        """The network: `steer_ab` without its checks, for l (1, H, W, 1), z (1, z_dim) and hints (1, H, W, 3)."""
        return processing.obey_hints(self._loaded.predict(l, z, hints), hints)

    def encode(self, l: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
        """The noise encoder: `encode_z` without its checks, for l (1, H, W, 1) and ab (1, H, W, 2)."""
        return self._loaded._encode(l, ab)


def default_size(source: SourceModel, flavour: str) -> Size:
    """The fixed size of a file if nobody asks for another: 256 px for `rgb`, the work size for `chroma`; square."""
    side = 256 if flavour == "rgb" else source.work_size
    return side, side


def count_weights(source: SourceModel) -> int:
    """How many numbers the generator's variables hold."""
    return sum(math.prod(variable.shape) for variable in source.variables)


def make_function(source: SourceModel, flavour: str, image_size: Size | None) -> tf.types.experimental.GenericFunction:
    """Makes what is converted.

    Args:
      source: the model.
      flavour: one of `FLAVOURS`.
      image_size: height and width of the inputs; None leaves them open.

    Returns:
      A function of named tensors, as the module's table has them, with its input signature; its outputs by name.

    Raises:
      ConversionError: the model is too old for that flavour.
    """
    l_spec = _make_spec("l", image_size, 1)
    if flavour == "steer":
        if not source.takes_hints:
            raise ConversionError(f"{source.version_dir}: this model takes no hints, so it can't be steered")
        z_spec = tf.TensorSpec([1, source.z_dim], tf.float32, name="z")
        return tf.function(
            lambda l, z, hints: {"ab": source.steer(l, z, hints)},
            input_signature=[l_spec, z_spec, _make_spec("hints", image_size, 3)],
        )
    if flavour == "chroma":

        def predict_ab(l):
            return {"ab": source.predict(l, image_size or tf.unstack(tf.shape(l)[1:3]))}

        return tf.function(predict_ab, input_signature=[l_spec])
    return _make_colorize(source, image_size)


def make_encoder_function(source: SourceModel, image_size: Size | None) -> tf.types.experimental.GenericFunction:
    """As `make_function`, for the noise encoder: `l` and `ab` -> `z`."""
    specs = [_make_spec("l", image_size, 1), _make_spec("ab", image_size, 2)]
    return tf.function(lambda l, ab: {"z": source.encode(l, ab)}, input_signature=specs)


def _make_spec(name: str, image_size: Size | None, num_channels: int, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec([1, *(image_size or (None, None)), num_channels], dtype, name=name)


def _make_colorize(source: SourceModel, image_size: Size | None) -> tf.types.experimental.GenericFunction:
    work_shape = image_size and tuple(processing.work_shape(*image_size, source.work_size).numpy().tolist())

    def colorize(rgb):
        """As `colorize` of the SavedModel, in operations that converters know."""
        with tf.name_scope(FLOAT_SCOPE):
            shape = image_size or tf.unstack(tf.shape(rgb)[1:3])
            small_shape = work_shape or tf.unstack(processing.work_shape(*shape, source.work_size))
            l = processing.to_l(rgb)
            small = _shrink(l, shape, small_shape)
        small_ab = source.predict(small, small_shape)
        with tf.name_scope(FLOAT_SCOPE):
            ab = processing.upsample_ab(small_ab, _stack(shape))
            # `processing.recolor` saturates, for which TensorFlow Lite has no operation; nothing is left to saturate.
            result = color.l_ab_to_rgb(l, gamut.limit_chroma(l, ab))
            return {"rgb": tf.cast(tf.round(result * 255.0), tf.uint8)}

    return tf.function(colorize, input_signature=[_make_spec("rgb", image_size, 3, tf.uint8)])


def _stack(shape: Sequence[Any]) -> Any:
    """A shape of integers stays one, so that the converter can compute with it ahead; else a tensor."""
    return list(shape) if all(isinstance(size, int) for size in shape) else tf.stack(shape)


def _shrink(l: tf.Tensor, shape: Sequence[Any], small_shape: Sequence[Any]) -> tf.Tensor:
    """`processing.shrink_l` of one photo, (1, H, W, 1); converters know no antialiased resize."""
    rows, columns = (_make_resize_matrix(*sizes) for sizes in zip(shape, small_shape, strict=True))
    small = tf.matmul(tf.matmul(rows, tf.reshape(l, _stack(shape))), columns, transpose_b=True)
    return tf.reshape(small, _stack([1, *small_shape, 1]))


def _make_resize_matrix(size: Any, small_size: Any) -> tf.Tensor:
    """float32 (small_size, size): the weights of tf.image.resize(..., antialias=True), a triangle around each pixel."""
    size, small_size = tf.cast(size, tf.float32), tf.cast(small_size, tf.float32)
    scale = size / small_size
    centers = (tf.range(small_size) + 0.5) * scale
    distances = tf.abs(tf.range(size) + 0.5 - centers[:, tf.newaxis])
    weights = tf.nn.relu(1.0 - distances / tf.maximum(scale, 1.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
