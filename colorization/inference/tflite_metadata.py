"""Words and facts inside a TensorFlow Lite file: what goes in, what comes out. Reading them needs no TensorFlow.

Two entries of the file's metadata:

* `TFLITE_METADATA`: the standard block that Netron, Android Studio and the TFLite Support libraries show; names,
  descriptions and value ranges of the tensors. Written field by field, for the package that did it is no longer
  maintained; schema: tensorflow/tflite-support, tensorflow_lite_support/metadata/metadata_schema.fbs, version 1.0.0.
* `colorizer.json`: the same and more for programs: see `model_info.make_info`.
"""

import json
from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

STANDARD_NAME = "TFLITE_METADATA"
INFO_NAME = "colorizer.json"
_IMAGE_PROPERTIES, _RGB = 2, 1  # of the standard's union ContentProperties and enum ColorSpaceType


def add_info(content: bytes, info: dict[str, Any]) -> bytes:
    """Writes `info` into a TensorFlow Lite file, in both forms.

    Args:
      content: of the file.
      info: from `model_info.make_info`.

    Returns:
      The content of the new file; the model in it is the same.
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    model.description = info["description"]
    for name, data in (
        (STANDARD_NAME, _pack_standard(info)),
        (INFO_NAME, json.dumps(info, indent=2).encode()),
    ):
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = data
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + 65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def read_entry(content: bytes, name: str) -> bytes | None:
    """The bytes of a metadata entry of a TensorFlow Lite file; None if it has no such entry."""
    model = schema.Model.GetRootAs(content)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == name.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    return None


def read_info(content: bytes) -> dict[str, Any]:
    """Reads what `add_info` wrote.

    Raises:
      ValueError: it is no TensorFlow Lite file of this project.
    """
    if content[4:8] != b"TFL3":
        raise ValueError("not a TensorFlow Lite file")
    data = read_entry(content, INFO_NAME)
    if data is None:
        raise ValueError(f"a TensorFlow Lite file without {INFO_NAME}, so not of this project")
    return json.loads(data)


def _pack_standard(info: dict[str, Any]) -> bytes:
    """The block of the standard. The numbers below are the fields' places in its schema."""
    builder = flatbuffers.Builder(4096)
    sides = [
        _add_tables(builder, [_add_tensor(builder, entry, info["image_size"]) for entry in info[side]])
        for side in ("inputs", "outputs")
    ]
    graph = _add_table(builder, 9, dict(zip((2, 3), sides, strict=True)))
    fields = {
        0: builder.CreateString(info["name"]),
        1: builder.CreateString(info["description"]),
        3: _add_tables(builder, [graph]),
        5: builder.CreateString(info["license"]),
        7: builder.CreateString("1.0.0"),  # the oldest parser that understands it
    }
    builder.Finish(_add_table(builder, 8, fields), file_identifier=b"M001")
    return bytes(builder.Output())


def _add_tensor(builder: flatbuffers.Builder, entry: dict[str, Any], image_size: Sequence[int] | None) -> int:
    """A TensorMetadata: name 0, description 1, content 3, stats 5."""
    fields = {0: builder.CreateString(entry["name"]), 1: builder.CreateString(entry["description"])}
    if entry["name"] == "rgb":
        fields[3] = _add_image_content(builder, image_size)
    low, high = ([value] for value in entry["range"])
    fields[5] = _add_table(builder, 2, {0: _add_floats(builder, high), 1: _add_floats(builder, low)})
    return _add_table(builder, 7, fields)


def _add_image_content(builder: flatbuffers.Builder, image_size: Sequence[int] | None) -> int:
    """A Content that holds ImageProperties: colour space 0, default size 1 (width 0, height 1)."""
    size = None
    if image_size is not None:
        height, width = image_size
        builder.StartObject(2)
        builder.PrependUint32Slot(0, width, 0)
        builder.PrependUint32Slot(1, height, 0)
        size = builder.EndObject()
    builder.StartObject(2)
    builder.PrependInt8Slot(0, _RGB, 0)
    if size is not None:
        builder.PrependUOffsetTRelativeSlot(1, size, 0)
    properties = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUint8Slot(0, _IMAGE_PROPERTIES, 0)
    builder.PrependUOffsetTRelativeSlot(1, properties, 0)
    return builder.EndObject()


def _add_table(builder: flatbuffers.Builder, num_fields: int, fields: dict[int, int]) -> int:
    builder.StartObject(num_fields)
    for slot, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return builder.EndObject()


def _add_tables(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def _add_floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()
