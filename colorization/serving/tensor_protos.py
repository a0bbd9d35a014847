"""Tensors of requests and answers as `TensorProto`, to and from numpy; strings are object arrays of bytes there.

`tf.make_ndarray` trusts what it is given; this does not: a message from the network must not make the server read past
its values, or reserve memory that it has not paid for.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from colorization.serving.servables import quote
from colorization.serving.tensor_info import MAX_RANK, check_shape, dtype_name, find_dtype, invalid

# Where values are that don't stand in `tensor_content`.
_FIELDS = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_HALF": "half_val",
    "DT_INT8": "int_val",
    "DT_INT16": "int_val",
    "DT_INT32": "int_val",
    "DT_INT64": "int64_val",
    "DT_UINT8": "int_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_BOOL": "bool_val",
    "DT_STRING": "string_val",
}
# Values that repeat the last one may be left out; so far may a small message grow.
_MAX_REPEATED_ELEMENTS = 2**24


def read_inputs(protos: Mapping[str, Any], signature: Any) -> dict[str, np.ndarray]:
    """Makes arrays of the `TensorProto`s of a request, by the names, dtypes and shapes of a `SignatureDef`'s inputs.

    Args:
      protos: `tensorflow.TensorProto`s by name.
      signature: `tensorflow.SignatureDef`.

    Returns:
      An array for each input of the signature; they may be read-only, views of the message.

    Raises:
      ServingError: INVALID_ARGUMENT, for names, dtypes and shapes that the signature does not take and for a proto
        whose values do not make up its shape; the message is one line that names the input.
    """
    expected = set(signature.inputs)
    if set(protos) != expected:
        extra, missing = sorted(set(protos) - expected), sorted(expected - set(protos))
        raise invalid(
            f"input size does not match signature: {len(protos)}!={len(expected)}."
            f" Sent extra: {{{quote(','.join(extra))[1:-1]}}}. Missing but required: {{{','.join(missing)}}}."
        )
    return {name: _read_tensor(name, proto, signature.inputs[name]) for name, proto in protos.items()}


def write_proto(array: np.ndarray) -> Any:
    """Makes a `TensorProto`; arrays of bytes become DT_STRING, the others keep their dtype."""
    import tensorflow as tf  # slow to load; reading does without

    if array.dtype.kind in "OS":
        return tf.make_tensor_proto(array.astype(object), dtype=tf.string, shape=array.shape)
    return tf.make_tensor_proto(array)


def _read_tensor(name: str, proto: Any, info: Any) -> np.ndarray:
    expected, dtype = find_dtype(name, info)
    if (sent := dtype_name(proto)) != expected:
        raise invalid(f"input {name}: dtype {sent} is not of expected type: {expected}")
    if proto.tensor_shape.unknown_rank:
        raise invalid(f"input {name}: its shape is unknown")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if len(shape) > MAX_RANK or any(not 0 <= size < 2**31 for size in shape):
        raise invalid(f"input {name}: a tensor cannot have {len(shape)} dimensions of these sizes")
    check_shape(name, shape, info)
    num_elements = math.prod(shape)
    values = _read_content(name, proto, dtype) if proto.tensor_content else _read_field(name, proto, expected, dtype)
    if len(values) != num_elements:
        if proto.tensor_content or not 0 < len(values) < num_elements:
            raise invalid(f"input {name}: {len(values)} values for shape {shape}")
        if num_elements > _MAX_REPEATED_ELEMENTS:
            raise invalid(f"input {name}: {len(values)} values repeated for shape {shape}: too many")
        values = np.append(values, np.full(num_elements - len(values), values[-1], dtype))
    try:
        return values.reshape(shape)
    except ValueError as error:  # one size is 0 and the product of the others is beyond numpy
        raise invalid(f"input {name}: numpy cannot hold shape {shape}") from error


def _read_content(name: str, proto: Any, dtype: np.dtype) -> np.ndarray:
    """The values as the bytes of the tensor itself."""
    if dtype.kind == "O":
        raise invalid(f"input {name}: strings must stand in string_val, not in tensor_content")
    if len(proto.tensor_content) % dtype.itemsize:
        raise invalid(f"input {name}: tensor_content of {len(proto.tensor_content)} bytes does not hold {dtype}")
    return np.frombuffer(proto.tensor_content, dtype)


def _read_field(name: str, proto: Any, dtype_key: str, dtype: np.dtype) -> np.ndarray:
    """The values as numbers or strings in a repeated field."""
    values = getattr(proto, _FIELDS[dtype_key])
    try:
        if dtype_key == "DT_HALF":  # their bits, as integers
            return np.fromiter(values, np.uint16, len(values)).view(dtype)
        return np.fromiter(values, dtype, len(values))  # a list in between would be eight times a photo
    except OverflowError as error:
        raise invalid(f"input {name}: {_FIELDS[dtype_key]} has a value out of range for {dtype}") from error
