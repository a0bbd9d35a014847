"""Tensors of requests and answers as JSON, as TensorFlow Serving's REST API has it, to and from numpy.

A request holds `instances` (row format: a list, one item per element of the batch) or `inputs` (column format: whole
tensors); the answer then holds `predictions` or `outputs`. Where a signature has one input or output, its value stands
there by itself, else in an object under its name. Bytes are `{"b64": "..."}`; in answers, those outputs are bytes whose
name ends in `_bytes`. NaN and the infinities are the bare tokens NaN, Infinity and -Infinity both ways, as TensorFlow
Serving reads and writes them, though strict JSON has none.

Strings are object arrays of bytes on the numpy side. Every error is a `ServingError`, INVALID_ARGUMENT unless it says
otherwise, that names the input and the reason in one line.
"""

import base64
import binascii
import dataclasses
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from colorization.serving.errors import Code, ServingError
from colorization.serving.servables import quote
from colorization.serving.tensor_info import MAX_RANK, check_shape, find_dtype, invalid

_JSON_TYPES = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


@dataclasses.dataclass(frozen=True)
class JsonRequest:
    """The body of a `:predict` request.

    Attributes:
      signature_name: the signature asked for; empty for the default one.
      is_row_format: whether `value` stood under "instances" rather than "inputs".
      value: what stood there, as the json module gives it.
    """

    signature_name: str
    is_row_format: bool
    value: Any


def parse_request(body: bytes) -> JsonRequest:
    """Reads the JSON of a `:predict` request, not yet its tensors."""
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: not UTF-8 at offset: {error.start}") from error
    except (RecursionError, ValueError) as error:  # the latter for integers of thousands of digits
        raise invalid("JSON Parse error: nested too deeply, or a number has too many digits") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_describe(document)} is not object")
    signature_name = document.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise invalid("JSON Value: not formatted correctly. 'signature_name' key must be a string value.")
    keys = [key for key in ("instances", "inputs") if key in document]
    if not keys:
        raise invalid("Missing 'inputs' or 'instances' key")
    if len(keys) == 2:
        raise invalid("Not formatted correctly: expecting only one of 'inputs' or 'instances' keys to exist")
    return JsonRequest(signature_name, keys == ["instances"], document[keys[0]])


def read_inputs(request: JsonRequest, signature: Any) -> dict[str, np.ndarray]:
    """Makes a request's tensors, by the names, dtypes and shapes of a `SignatureDef`'s inputs.

    Args:
      request: from `parse_request`.
      signature: `tensorflow.SignatureDef`.

    Returns:
      An array for each input of the signature, of its dtype (strings as objects: bytes).

    Raises:
      ServingError: INVALID_ARGUMENT, for names, JSON types, numbers out of the dtype's range, lists of unequal lengths
        and shapes that the signature does not take.
    """
    infos = dict(signature.inputs)
    split = _split_rows if request.is_row_format else _split_columns
    return {name: _read_tensor(name, value, infos[name]) for name, value in split(request.value, infos).items()}


def write_outputs(outputs: Mapping[str, np.ndarray], *, is_row_format: bool) -> bytes:
    """Writes an answer's JSON, in the format of the request; float32 values keep their shortest decimal form.

    Raises:
      ServingError: INVALID_ARGUMENT, the row format was asked for and the outputs are no batches of one size;
        INTERNAL, JSON has no such values.
    """
    names = sorted(outputs)
    values = {name: _to_json(name, outputs[name]) for name in names}
    if not is_row_format:
        return _dump({"outputs": values if len(names) > 1 else values[names[0]]})
    if scalars := [name for name in names if outputs[name].ndim == 0]:
        raise invalid(f"Tensor name: {scalars[0]} has no shape information")
    sizes = {len(outputs[name]) for name in names}
    if len(sizes) > 1:
        raise invalid(f"outputs have inconsistent batch sizes {sorted(sizes)}: ask with 'inputs', not 'instances'")
    if len(names) == 1:
        return _dump({"predictions": values[names[0]]})
    rows = zip(*values.values(), strict=True)
    return _dump({"predictions": [dict(zip(names, row, strict=True)) for row in rows]})


