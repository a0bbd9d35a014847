import json

import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from colorization.serving import tensors
from colorization.serving.errors import Code, ServingError

DTYPES = {
    "float": types_pb2.DT_FLOAT,
    "double": types_pb2.DT_DOUBLE,
    "half": types_pb2.DT_HALF,
    "uint8": types_pb2.DT_UINT8,
    "int64": types_pb2.DT_INT64,
    "uint64": types_pb2.DT_UINT64,
    "bool": types_pb2.DT_BOOL,
    "string": types_pb2.DT_STRING,
}


def make_signature(**dtypes):
    """Inputs of these dtypes and of any shape."""
    infos = {
        name: meta_graph_pb2.TensorInfo(dtype=DTYPES[dtype], tensor_shape={"unknown_rank": True})
        for name, dtype in dtypes.items()
    }
    return meta_graph_pb2.SignatureDef(inputs=infos)


def read(text, **dtypes):
    return tensors.read_inputs(tensors.parse_request(text.encode()), make_signature(**dtypes))


def assert_refused(message, text, **dtypes):
    with pytest.raises(ServingError) as error:
        read(text, **dtypes)
    assert str(error.value) == message
    assert error.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"instances": [1, 2]}', [1, 2]),
        ('{"instances": [[[1, 2]], [[3, 4]], [[5, 6]]]}', [[[1, 2]], [[3, 4]], [[5, 6]]]),
        ('{"instances": [{"x": [1]}, {"x": [2]}]}', [[1], [2]]),
        ('{"instances": [[], []]}', [[], []]),
        ('{"inputs": 7}', 7),
        ('{"inputs": []}', []),
        ('{"inputs": [[1, 2]]}', [[1, 2]]),
        ('{"inputs": {"x": [[1, 2]], "not asked for": 1}}', [[1, 2]]),
    ],
)
def test_one_input_in_every_format(text, expected):
    (name, array), *others = read(text, x="uint8").items()
    assert (name, others, array.dtype) == ("x", [], np.uint8)
    np.testing.assert_array_equal(array, np.array(expected, np.uint8), strict=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"instances": [{"x": [1], "y": "a"}, {"y": {"b64": "Yg=="}, "x": [2]}]}',
        '{"inputs": {"x": [[1], [2]], "y": ["a", {"b64": "Yg=="}]}}',
    ],
)
def test_several_inputs_in_every_format(text):
    inputs = read(text, x="int64", y="string")
    assert {name: array.tolist() for name, array in inputs.items()} == {"x": [[1], [2]], "y": [b"a", b"b"]}


def test_bytes_come_as_base64_or_as_text():
    for text in ('{"instances": [{"b64": "iVBORwAA"}, "é"]}', '{"inputs": [{"b64": "iVBO\\nRwAA"}, "é"]}'):
        array = read(text, image_bytes="string")["image_bytes"]
        assert array.tolist() == [b"\x89PNG\x00\x00", b"\xc3\xa9"]
        assert array.dtype == object
    assert read('{"instances": [{"image_bytes": {"b64": "YQ"}}]}', image_bytes="string")["image_bytes"] == [b"a"]
    scalar = read('{"inputs": {"b64": "YWI="}}', image_bytes="string")["image_bytes"]
    assert (scalar.shape, scalar.item()) == ((), b"ab")


def test_numbers_keep_their_value_in_every_dtype():
    for dtype, text, expected in (
        ("float", "[0.1, -1, NaN, -Infinity, 16777215]", np.array([0.1, -1, np.nan, -np.inf, 2**24 - 1], np.float32)),
        ("double", "[0.1, 9007199254740991]", np.array([0.1, 2**53 - 1])),
        ("half", "[0.5, 65504.0]", np.array([0.5, 65504], np.float16)),
        ("int64", "[9223372036854775807, -1]", np.array([2**63 - 1, -1])),
        ("uint64", "[18446744073709551615, 0]", np.array([2**64 - 1, 0], np.uint64)),
        ("bool", "[true, false]", np.array([True, False])),
    ):
        np.testing.assert_array_equal(read(f'{{"inputs": {text}}}', x=dtype)["x"], expected, strict=True)


@pytest.mark.parametrize(
    "dtype, text, shown",
    [
        ("uint8", "256", "256 to uint8"),
        ("uint8", "-1", "-1 to uint8"),
        ("uint64", "-1", "-1 to uint64"),
        ("int64", "9223372036854775808", "9223372036854775808 to int64"),
        ("float", "16777216", "16777216 to float32"),
        ("float", "-1e39", "-1e+39 to float32"),
        ("half", "65536.0", "65536.0 to float16"),
    ],
)
def test_numbers_out_of_range_are_refused(dtype, text, shown):
    message = f"input x: Cannot convert JSON value: {shown} without loss of precision."
    assert_refused(message, f'{{"inputs": [1, {text}]}}', x=dtype)


