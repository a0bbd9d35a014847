"""What a `SignatureDef` says of an input, its `TensorInfo`, as numpy has it; for requests of either protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from colorization.serving.errors import Code, ServingError

MAX_RANK = 32  # numpy and TensorFlow both stop somewhere; no signature comes near

_DTYPES = {
    "DT_FLOAT": np.dtype("<f4"),
    "DT_DOUBLE": np.dtype("<f8"),
    "DT_HALF": np.dtype("<f2"),
    "DT_INT8": np.dtype("i1"),
    "DT_INT16": np.dtype("<i2"),
    "DT_INT32": np.dtype("<i4"),
    "DT_INT64": np.dtype("<i8"),
    "DT_UINT8": np.dtype("u1"),
    "DT_UINT32": np.dtype("<u4"),
    "DT_UINT64": np.dtype("<u8"),
    "DT_BOOL": np.dtype("?"),
    "DT_STRING": np.dtype(object),
}


def invalid(message: str) -> ServingError:
    """The error for a request that is at fault."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def dtype_name(proto: Any) -> str:
    """The name of the `dtype` of a `TensorInfo` or `TensorProto`, such as DT_UINT8, or its number if it has no name."""
    names = proto.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number  # without an import of TensorFlow
    return names[proto.dtype].name if proto.dtype in names else str(proto.dtype)


def find_dtype(name: str, info: Any) -> tuple[str, np.dtype]:
    """The dtype of an input: its name in TensorFlow, and numpy's, which is object for strings.

    Raises:
      ServingError: UNIMPLEMENTED, for kinds of tensors that no request can hold here.
    """
    known = dtype_name(info)
    if known not in _DTYPES:
        raise ServingError(Code.UNIMPLEMENTED, f"input {name}: dtype {known} is not supported")
    return known, _DTYPES[known]


def check_shape(name: str, shape: Sequence[int], info: Any) -> None:
    """Raises ServingError, INVALID_ARGUMENT, for a shape that an input does not take."""
    if info.tensor_shape.unknown_rank:
        return
    expected = [dim.size for dim in info.tensor_shape.dim]
    if len(shape) != len(expected) or any(
        size not in (-1, actual) for size, actual in zip(expected, shape, strict=True)
    ):
        shown = ",".join("?" if size == -1 else str(size) for size in expected)
        raise invalid(f"input {name}: shape [{','.join(map(str, shape))}] is not of expected shape [{shown}]")
