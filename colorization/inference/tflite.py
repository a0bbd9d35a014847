"""Converts an exported model into a TensorFlow Lite file for phones and browsers: builtin operations only.

What it converts, and the tensors that go in and come out, says `conversion.py`. The tensors are the same for every
quantization:

| quantization | what it stores                      | what it computes in                                        |
|--------------|-------------------------------------|------------------------------------------------------------|
| `float32`    | float32 weights                     | float32                                                    |
| `float16`    | float16 weights                     | float32, or float16 where the device does that             |
| `dynamic`    | int8 weights of large layers        | int8 with scales measured as it runs                       |
| `int8`       | int8 weights, scales of activations | int8, but for what follows                                 |

Some of an int8 file stays float32, where 256 levels cannot tell apart what matters. Colour conversion: cube roots.
The photo's contrast: a flat photo has so little of it that int8 would divide by zero. Layer norms: the variance of
flat patches; in int8 they cost up to 0.8 dB, and what depends on the calibration photos. Restraint: it divides by
chroma, and in int8 doubles the difference from the SavedModel. Smoothing: it divides by variances. The first
depthwise convolution, whose channels differ most in range: in int8 it triples the squared difference from the
SavedModel. None of these costs measurable time or bytes.

Paper: integer arithmetic, Jacob et al. 2018 (arXiv:1712.05877).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.python import convert as lite_convert

from colorization.inference import conversion, processing
from colorization.inference.conversion import ConversionError, Size, SourceModel

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
_BYTES_PER_WEIGHT = {"float32": 4, "float16": 2, "dynamic": 1, "int8": 1}


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
      flavour: one of `conversion.FLAVOURS`; int8 is not for `steer`.
      quantization: one of `QUANTIZATIONS`.
      image_size: height and width of input and output; None for an input that can be resized.
      calibration_photos: for int8, one or more photos that set the ranges of the activations: rgb uint8 (H, W, 3), all
        of one size; for `rgb`, of `image_size` if that is fixed.

    Returns:
      The content of the file, without metadata.

    Raises:
      ConversionError: TensorFlow can't convert it, or made something else than asked for.
    """
    converter = _make_converter(source, conversion.make_function(source, flavour, image_size), quantization)
    if quantization == "int8":
        converter.representative_dataset = lambda: _feed(source, flavour, image_size, calibration_photos)
    content = _run(converter, source, quantization)
    check_content(content, min_bytes=_BYTES_PER_WEIGHT[quantization] * conversion.count_weights(source) // 2)
    return content


def convert_encoder(source: SourceModel, *, quantization: str, image_size: Size | None) -> bytes:
    """Converts the noise encoder that goes with `steer`; arguments, result and errors as those of `convert`."""
    converter = _make_converter(source, conversion.make_encoder_function(source, image_size), quantization)
    content = _run(converter, source, quantization)
    check_content(content, min_bytes=0)
    return content


def _make_converter(
    source: SourceModel, function: tf.types.experimental.GenericFunction, quantization: str
) -> tf.lite.TFLiteConverter:
    module = tf.Module()
    # Without the variables the converter succeeds and leaves the weights out.
    module.v = [*source.variables, *source.encoder_variables]
    module.f = function
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.f.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter


def _run(converter: tf.lite.TFLiteConverter, source: SourceModel, quantization: str) -> bytes:
    try:
        return _convert_to_int8(converter) if quantization == "int8" else bytes(converter.convert())
    except Exception as error:  # the converter's own kinds, and whatever a kernel raises while calibrating
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"{source.version_dir}: can't be converted: {reason}") from error


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
    roots = tuple(
        name.partition(";")[0].rpartition("/")[0] + "/"  # a fused operation has several names
        for name, kind in zip(names, kinds, strict=True)
        if kind == schema.BuiltinOperator.RSQRT and "/" in name  # an inference batch norm has none: it is folded
    )
    depthwise = [
        name for name, kind in zip(names, kinds, strict=True) if kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D
    ]
    scopes = (
        conversion.FLOAT_SCOPE,
        processing.CONTRAST_SCOPE,
        processing.BLUE_SCOPE,
        processing.SMOOTHING_SCOPE,
        *roots,
    )
    return depthwise[:1] + [name for name in names if name.startswith(scopes)]