def _describe(value: Any) -> str:
    return _JSON_TYPES.get(type(value)) or quote(str(value))[1:-1]


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _split_columns(value: Any, infos: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of each input, of a request in column format."""
    if not _is_named(value):
        if len(infos) > 1:
            raise invalid(f"inputs is a plain value/list, but expecting an object with {', '.join(sorted(infos))}")
        return {name: value for name in infos}
    if missing := sorted(set(infos) - set(value)):
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {name: value[name] for name in infos}


def _split_rows(instances: Any, infos: Mapping[str, Any]) -> dict[str, list]:
    """The JSON of each input, of a request in row format: a list with one item per instance."""
    if not isinstance(instances, list):
        raise invalid("Expecting 'instances' to be a list/array")
    if not instances:
        raise invalid("No values in 'instances' array")
    are_named = _is_named(instances[0])
    if not are_named and len(infos) > 1:
        raise invalid(f"instances is a plain list, but expecting objects with {', '.join(sorted(infos))}")
    for i, instance in enumerate(instances):
        if _is_named(instance) != are_named:
            kinds = ("object", "value/list") if are_named else ("value/list", "object")
            raise invalid(f"Expecting {kinds[0]} but got {kinds[1]} at item {i} of input list")
        if are_named and set(instance) != set(infos):
            raise invalid(
                f"Failed to process element: {i} of 'instances' list."
                f" Its keys must be equal to: {','.join(sorted(infos))}"
            )
    if not are_named:
        return {name: instances for name in infos}
    return {name: [instance[name] for instance in instances] for name in infos}


def _read_tensor(name: str, value: Any, info: Any) -> np.ndarray:
    dtype_name, dtype = find_dtype(name, info)
    values, shape = _flatten(name, value)
    check_shape(name, shape, info)
    if dtype.kind == "O":
        array = np.empty(len(values), object)
        array[:] = [_read_bytes(name, item) for item in values]
        return array.reshape(shape)
    allowed = {"b": {bool}, "f": {int, float}}.get(dtype.kind, {int})
    if wrong := set(map(type, values)) - allowed:
        culprit = next(item for item in values if type(item) in wrong)
        raise invalid(f"input {name}: JSON Value: {_describe(culprit)} is not of expected type: {dtype_name}")
    return _to_numbers(name, values, dtype).reshape(shape)


def _flatten(name: str, value: Any) -> tuple[list, tuple[int, ...]]:
    """The leaves of nested lists, and the lists' shape. Level by level, for a photo has a million leaves."""
    shape: list[int] = []
    level = [value]
    while True:
        kinds = set(map(type, level))
        if list not in kinds:
            return level, tuple(shape)
        if kinds != {list}:
            raise invalid(f"input {name}: lists and values stand side by side at level {len(shape)}")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise invalid(
                f"input {name}: lists of unequal lengths at level {len(shape)}: {min(lengths)} to {max(lengths)}"
            )
        shape += lengths
        if len(shape) > MAX_RANK:
            raise invalid(f"input {name}: nested more than {MAX_RANK} levels deep")
        level = list(itertools.chain.from_iterable(level))


def _to_numbers(name: str, values: list, dtype: np.dtype) -> np.ndarray:
    """Numbers of the right kind to their dtype, if it holds them. Floats may round, integers among them may not."""
    if dtype.kind != "f":
        try:
            return np.array(values, dtype)
        except OverflowError as error:
            limits = np.iinfo(dtype)
            culprit = next(value for value in values if not limits.min <= value <= limits.max)
            raise _out_of_range(name, culprit, dtype) from error
    try:
        wide = np.array(values, np.float64)
    except OverflowError as error:
        raise invalid(f"input {name}: an integer is too large for {dtype}") from error
    size = np.abs(wide)
    largest_int = 2 ** (np.finfo(dtype).nmant + 1) - 1
    for i in np.flatnonzero(size > largest_int):
        if (math.isfinite(wide[i]) and size[i] > np.finfo(dtype).max) or (
            isinstance(values[i], int) and abs(values[i]) > largest_int
        ):
            raise _out_of_range(name, values[i], dtype)
    return wide.astype(dtype)


def _out_of_range(name: str, value: Any, dtype: np.dtype) -> ServingError:
    return invalid(f"input {name}: Cannot convert JSON value: {_describe(value)} to {dtype} without loss of precision.")


def _read_bytes(name: str, value: Any) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode("utf-8")
        if _is_base64(value):
            data = value["b64"].encode("ascii").translate(None, b" \t\r\n").rstrip(b"=")
            return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        kind = "a string" if isinstance(value, str) else "base64"
        raise invalid(f"input {name}: JSON Value is not {kind} that can be decoded") from error
    raise invalid(f"input {name}: JSON Value: {_describe(value)} is neither a string nor {{'b64': <string>}}")


def _to_json(name: str, array: np.ndarray) -> Any:
    """Nested lists of what the json module writes."""
    if array.dtype.kind in "biu" or array.dtype == np.float64:
        return array.tolist()
    if array.dtype.kind == "f":
        # By way of text, so that a float32 0.2 is written as 0.2 and not as the 0.20000000298 that it is.
        return array.astype("U32").astype(np.float64).tolist()
    if array.dtype.kind not in "OS":
        raise ServingError(Code.INTERNAL, f"output {name}: JSON cannot hold {array.dtype}")
    texts = np.empty(array.shape, object)
    try:
        for i, data in np.ndenumerate(array.astype(object)):
            texts[i] = {"b64": base64.b64encode(data).decode()} if name.endswith("_bytes") else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ServingError(Code.INTERNAL, f"output {name}: not UTF-8, and its name does not end in _bytes") from error
    return texts.tolist()


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
