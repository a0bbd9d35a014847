import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import number_types
from flatbuffers.table import Table

from colorization.inference import conversion, model_info, tflite, tflite_metadata

ROOT = Path(__file__).parents[2]


def make_info(**changes):
    options = dict(flavour="rgb", quantization="int8", image_size=(96, 128), work_size=160, z_dim=8, source="mine/3")
    return model_info.make_info(**options | changes)


@pytest.fixture(scope="module")
def content(tiny_model_dir):
    """A file without metadata: chroma of any size."""
    source = conversion.SourceModel(tiny_model_dir / "1")
    return tflite.convert(source, flavour="chroma", quantization="float32", image_size=None)


class Node:
    """A table of a flatbuffer, read by the numbers of its fields, as a reader that knows the schema does."""

    def __init__(self, data, position=None):
        position = flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0) if position is None else position
        self.data, self.table = data, Table(data, position)

    def offset(self, field):
        return self.table.Offset(4 + 2 * field)

    def text(self, field):
        return self.table.String(self.offset(field) + self.table.Pos).decode()

    def child(self, field):
        return Node(self.data, self.table.Indirect(self.offset(field) + self.table.Pos))

    def children(self, field):
        start = self.table.Vector(self.offset(field))
        return [
            Node(self.data, self.table.Indirect(start + 4 * i)) for i in range(self.table.VectorLen(self.offset(field)))
        ]

    def number(self, field, flags):
        return self.table.Get(flags, self.offset(field) + self.table.Pos)

    def floats(self, field):
        return self.table.GetVectorAsNumpy(number_types.Float32Flags, self.offset(field)).tolist()


def test_words_say_what_goes_in_and_comes_out():
    info = make_info()
    assert [info[key] for key in ("flavour", "quantization", "image_size", "work_size", "source")] == [
        "rgb",
        "int8",
        [96, 128],
        160,
        "mine/3",
    ]
    (entry,) = info["inputs"]
    assert (entry["name"], entry["dtype"], entry["range"]) == ("rgb", "uint8", [0, 255])
    assert "(1, 96, 128, 3)" in entry["description"]
    info = make_info(flavour="chroma", image_size=None)
    assert info["image_size"] is None
    assert "(1, any height, any width, 1)" in info["inputs"][0]["description"]
    assert "about 160 pixels" in info["inputs"][0]["description"]
    assert "a* / 110" in info["outputs"][0]["description"]


def test_info_is_read_back_and_the_model_stays_the_same(content):
    info = make_info(flavour="chroma", image_size=None)
    described = tflite_metadata.add_info(content, info)
    assert tflite_metadata.read_info(described) == info
    assert tflite_metadata.read_entry(described, "min_runtime_version")  # the converter's own
    l = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    before, after = (Interpreter(model_content=data).get_signature_runner()(l=l)["ab"] for data in (content, described))
    np.testing.assert_array_equal(before, after)


def test_the_standard_block_follows_its_schema(content):
    described = tflite_metadata.add_info(content, info := make_info())
    data = tflite_metadata.read_entry(described, "TFLITE_METADATA")
    assert data[4:8] == b"M001"
    model = Node(data)
    assert (model.text(0), model.text(1)) == ("colorizer", info["description"])
    assert (model.text(5), model.text(7)) == ("Apache-2.0", "1.0.0")
    (graph,) = model.children(3)
    for field, side in ((2, "inputs"), (3, "outputs")):
        (tensor,) = graph.children(field)
        assert (tensor.text(0), tensor.text(1)) == ("rgb", info[side][0]["description"])
        assert tensor.child(3).number(0, number_types.Uint8Flags) == 2  # ImageProperties
        properties = tensor.child(3).child(1)
        assert properties.number(0, number_types.Int8Flags) == 1  # RGB
        size = properties.child(1)
        assert [size.number(i, number_types.Uint32Flags) for i in (0, 1)] == [128, 96]  # width, height
        assert (tensor.child(5).floats(0), tensor.child(5).floats(1)) == ([255.0], [0.0])  # max, min


def test_the_standard_block_of_chroma_has_no_image(content):
    described = tflite_metadata.add_info(content, make_info(flavour="chroma", image_size=None))
    (graph,) = Node(tflite_metadata.read_entry(described, "TFLITE_METADATA")).children(3)
    (l,), (ab,) = graph.children(2), graph.children(3)
    assert (l.text(0), ab.text(0)) == ("l", "ab")
    assert l.offset(3) == 0
    assert (l.child(5).floats(0), l.child(5).floats(1)) == ([1.0], [-1.0])


def test_other_files_are_refused(content):
    with pytest.raises(ValueError, match="^not a TensorFlow Lite file$"):
        tflite_metadata.read_info(b"<html>")
    with pytest.raises(ValueError, match="without colorizer.json"):
        tflite_metadata.read_info(content)


def test_reading_needs_no_tensorflow():
    code = "import sys; from colorization.inference import tflite_metadata; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
