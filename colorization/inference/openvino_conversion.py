"""Converts an exported model into OpenVINO's intermediate representation: an .xml with the graph, a .bin with weights.

What it converts, and the tensors that go in and come out, says `onnx_conversion.py`, over which the way leads:
OpenVINO's own reader of TensorFlow models fails on the resizes of models of fixed size. `rgb` must have a fixed size
here: with an open one OpenVINO 2026.4 asks for memory without measure when it runs.

`float16` halves the weights' file. What the model computes in is for the program to say that loads it: set
INFERENCE_PRECISION_HINT to f32 for results that do not depend on the machine, as `runtimes.py` does.
"""

import tempfile
from pathlib import Path

from colorization.inference import onnx_conversion, runtimes
from colorization.inference.conversion import ConversionError, Size, SourceModel

QUANTIZATIONS = ("float32", "float16")


def convert(source: SourceModel, path: Path, *, flavour: str, quantization: str, image_size: Size | None) -> None:
    """Converts a model.

    Args:
      source: the model.
      path: the .xml file to write; the .bin file comes beside it.
      flavour: one of `conversion.FLAVOURS`.
      quantization: one of `QUANTIZATIONS`.
      image_size: height and width of input and output; None leaves them open, but not for `rgb`.

    Raises:
      ConversionError: it can't be converted.
    """
    if flavour == "rgb" and image_size is None:
        raise ConversionError("OpenVINO can't run rgb of any size; give it one")
    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder, "model.onnx")
        onnx_conversion.convert(source, onnx_path, flavour=flavour, quantization="float32", image_size=image_size)
        _translate(source, onnx_path, path, quantization)


def convert_encoder(source: SourceModel, path: Path, *, quantization: str, image_size: Size | None) -> None:
    """Converts the noise encoder that goes with `steer`; arguments and errors as those of `convert`."""
    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder, "model.onnx")
        onnx_conversion.convert_encoder(source, onnx_path, quantization="float32", image_size=image_size)
        _translate(source, onnx_path, path, quantization)


def _translate(source: SourceModel, onnx_path: Path, path: Path, quantization: str) -> None:
    openvino = runtimes.import_openvino()
    try:
        model = runtimes.openvino_core().read_model(onnx_path)
        openvino.save_model(model, path, compress_to_fp16=quantization == "float16")
    except Exception as error:  # OpenVINO's own kinds, not all of them exported
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"{source.version_dir}: can't be converted to OpenVINO: {reason}") from error
