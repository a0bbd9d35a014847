import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from colorization.serving import tensor_info
from colorization.serving.errors import Code, ServingError


def make_info(dtype, *sizes, **shape):
    shape = {"dim": [{"size": size} for size in sizes], **shape}
    return meta_graph_pb2.TensorInfo(dtype=dtype, tensor_shape=shape)


@pytest.mark.parametrize(
    "number, name, expected",
    [
        (types_pb2.DT_FLOAT, "DT_FLOAT", np.float32),
        (types_pb2.DT_UINT8, "DT_UINT8", np.uint8),
        (types_pb2.DT_STRING, "DT_STRING", object),
        (types_pb2.DT_HALF, "DT_HALF", np.float16),
        (types_pb2.DT_BOOL, "DT_BOOL", bool),
        (types_pb2.DT_UINT64, "DT_UINT64", np.uint64),
    ],
)
def test_dtype_of_an_input(number, name, expected):
    assert tensor_info.find_dtype("x", make_info(number)) == (name, np.dtype(expected))


def test_other_dtypes_are_unsupported():
    for number, shown in ((types_pb2.DT_QINT8, "DT_QINT8"), (9999, "9999")):
        with pytest.raises(ServingError, match=f"^input x: dtype {shown} is not supported$") as info:
            tensor_info.find_dtype("x", make_info(number))
        assert info.value.code is Code.UNIMPLEMENTED


def test_shape_is_checked_where_it_is_known():
    info = make_info(types_pb2.DT_FLOAT, -1, 4, -1)
    tensor_info.check_shape("x", (0, 4, 9), info)
    for shape in ((1, 4), (1, 5, 9), (), (1, 4, 9, 1)):
        with pytest.raises(ServingError) as error:
            tensor_info.check_shape("x", shape, info)
        shown = ",".join(map(str, shape))
        assert str(error.value) == f"input x: shape [{shown}] is not of expected shape [?,4,?]"
        assert error.value.code is Code.INVALID_ARGUMENT
    tensor_info.check_shape("x", (1, 2, 3, 4, 5), make_info(types_pb2.DT_FLOAT, unknown_rank=True))
