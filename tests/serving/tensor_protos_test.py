import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from colorization.serving import tensor_protos
from colorization.serving.errors import Code, ServingError


def make_signature(**inputs):
    infos = {
        name: meta_graph_pb2.TensorInfo(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in sizes]})
        for name, (dtype, *sizes) in inputs.items()
    }
    return meta_graph_pb2.SignatureDef(inputs=infos)


def make_proto(dtype, *sizes, **values):
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in sizes]}, **values)


def read(proto, dtype=None, rank=None):
    rank = len(proto.tensor_shape.dim) if rank is None else rank
    signature = make_signature(x=(dtype or proto.dtype, *[-1] * rank))
    return tensor_protos.read_inputs({"x": proto}, signature)["x"]


DTYPES = [tf.float32, tf.float64, tf.float16, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64]


@pytest.mark.parametrize("dtype", [*DTYPES, tf.bool], ids=lambda dtype: dtype.name)
def test_numbers_survive_the_round_trip_by_content_and_by_field(dtype):
    array = np.array([[0, 1, 5], [7, 1, 0]]).astype(dtype.as_numpy_dtype)
    for proto in (tensor_protos.write_proto(array), tf.make_tensor_proto(array.tolist(), dtype), one_by_one(array)):
        back = read(proto)
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def one_by_one(array):
    """The values in the field for them, as C++ clients send them."""
    scalars = [tf.make_tensor_proto(value) for value in array.ravel()]
    proto = make_proto(scalars[0].dtype, *array.shape)
    for scalar in scalars:
        scalar.ClearField("tensor_shape")
        proto.MergeFrom(scalar)
    assert not proto.tensor_content
    return proto


def test_bytes_survive_the_round_trip():
    array = np.array([[b"\x89PNG\x00\x00"], ["é".encode()]], object)
    proto = tensor_protos.write_proto(array)
    assert (proto.dtype, list(proto.string_val)) == (types_pb2.DT_STRING, [b"\x89PNG\x00\x00", b"\xc3\xa9"])
    assert read(proto).tolist() == array.tolist()
    assert list(tensor_protos.write_proto(np.array([b"ab", b"c"])).string_val) == [b"ab", b"c"]  # not as objects


@pytest.mark.parametrize("array", [np.empty((0,), object), np.empty((0, 4, 4, 3), np.uint8)], ids=["bytes", "uint8"])
def test_empty_batches_survive_the_round_trip(array):
    back = read(tensor_protos.write_proto(array))
    assert (back.shape, back.dtype) == (array.shape, array.dtype)


def test_last_value_repeats():
    np.testing.assert_array_equal(read(make_proto(types_pb2.DT_FLOAT, 2, 2, float_val=[1, 2])), [[1, 2], [2, 2]])
    np.testing.assert_array_equal(read(make_proto(types_pb2.DT_STRING, 3, string_val=[b"a"])), [b"a"] * 3)


FLOAT, UINT8, STRING = types_pb2.DT_FLOAT, types_pb2.DT_UINT8, types_pb2.DT_STRING
MALFORMED = {
    "none": (make_proto(FLOAT, 2), "0 values for shape [2]"),
    "too many": (make_proto(FLOAT, 2, float_val=[1, 2, 3]), "3 values for shape [2]"),
    "short content": (make_proto(FLOAT, 2, tensor_content=b"abcd"), "1 values for shape [2]"),
    "long content": (make_proto(UINT8, 2, tensor_content=b"abc"), "3 values for shape [2]"),
    "cut content": (make_proto(FLOAT, 1, tensor_content=b"abcde"), "tensor_content of 5 bytes does not hold float32"),
    "string content": (make_proto(STRING, 1, tensor_content=b"a"), "strings must stand in string_val, not in"),
    "huge": (make_proto(UINT8, 2**15, 2**15, int_val=[1]), "1 values repeated for shape [32768, 32768]: too many"),
    "negative": (make_proto(UINT8, -1, int_val=[1]), "a tensor cannot have 1 dimensions of these sizes"),
    "overflow": (make_proto(UINT8, 0, 2**62, 2**62), "a tensor cannot have 3 dimensions of these sizes"),
    "overflow of numpy": (make_proto(UINT8, 0, *[2**31 - 1] * 5), "numpy cannot hold shape [0, "),
    "deep": (make_proto(UINT8, *[1] * 33, int_val=[1]), "a tensor cannot have 33 dimensions of these sizes"),
    "out of range": (make_proto(UINT8, 1, int_val=[256]), "int_val has a value out of range for uint8"),
    "wrong field": (make_proto(UINT8, 1, float_val=[1]), "0 values for shape [1]"),
}


@pytest.mark.parametrize("proto, reason", MALFORMED.values(), ids=MALFORMED)
def test_malformed_proto_is_refused_with_its_name_and_reason(proto, reason):
    with pytest.raises(ServingError) as error:
        read(proto)
    assert str(error.value).startswith(f"input x: {reason}")
    assert error.value.code is Code.INVALID_ARGUMENT


def test_what_the_signature_does_not_take_is_refused():
    unknown = make_proto(FLOAT, float_val=[1])
    unknown.tensor_shape.unknown_rank = True
    for proto, reason in (
        (make_proto(types_pb2.DT_INT32, 1, int_val=[1]), "dtype DT_INT32 is not of expected type: DT_FLOAT"),
        (make_proto(9999, 1), "dtype 9999 is not of expected type: DT_FLOAT"),
        (make_proto(FLOAT, 1, 1, float_val=[1]), "shape [1,1] is not of expected shape [?]"),
        (make_proto(FLOAT, float_val=[1]), "shape [] is not of expected shape [?]"),
        (unknown, "its shape is unknown"),
    ):
        with pytest.raises(ServingError) as error:
            read(proto, FLOAT, rank=1)
        assert str(error.value) == f"input x: {reason}"


def test_names_must_be_those_of_the_signature():
    signature = make_signature(l=(FLOAT, -1), z=(FLOAT, -1))
    with pytest.raises(ServingError) as error:
        tensor_protos.read_inputs({"l": make_proto(FLOAT, 0), "rgb\n": make_proto(FLOAT, 0)}, signature)
    assert str(error.value) == (
        "input size does not match signature: 2!=2. Sent extra: {rgb\\n}. Missing but required: {z}."
    )