@pytest.mark.parametrize(
    "dtype, text, shown, expected",
    [
        ("uint8", "1.0", "1.0", "DT_UINT8"),
        ("uint8", "true", "a boolean", "DT_UINT8"),
        ("uint8", '"1"', "a string", "DT_UINT8"),
        ("uint8", "null", "null", "DT_UINT8"),
        ("float", "true", "a boolean", "DT_FLOAT"),
        ("float", '{"b64": "YQ=="}', "an object", "DT_FLOAT"),
        ("bool", "1", "1", "DT_BOOL"),
    ],
)
def test_values_of_other_kinds_are_refused(dtype, text, shown, expected):
    first = "false" if dtype == "bool" else "1"
    message = f"input x: JSON Value: {shown} is not of expected type: {expected}"
    assert_refused(message, f'{{"inputs": [{first}, {text}]}}', x=dtype)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("1", "1 is neither a string nor {'b64': <string>}"),
        ('{"b64": 1}', "an object is neither a string nor {'b64': <string>}"),
        ('{"b64": "YQ==", "c": 1}', "an object is neither a string nor {'b64': <string>}"),
    ],
)
def test_no_bytes(text, reason):
    assert_refused(f"input x: JSON Value: {reason}", f'{{"inputs": ["a", {text}]}}', x="string")


@pytest.mark.parametrize("data", ["A", "Y!==", "YQ==YQ==", "é", "-_-_"])
def test_base64_must_be_whole(data):
    message = "input x: JSON Value is not base64 that can be decoded"
    assert_refused(message, json.dumps({"instances": [{"b64": data}]}), x="string")


def test_text_must_be_unicode():
    message = "input x: JSON Value is not a string that can be decoded"
    assert_refused(message, '{"instances": ["\\ud800"]}', x="string")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("[[1, 2], [3]]", "lists of unequal lengths at level 1: 1 to 2"),
        ("[[[1], [2]], [[3]]]", "lists of unequal lengths at level 1: 1 to 2"),
        ("[[[1, 2], [2]]]", "lists of unequal lengths at level 2: 1 to 2"),
        ("[1, [2]]", "lists and values stand side by side at level 1"),
        ("[[1], {}]", "lists and values stand side by side at level 1"),
        ("[" * 33 + "]" * 33, "nested more than 32 levels deep"),
    ],
)
def test_ragged_lists_are_refused(text, reason):
    assert_refused(f"input x: {reason}", f'{{"inputs": {text}}}', x="uint8")
    assert_refused(f"input x: {reason}", f'{{"inputs": {{"y": 1, "x": {text}}}}}', x="uint8", y="uint8")


def test_shape_must_be_that_of_the_signature():
    signature = make_signature(rgb="uint8")
    signature.inputs["rgb"].tensor_shape.CopyFrom(
        meta_graph_pb2.TensorInfo(tensor_shape={"dim": [{"size": size} for size in (-1, -1, -1, 3)]}).tensor_shape
    )
    good = tensors.parse_request(b'{"instances": [[[[1, 2, 3], [4, 5, 6]]]]}')
    assert tensors.read_inputs(good, signature)["rgb"].shape == (1, 1, 2, 3)
    bad = tensors.parse_request(b'{"instances": [[[[1, 2, 3, 4]]]]}')
    with pytest.raises(ServingError, match=r"^input rgb: shape \[1,1,1,4\] is not of expected shape \[\?,\?,\?,3\]$"):
        tensors.read_inputs(bad, signature)


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"instances": 1}', "Expecting 'instances' to be a list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"instances": [1]}', "instances is a plain list, but expecting objects with x, y"),
        ('{"inputs": [1]}', "inputs is a plain value/list, but expecting an object with x, y"),
        ('{"inputs": {"x": 1}}', "Missing named input: y in 'inputs' object."),
        (
            '{"instances": [{"x": 1, "y": 1}, {"x": 1}]}',
            "Failed to process element: 1 of 'instances' list. Its keys must be equal to: x,y",
        ),
        (
            '{"instances": [{"x": 1, "y": 1, "z": 1}]}',
            "Failed to process element: 0 of 'instances' list. Its keys must be equal to: x,y",
        ),
        (
            '{"instances": [{"x": 1, "y": 1}, [1]]}',
            "Expecting object but got value/list at item 1 of input list",
        ),
    ],
)
def test_inputs_must_be_those_of_the_signature(text, message):
    assert_refused(message, text, x="uint8", y="uint8")


