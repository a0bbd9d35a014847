"""Requests are checked against the model's signatures before they take a place in the queue."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from colorization.serving.errors import Code, ServingError


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of one request.

    Attributes:
      max_images: rows of an input.
      max_pixels: height x width of an image.
    """

    max_images: int
    max_pixels: int


def read_signature_defs(version_dir: Path) -> Mapping[str, Any]:
    """Reads the signatures of an exported model, without running it.

    Returns:
      `tensorflow.SignatureDef` protos by name; TensorFlow's own one for initialization is left out.

    Raises:
      ServingError: the file can't be read.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    try:
        proto.ParseFromString((version_dir / "saved_model.pb").read_bytes())
        signatures = dict(proto.meta_graphs[0].signature_def)
    except Exception as error:  # OSError, DecodeError, IndexError
        raise ServingError(Code.UNAVAILABLE, f"saved_model.pb can't be read ({type(error).__name__})") from error
    return {name: signature for name, signature in signatures.items() if not name.startswith("__")}


def check_inputs(
    inputs: Mapping[str, np.ndarray], signatures: Mapping[str, Any], signature_name: str, limits: Limits
) -> None:
    """Checks names, dtypes, shapes and sizes of a call.

    Args:
      inputs: arrays by name; strings as object arrays of bytes.
      signatures: SignatureDef protos by name.
      signature_name: the one that is called.
      limits: bounds.

    Raises:
      ServingError: INVALID_ARGUMENT; says what is wrong.
    """
    if signature_name not in signatures:
        raise _wrong(f'signature "{signature_name}" not found; there are {", ".join(sorted(signatures))}')
    expected = signatures[signature_name].inputs
    if set(inputs) != set(expected):
        raise _wrong(f"inputs are {_join(inputs)}; signature {signature_name} takes {_join(expected)}")
    for name, info in expected.items():
        _check_array(name, inputs[name], info, limits)
    if len({len(array) for array in inputs.values()}) > 1:
        raise _wrong("inputs have different numbers of rows")


def count_bytes(inputs: Mapping[str, np.ndarray]) -> int:
    """Bytes that arrays take; those of strings are counted too."""
    return sum(sum(map(len, a.flat)) if a.dtype == object else a.nbytes for a in inputs.values())


def _check_array(name: str, array: np.ndarray, info: Any, limits: Limits) -> None:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(info.dtype).as_numpy_dtype
    if array.dtype != dtype:
        raise _wrong(f"input {name} has dtype {array.dtype}; it must be {np.dtype(dtype)}")
    if array.dtype == object and not all(isinstance(item, bytes) for item in array.flat):
        raise _wrong(f"input {name} must hold bytes")
    sizes = [dim.size for dim in info.tensor_shape.dim]
    fits = array.ndim == len(sizes) and all(s in (-1, n) for s, n in zip(sizes, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if size == -1 else str(size) for size in sizes)
        raise _wrong(f"input {name} has shape {array.shape}; it must be ({wanted})")
    if len(array) > limits.max_images:
        raise _wrong(f"input {name} has {len(array)} rows; at most {limits.max_images} are taken")
    if array.ndim == 4 and array.shape[1] * array.shape[2] > limits.max_pixels:
        raise _wrong(
            f"input {name} has {array.shape[1]} x {array.shape[2]} pixels; at most {limits.max_pixels} are taken"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _wrong(f"input {name} holds values that are not finite")


def _join(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


def _wrong(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
