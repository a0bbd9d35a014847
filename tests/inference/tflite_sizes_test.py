import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from colorization.inference import tflite, tflite_sizes

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def writable(source):
    content = tflite.convert(source, flavour="steer", quantization="float32", image_size=None)
    return tflite_sizes.make_sizes_writable(content)


def shapes(content):
    graph = schema.ModelT.InitFromPackedBuf(content).subgraphs[0]
    tensors = [graph.tensors[index] for index in [*graph.inputs, *graph.outputs]]
    return sorted((tuple(tensor.shape), tensor.shapeSignature is None) for tensor in tensors)


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (40, 33)])
def test_a_size_that_is_written_is_the_size_that_it_has(source, writable, size):
    content = tflite_sizes.write_size(*writable, size)
    assert len(content) == len(writable[0])
    height, width = size
    assert shapes(content) == sorted(
        [((1, *size, 1), True), ((1, 2), True), ((1, *size, 3), True), ((1, *size, 2), True)]
    )

    inputs = {
        "l": RNG.uniform(-1, 1, (1, height, width, 1)).astype(np.float32),
        "z": RNG.standard_normal((1, 2), np.float32),
        "hints": np.zeros((1, height, width, 3), np.float32),
    }
    inputs["hints"][0, 20:24, 30] = 0.5, -0.25, 1.0
    ab = Interpreter(model_content=content).get_signature_runner()(**inputs)["ab"]
    expected = source.signatures["steer_ab"](**inputs)["ab"].numpy()
    np.testing.assert_allclose(ab, expected, atol=1e-5)
    np.testing.assert_allclose(ab[0, 21, 30], [0.5, -0.25], atol=1e-5)


def test_tensors_of_fixed_shape_have_no_places(source):
    content = tflite.convert(source, flavour="chroma", quantization="float32", image_size=(32, 64))
    _, places = tflite_sizes.make_sizes_writable(content)
    assert places == tflite_sizes.SizePlaces([], [])