def test_objects_and_values_do_not_mix():
    message = "Expecting value/list but got object at item 1 of input list"
    assert_refused(message, '{"instances": [{"b64": "YQ=="}, {"x": "a"}]}', x="string")


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "JSON Parse error: Expecting value at offset: 0"),
        (b'{"instances": [1,]}', "JSON Parse error: Expecting value at offset: 17"),
        (b'{"instances": ["\xff"]}', "JSON Parse error: not UTF-8 at offset: 16"),
        (b"[" * 100_000, "JSON Parse error: nested too deeply, or a number has too many digits"),
        (b'{"inputs": ' + b"1" * 5000 + b"}", "JSON Parse error: nested too deeply, or a number has too many digits"),
        (b"[1]", "JSON Value: a list is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (
            b'{"inputs": 1, "instances": [1]}',
            "Not formatted correctly: expecting only one of 'inputs' or 'instances' keys to exist",
        ),
        (
            b'{"signature_name": 1, "inputs": 1}',
            "JSON Value: not formatted correctly. 'signature_name' key must be a string value.",
        ),
    ],
    ids=lambda value: value[:20],
)
def test_body_that_is_no_request(body, message):
    with pytest.raises(ServingError) as error:
        tensors.parse_request(body)
    assert str(error.value) == message


def test_request_keeps_its_format_and_signature():
    request = tensors.parse_request(b'{"signature_name": "colorize", "instances": [1]}')
    assert request == tensors.JsonRequest("colorize", True, [1])
    assert tensors.parse_request(b'{"inputs": 1}') == tensors.JsonRequest("", False, 1)


def test_one_output_stands_by_itself():
    outputs = {"rgb": np.array([[1, 2], [3, 4]], np.uint8)}
    assert tensors.write_outputs(outputs, is_row_format=True) == b'{"predictions":[[1,2],[3,4]]}'
    assert tensors.write_outputs(outputs, is_row_format=False) == b'{"outputs":[[1,2],[3,4]]}'


def test_several_outputs_stand_under_their_names():
    outputs = {"z": np.array([[1.5], [2]], np.float32), "ok": np.array([True, False])}
    assert (
        tensors.write_outputs(outputs, is_row_format=True)
        == b'{"predictions":[{"ok":true,"z":[1.5]},{"ok":false,"z":[2.0]}]}'
    )
    assert tensors.write_outputs(outputs, is_row_format=False) == b'{"outputs":{"ok":[true,false],"z":[[1.5],[2.0]]}}'


def test_bytes_are_base64_by_the_name_of_the_output():
    array = np.array([b"\x89PNG\x00", b"a"], object)
    expected = b'{"predictions":[{"b64":"iVBORwA="},{"b64":"YQ=="}]}'
    assert tensors.write_outputs({"image_bytes": array}, is_row_format=True) == expected
    assert tensors.write_outputs({"label": array[1:]}, is_row_format=True) == b'{"predictions":["a"]}'
    assert tensors.write_outputs({"label": np.array(b"a")}, is_row_format=False) == b'{"outputs":"a"}'
    with pytest.raises(ServingError, match="^output label: not UTF-8") as error:
        tensors.write_outputs({"label": array}, is_row_format=True)
    assert error.value.code is Code.INTERNAL
    empty = {"image_bytes": np.empty((0,), object)}
    assert tensors.write_outputs(empty, is_row_format=False) == b'{"outputs":[]}'


def test_floats_are_short_and_exact():
    values = np.array([0.2, 1, 1e-7, 3.4028235e38, 1 / 3], np.float32)
    text = tensors.write_outputs({"ab": values}, is_row_format=False)
    assert text == b'{"outputs":[0.2,1.0,1e-07,3.4028235e+38,0.33333334]}'
    np.testing.assert_array_equal(np.float32(json.loads(text)["outputs"]), values)
    assert tensors.write_outputs({"x": np.array([1 / 3])}, is_row_format=False) == b'{"outputs":[0.3333333333333333]}'


def test_what_is_no_number_is_written_as_tensorflow_serving_does():
    values = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert tensors.write_outputs({"ab": values}, is_row_format=True) == b'{"predictions":[NaN,Infinity,-Infinity]}'


def test_row_format_needs_a_batch():
    with pytest.raises(ServingError, match="^Tensor name: a has no shape information$"):
        tensors.write_outputs({"a": np.float32(1)}, is_row_format=True)
    with pytest.raises(ServingError, match=r"^outputs have inconsistent batch sizes \[1, 2\]"):
        tensors.write_outputs({"a": np.zeros(1), "b": np.zeros(2)}, is_row_format=True)


def test_json_has_no_complex_numbers():
    with pytest.raises(ServingError, match="^output x: JSON cannot hold complex64$"):
        tensors.write_outputs({"x": np.zeros(1, np.complex64)}, is_row_format=True)


def test_a_photo_as_numbers_comes_back_as_it_was():
    rgb = np.random.default_rng(0).integers(0, 256, (1, 300, 400, 3), np.uint8)
    inputs = read(json.dumps({"instances": rgb.tolist()}), rgb="uint8")
    np.testing.assert_array_equal(inputs["rgb"], rgb, strict=True)
    assert json.loads(tensors.write_outputs(inputs, is_row_format=True)) == {"predictions": rgb.tolist()}
