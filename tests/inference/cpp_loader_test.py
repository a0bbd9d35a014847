"""Exported models run in TensorFlow's C++ loader and session, as in TensorFlow Serving, with no Python in between.

The libraries of the wheel have the C API; a process calls it that never imports tensorflow.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from colorization.inference import saved_model

SHIPPED_DIR = Path(__file__).parents[2] / "saved_models" / "colorizer"
TOLERANCE = 1e-5  # of ab in [-1, 1]; both run the same kernels, in whatever order their threads add

RUN = """
import ctypes, json, sys
import numpy as np

libraries, model_dir, runs, inputs_path, outputs_path = sys.argv[1:]
framework, api = (ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in json.loads(libraries))
FLOAT, STRING = 1, 7  # TF_DataType
pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p

class Output(ctypes.Structure):  # TF_Output
    _fields_ = [("operation", pointer), ("index", ctypes.c_int)]

class String(ctypes.Structure):  # TF_TString
    _fields_ = [("content", ctypes.c_uint64 * 3)]

def declare(name, result, *arguments, library=api):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function

new_status = declare("TF_NewStatus", pointer)
get_code = declare("TF_GetCode", ctypes.c_int, pointer)
get_message = declare("TF_Message", text, pointer)
new_graph = declare("TF_NewGraph", pointer)
new_options = declare("TF_NewSessionOptions", pointer)
load = declare("TF_LoadSessionFromSavedModel", pointer, pointer, pointer, text, ctypes.POINTER(text), ctypes.c_int,
               pointer, pointer, pointer)
find = declare("TF_GraphOperationByName", pointer, pointer, text)
run = declare("TF_SessionRun", None, pointer, pointer, ctypes.POINTER(Output), ctypes.POINTER(pointer), ctypes.c_int,
              ctypes.POINTER(Output), ctypes.POINTER(pointer), ctypes.c_int, pointer, ctypes.c_int, pointer, pointer)
allocate = declare("TF_AllocateTensor", pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, size)
get_data = declare("TF_TensorData", pointer, pointer)
get_bytes = declare("TF_TensorByteSize", size, pointer)
get_type = declare("TF_TensorType", ctypes.c_int, pointer)
get_rank = declare("TF_NumDims", ctypes.c_int, pointer)
get_dim = declare("TF_Dim", ctypes.c_int64, pointer, ctypes.c_int)
init_string = declare("TF_StringInit", None, pointer)
copy_string = declare("TF_StringCopy", None, pointer, text, size)
get_string = declare("TF_StringGetDataPointer", pointer, pointer)
get_string_size = declare("TF_StringGetSize", size, pointer)
status = new_status()

def check():
    if get_code(status):
        sys.exit(get_message(status).decode())

def to_tensor(array):
    is_string = array.dtype == np.uint8  # one string, as bytes
    shape = (1,) if is_string else array.shape
    num_bytes = ctypes.sizeof(String) if is_string else array.nbytes
    tensor = allocate(STRING if is_string else FLOAT, (ctypes.c_int64 * len(shape))(*shape), len(shape), num_bytes)
    if is_string:
        init_string(get_data(tensor))
        copy_string(get_data(tensor), array.tobytes(), array.size)
    else:
        ctypes.memmove(get_data(tensor), array.tobytes(), num_bytes)
    return tensor

def to_array(tensor):
    shape = [get_dim(tensor, i) for i in range(get_rank(tensor))]
    data = get_data(tensor)
    if get_type(tensor) == STRING:
        assert shape == [1], shape
        return np.frombuffer(ctypes.string_at(get_string(data), get_string_size(data)), np.uint8)
    return np.frombuffer(ctypes.string_at(data, get_bytes(tensor)), np.float32).reshape(shape)

graph = new_graph()
session = load(new_options(), None, model_dir.encode(), (text * 1)(b"serve"), 1, graph, None, status)
check()

def find_output(name):
    operation, index = name.split(":")
    return Output(find(graph, operation.encode()), int(index))

inputs, outputs = np.load(inputs_path), {}
for key, (input_name, output_name) in json.loads(runs).items():
    result = (pointer * 1)()
    run(session, None, (Output * 1)(find_output(input_name)), (pointer * 1)(to_tensor(inputs[key])), 1,
        (Output * 1)(find_output(output_name)), result, 1, None, 0, None, status)
    check()
    outputs[key] = to_array(result[0])
np.savez(outputs_path, **outputs)
assert "tensorflow" not in sys.modules
"""


def find_libraries():
    """TensorFlow's framework and the library with its kernels, the session and the C API."""
    lib_dir = Path(tf.sysconfig.get_lib())
    libraries = [sorted(lib_dir.glob(f"libtensorflow_{name}.*")) for name in ("framework", "cc")]
    assert all(libraries), f"{lib_dir} lacks one of libtensorflow_framework and libtensorflow_cc"
    return [str(found[0]) for found in libraries]


def read_names(version_dir, **signatures):
    """The names of the tensors of signatures with one input and one output, in the graph."""
    proto = saved_model_pb2.SavedModel.FromString((version_dir / "saved_model.pb").read_bytes())
    names = {}
    for key, signature in signatures.items():
        definition = proto.meta_graphs[0].signature_def[signature]
        (source,), (target,) = definition.inputs.values(), definition.outputs.values()
        names[key] = (source.name, target.name)
    return names


@pytest.mark.parametrize("name", ["tiny", "shipped"])
def test_cpp_session_answers_as_python_does(name, tiny_model_dir, tmp_path):
    version_dir = saved_model.list_versions(tiny_model_dir if name == "tiny" else SHIPPED_DIR)[-1]
    rng = np.random.default_rng(0)
    l = rng.uniform(-1, 1, (1, 64, 96, 1)).astype(np.float32)
    png = tf.io.encode_png(rng.integers(0, 256, (50, 70, 3), np.uint8)).numpy()
    np.savez(tmp_path / "in.npz", predict_ab=l, serving_default=np.frombuffer(png, np.uint8))
    names = read_names(version_dir, predict_ab="predict_ab", serving_default="serving_default")
    arguments = [json.dumps(find_libraries()), str(version_dir), json.dumps(names), tmp_path / "in.npz"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments, tmp_path / "out.npz"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = np.load(tmp_path / "out.npz")

    signatures = tf.saved_model.load(str(version_dir)).signatures
    ab = signatures["predict_ab"](l=tf.constant(l))["ab"].numpy()
    assert ab.shape == answers["predict_ab"].shape == (1, 64, 96, 2)
    assert np.abs(answers["predict_ab"] - ab).max() < TOLERANCE
    assert np.ptp(ab) > 0.01, "no answer at all would agree as well"

    expected = signatures["serving_default"](image_bytes=tf.constant([png]))["image_bytes"].numpy()[0]
    rgb, cpp_rgb = (
        np.asarray(Image.open(io.BytesIO(data)), np.int16) for data in (expected, answers["serving_default"].tobytes())
    )
    assert rgb.shape == cpp_rgb.shape == (50, 70, 3)
    assert np.abs(cpp_rgb - rgb).max() <= 1
