"""Converts an exported model into an ONNX file: standard operations only, float32 arithmetic.

What it converts, and the tensors that go in and come out, says `conversion.py`. `float16` halves the file: large
weights are stored so and cast back when the file is loaded; nothing is computed in float16.
"""

import contextlib
import io
import logging
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper, version_converter

from colorization.inference import conversion
from colorization.inference.conversion import ConversionError, Size, SourceModel

QUANTIZATIONS = ("float32", "float16")
OPSET = 23  # of 2025; understood by ONNX Runtime from 1.22 on
_TF2ONNX_OPSET = 18  # the highest that tf2onnx 1.17 writes
RGB_OUTPUT = "colorized_rgb"  # of `rgb`: other formats have an output of its input's name, ONNX can't
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_MIN_HALVED_SIZE = 256  # numbers; smaller constants are shapes and scales


def convert(source: SourceModel, path: Path, *, flavour: str, quantization: str, image_size: Size | None) -> None:
    """Converts a model.

    Args:
      source: the model.
      path: the .onnx file to write.
      flavour: one of `conversion.FLAVOURS`.
      quantization: one of `QUANTIZATIONS`.
      image_size: height and width of input and output; None leaves them open.

    Raises:
      ConversionError: tf2onnx can't convert it, or made something that is not ONNX.
    """
    function = conversion.make_function(source, flavour, image_size)
    if flavour == "rgb":
        same_name = function
        function = tf.function(
            lambda rgb: {RGB_OUTPUT: same_name(rgb)["rgb"]}, input_signature=same_name.input_signature
        )
    _convert(source, path, function, quantization)


def convert_encoder(source: SourceModel, path: Path, *, quantization: str, image_size: Size | None) -> None:
    """Converts the noise encoder that goes with `steer`; arguments and errors as those of `convert`."""
    _convert(source, path, conversion.make_encoder_function(source, image_size), quantization)


def _import_tf2onnx() -> ModuleType:
    """Imports tf2onnx, and takes back the log level that it sets for TensorFlow in all processes started later.

    `import tf2onnx` alone would leave that to the first use of `tf2onnx.convert`.
    """
    level = os.environ.get(_LOG_LEVEL)
    import tf2onnx.convert

    if level is None:
        os.environ.pop(_LOG_LEVEL, None)
    else:
        os.environ[_LOG_LEVEL] = level
    return tf2onnx


def _convert(
    source: SourceModel, path: Path, function: tf.types.experimental.GenericFunction, quantization: str
) -> None:
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it says of unsupported operations, the check says
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            model, _ = _import_tf2onnx().convert.from_function(
                function, input_signature=function.input_signature, opset=_TF2ONNX_OPSET
            )
        _round_scales_up(model)
        model = version_converter.convert_version(model, OPSET)
        if quantization == "float16":
            _halve_weights(model)
        check_model(model)
    except Exception as error:  # tf2onnx raises whatever it stumbles over
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"{source.version_dir}: can't be converted to ONNX: {reason}") from error
    path.write_bytes(model.SerializeToString())


def check_model(model: onnx.ModelProto) -> None:
    """Checks what tf2onnx returns without an error, for it leaves operations that it does not know as they are.

    Raises:
      ConversionError: it has operations that are not ONNX's.
      onnx.checker.ValidationError: it is malformed otherwise.
    """
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    foreign = sorted({node.op_type for node in model.graph.node if node.domain or node.op_type not in known})
    if foreign:
        raise ConversionError(f"operations that ONNX does not have: {', '.join(foreign)}")
    onnx.checker.check_model(model, full_check=True)


def _round_scales_up(model: onnx.ModelProto) -> None:
    """Makes resizes to a fixed size reach it: tf2onnx stores a float32 factor, and size x factor is rounded down."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Resize" and len(node.input) == 3 and node.input[2] in weights:
            scales = numpy_helper.to_array(weights[node.input[2]])
            scales = np.where(scales == np.round(scales), scales, np.nextafter(scales, np.float32(np.inf)))
            weights[node.input[2]].CopyFrom(numpy_helper.from_array(scales, node.input[2]))


def _halve_weights(model: onnx.ModelProto) -> None:
    """Stores float32 weights as float16, each with a node that casts it back."""
    for index, weight in enumerate(list(model.graph.initializer)):
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _MIN_HALVED_SIZE:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), f"{weight.name}_float16")
        model.graph.node.insert(0, onnx.helper.make_node("Cast", [half.name], [weight.name], to=onnx.TensorProto.FLOAT))
        model.graph.initializer[index].CopyFrom(half)
