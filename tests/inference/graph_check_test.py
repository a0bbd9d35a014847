"""Models that do more than compute are refused by name, before they do it; others are not."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from colorization.inference import colorizer, graph_check, tflite

ROOT = Path(__file__).parents[2]


def write_file(path: str) -> tf.Operation:
    return tf.io.write_file(path, "written by a model")


def read_file(path: str) -> tf.Tensor:
    return tf.io.read_file(path)


def call_python(path: str) -> tf.Tensor:
    return tf.py_function(lambda: Path(path).write_text("written by a model"), [], tf.int64)


def call_numpy(path: str) -> tf.Tensor:
    return tf.numpy_function(lambda: np.int64(Path(path).write_text("written by a model")), [], tf.int64)


def call_pure_numpy(path: str) -> tf.Tensor:
    return tf.numpy_function(lambda: np.int64(Path(path).write_text("by a model")), [], tf.int64, stateful=False)


def print_to_file(path: str) -> tf.Operation:
    return tf.print("written by a model", output_stream=f"file://{path}")


def save_tensor(path: str) -> tf.Operation:
    return tf.raw_ops.SaveV2(prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)])


def list_files(path: str) -> tf.Tensor:
    return tf.io.matching_files(path)


def read_lines(path: str) -> tf.Tensor:
    return tf.data.TextLineDataset(path).reduce(0, lambda count, _: count + 1)


OPERATIONS = {
    write_file: "WriteFile",
    read_file: "ReadFile",
    call_python: "EagerPyFunc",
    call_numpy: "PyFunc",
    call_pure_numpy: "PyFuncStateless",
    print_to_file: "PrintV2",
    save_tensor: "SaveV2",
    list_files: "MatchingFiles",
    read_lines: r"\w*Dataset",
}


@pytest.fixture
def make_model(tmp_path):
    """Exports a model whose `sample_ab` also does something else; returns its folder and the file that it is about."""

    def make(action) -> tuple[Path, Path]:
        target = tmp_path / "target.txt"

        def sample_ab(l, z):
            result = action(str(target))
            with tf.control_dependencies([result] if result is not None else []):
                return {"ab": tf.concat([l, l], axis=-1)}

        specs = [tf.TensorSpec([None, None, None, 1], name="l"), tf.TensorSpec([None, 2], name="z")]
        module = tf.Module()
        module.sample_ab = tf.function(sample_ab, input_signature=specs)
        version_dir = tmp_path / "model" / "1"
        tf.saved_model.save(module, str(version_dir), signatures={"sample_ab": module.sample_ab})
        (version_dir / "assets.extra").mkdir()
        (version_dir / "assets.extra" / "colorizer.json").write_text(json.dumps({"work_size": 64, "z_dim": 2}))
        return version_dir, target

    return make


@pytest.mark.parametrize("action", OPERATIONS, ids=lambda action: action.__name__)
def test_an_operation_that_reaches_out_is_refused_by_name_and_not_run(make_model, action):
    version_dir, target = make_model(action)
    message = f"{re.escape(str(version_dir))}: not a model .* holds the operation {OPERATIONS[action]} in __inference_"
    with pytest.raises(colorizer.ModelError, match=message) as caught:
        colorizer.Colorizer.load(version_dir.parent)
    assert "\n" not in str(caught.value)
    assert not list(target.parent.glob("target*"))


def test_without_such_an_operation_the_same_model_is_taken(make_model):
    version_dir, _ = make_model(lambda path: None)
    assert colorizer.Colorizer.load(version_dir).work_size == 64


def test_conversion_refuses_it_too(make_model):
    version_dir, _ = make_model(write_file)
    with pytest.raises(tflite.ConversionError, match="WriteFile"):
        tflite.SourceModel(version_dir)


def test_exported_models_are_taken(tiny_model_dir):
    for version_dir in (tiny_model_dir / "1", *(ROOT / "saved_models" / "colorizer").glob("[0-9]*")):
        graph_check.check_graph(version_dir)


def change(version_dir: Path, tmp_path: Path, edit) -> Path:
    """A copy with another graph; `edit` gets the SavedModel proto."""
    target = tmp_path / "changed"
    shutil.copytree(version_dir, target)
    proto = saved_model_pb2.SavedModel.FromString((target / "saved_model.pb").read_bytes())
    edit(proto)
    (target / "saved_model.pb").write_bytes(proto.SerializeToString())
    return target


def test_the_functions_that_save_must_not_be_called_by_others(tiny_model_dir, tmp_path):
    def call_it(proto) -> None:
        graph = proto.meta_graphs[0]
        save_node = graph.saver_def.save_tensor_name.split(":")[0]
        (node,) = [node for node in graph.graph_def.node if node.name == save_node]
        (function, *_) = graph_check._LIST_FUNCTIONS(graph.graph_def)
        function.node_def.add().CopyFrom(node)
        function.node_def[-1].name = "innocent"

    with pytest.raises(graph_check.UnsafeGraphError, match="the operation (SaveV2|MergeV2Checkpoints)"):
        graph_check.check_graph(change(tiny_model_dir / "1", tmp_path, call_it))


def test_models_of_tensorflow_1_are_refused(tiny_model_dir, tmp_path):
    changed = change(tiny_model_dir / "1", tmp_path, lambda proto: proto.meta_graphs[0].ClearField("object_graph_def"))
    with pytest.raises(graph_check.UnsafeGraphError, match="not one of TensorFlow 2"):
        graph_check.check_graph(changed)


def test_unknown_operations_are_refused(tiny_model_dir, tmp_path):
    def add(proto) -> None:
        proto.meta_graphs[0].graph_def.node.add(name="x", op="NoSuchOperation")

    with pytest.raises(graph_check.UnsafeGraphError, match="the operation NoSuchOperation, which"):
        graph_check.check_graph(change(tiny_model_dir / "1", tmp_path, add))
