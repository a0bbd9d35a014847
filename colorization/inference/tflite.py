"""Converts an exported model into a TensorFlow Lite file for phones and browsers: builtin operations only.

| flavour  | input                                | output                                  |
|----------|--------------------------------------|-----------------------------------------|
| `rgb`    | `rgb` uint8 (1, H, W, 3), sRGB       | `rgb` uint8 (1, H, W, 3)                |
| `chroma` | `l` float32 (1, H, W, 1) in [-1, 1]  | `ab` float32 (1, H, W, 2) about [-1, 1] |

`rgb` does all that the SavedModel's signature `colorize` does, with the shrinking to the work size and the Lab
conversion inside. `chroma` is the bare network at the size given, for pipelines that keep the photo at full size.
Noise and hints are fixed to zero. H and W are fixed or left open. The tensors are the same for every quantization:

| quantization | what it stores                      | what it computes in                                        |
|--------------|-------------------------------------|------------------------------------------------------------|
| `float32`    | float32 weights                     | float32                                                    |
| `float16`    | float16 weights                     | float32, or float16 where the device does that             |
| `dynamic`    | int8 weights of large layers        | int8 with scales measured as it runs                       |
| `int8`       | int8 weights, scales of activations | int8, but for what follows                                 |

Some of an int8 file stays float32, where 256 levels cannot tell apart what matters. Colour conversion: cube roots.
Layer norms: the variance of flat patches; in int8 they cost up to 0.8 dB, and what depends on the calibration photos.
The first depthwise convolution, whose channels differ most in range: in int8 it triples the squared difference from
the SavedModel. None of these costs measurable time or bytes.

Paper: integer arithmetic, Jacob et al. 2018 (arXiv:1712.05877).
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.python import convert as lite_convert

from colorization import checksums, color
from colorization.inference import gamut, processing, saved_model

FLAVOURS = ("rgb", "chroma")
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
_BYTES_PER_WEIGHT = {"float32": 4, "float16": 2, "dynamic": 1, "int8": 1}
_FLOAT_SCOPE = "stays_float32"  # marks operations that int8 leaves alone

Size = tuple[int, int]
"""Height and width in pixels."""


class ConversionError(ValueError):
    """A model that can't be converted, or whose result can't be trusted; the message is one line."""


class SourceModel:
    """An exported model, ready to be converted.

    Attributes:
      version_dir: its folder.
      work_size: shorter side, in pixels, at which the network sees a photo.
      signatures: those of `saved_model.py`, by name.
    """

    def __init__(self, version_dir: str | os.PathLike):
        """Loads the model.

        Raises:
          ConversionError: it is missing, broken or altered.
        """
        self.version_dir = Path(version_dir)
        try:
            saved_model.check_files(self.version_dir)
            info = json.loads((self.version_dir / saved_model.INFO_PATH).read_text(encoding="utf-8"))
            self.work_size, self._z_dim = int(info["work_size"]), int(info["z_dim"])
            self._loaded = tf.saved_model.load(str(version_dir))
            self.signatures = self._loaded.signatures
            self.variables = list(self._loaded.v)
            specs, _ = self._loaded.predict.concrete_functions[0].structured_input_signature
        except checksums.ChecksumError as error:
            raise ConversionError(str(error)) from error
        except Exception as error:  # the loader raises many kinds on damaged files
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConversionError(f"{version_dir}: not a model that can be loaded: {reason}") from error
        self._takes_hints = len(specs) == 3  # models exported by older versions of this project do not

    def predict(self, l: tf.Tensor, shape: Sequence[Any]) -> tf.Tensor:
        """The network without noise and hints.

        Args:
          l: (1, H, W, 1).
          shape: its H and W, as integers or scalar tensors.

        Returns:
          ab: (1, H, W, 2).
        """
        args = [l, tf.zeros([1, self._z_dim])]
        if self._takes_hints:
            args.append(tf.zeros(_stack([1, *shape, 3])))
        return self._loaded.predict(*args)


def default_size(source: SourceModel, flavour: str) -> Size:
    """The fixed size of a file if nobody asks for another: 256 px for `rgb`, the work size for `chroma`; square."""
    side = 256 if flavour == "rgb" else source.work_size
    return side, side


def convert(
    source: SourceModel,
    *,
    flavour: str,
    quantization: str,
    image_size: Size | None,
    calibration_photos: Sequence[np.ndarray] = (),
) -> bytes:
    """Converts a model.

    Args:
      source: the model.
      flavour: one of `FLAVOURS`.
      quantization: one of `QUANTIZATIONS`.
      image_size: height and width of input and output; None for an input that can be resized.
      calibration_photos: for int8, one or more photos that set the ranges of the activations: rgb uint8 (H, W, 3), all
        of one size; for `rgb`, of `image_size` if that is fixed.

    Returns:
      The content of the file, without metadata.

    Raises:
      ConversionError: TensorFlow can't convert it, or made something else than asked for.
    """
    module = tf.Module()
    module.v = source.variables  # else the converter succeeds and leaves the weights out
    module.f = _make_function(source, flavour, image_size)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.f.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        if quantization == "int8":
            converter.representative_dataset = lambda: _feed(source, flavour, image_size, calibration_photos)
            content = _convert_to_int8(converter)
        else:
            content = bytes(converter.convert())
    except Exception as error:  # the converter's own kinds, and whatever a kernel raises while calibrating
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"{source.version_dir}: can't be converted: {reason}") from error
    check_content(content, min_bytes=_BYTES_PER_WEIGHT[quantization] * _count_weights(source) // 2)
    return content


def check_content(content: bytes, *, min_bytes: int) -> None:
    """Checks what a converter returns without an error.

    Args:
      content: of a TensorFlow Lite file.
      min_bytes: what the weights alone take, with room for those that nobody needs.

    Raises:
      ConversionError: it is smaller, so weights are missing, or has operations that are not built in.
    """
    if len(content) < min_bytes:
        raise ConversionError(f"the converted model lacks weights: {len(content)} bytes, at least {min_bytes} expected")
    model = schema.ModelT.InitFromPackedBuf(content)
    custom = [code.customCode.decode() for code in model.operatorCodes if code.customCode]
    if custom:
        raise ConversionError(f"the converted model needs operations that are not built in: {', '.join(custom)}")


def _count_weights(source: SourceModel) -> int:
    return sum(math.prod(variable.shape) for variable in source.variables)


def _make_function(source: SourceModel, flavour: str, image_size: Size | None) -> tf.types.experimental.GenericFunction:
    height, width = image_size or (None, None)
    if flavour == "chroma":

        def predict_ab(l):
            return {"ab": source.predict(l, image_size or tf.unstack(tf.shape(l)[1:3]))}

        return tf.function(predict_ab, input_signature=[tf.TensorSpec([1, height, width, 1], tf.float32, name="l")])

    work_shape = image_size and tuple(processing.work_shape(height, width, source.work_size).numpy().tolist())

    def colorize(rgb):
        """As `colorize` of the SavedModel, in operations that TensorFlow Lite has."""
        with tf.name_scope(_FLOAT_SCOPE):
            shape = image_size or tf.unstack(tf.shape(rgb)[1:3])
            small_shape = work_shape or tf.unstack(processing.work_shape(*shape, source.work_size))
            l = processing.to_l(rgb)
            small = _shrink(l, shape, small_shape)
        small_ab = source.predict(small, small_shape)
        with tf.name_scope(_FLOAT_SCOPE):
            ab = processing.upsample_ab(small_ab, _stack(shape))
            # `processing.recolor` saturates, which has no builtin operation; here nothing is left to saturate.
            result = color.l_ab_to_rgb(l, gamut.limit_chroma(l, ab))
            return {"rgb": tf.cast(tf.round(result * 255.0), tf.uint8)}

    return tf.function(colorize, input_signature=[tf.TensorSpec([1, height, width, 3], tf.uint8, name="rgb")])


def _stack(shape: Sequence[Any]) -> Any:
    """A shape of integers stays one, so that the converter can compute with it ahead; else a tensor."""
    return list(shape) if all(isinstance(size, int) for size in shape) else tf.stack(shape)


def _shrink(l: tf.Tensor, shape: Sequence[Any], small_shape: Sequence[Any]) -> tf.Tensor:
    """`processing.shrink_l` of one photo, (1, H, W, 1); TensorFlow Lite has no antialiased resize."""
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


def _feed(
    source: SourceModel, flavour: str, image_size: Size | None, photos: Sequence[np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """The inputs for calibration: the photos, and black to white, for what lies outside the ranges is cut off."""
    height, width, _ = photos[0].shape
    levels = np.linspace(0, 255, width).round().astype(np.uint8)
    for photo in [*photos, np.broadcast_to(levels[:, np.newaxis], (height, width, 3))]:
        if flavour == "rgb":
            yield {"rgb": photo[np.newaxis]}
        else:
            shape = image_size or processing.work_shape(*photo.shape[:2], source.work_size)
            yield {"l": processing.shrink_l(processing.to_l(photo[np.newaxis]), shape).numpy()}


def _convert_to_int8(converter: tf.lite.TFLiteConverter) -> bytes:
    """Calibrates and quantizes in two steps, for the converter alone would quantize all that it can."""
    converter._experimental_calibrate_only = True  # as tf.lite.experimental.QuantizationDebugger does
    calibrated = converter.convert()
    return bytes(lite_convert.mlir_quantize(calibrated, denylisted_nodes=_find_float_operations(calibrated)))


def _find_float_operations(calibrated: bytes) -> list[str]:
    """Names the operations that stay float32, as the module's docstring says."""
    model = schema.ModelT.InitFromPackedBuf(bytes(calibrated))
    graph = model.subgraphs[0]
    names = [graph.tensors[operator.outputs[0]].name.decode() for operator in graph.operators]
    kinds = [model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators]
    norms = tuple(
        name.rpartition("/")[0] + "/"
        for name, kind in zip(names, kinds, strict=True)
        if kind == schema.BuiltinOperator.RSQRT and "/" in name  # an inference batch norm has none: it is folded
    )
    depthwise = [
        name for name, kind in zip(names, kinds, strict=True) if kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D
    ]
    return depthwise[:1] + [name for name in names if name.startswith((_FLOAT_SCOPE, *norms))]
