"""Lets programs choose the size of a TensorFlow Lite file's inputs by writing numbers into the file.

Runtimes for browsers take no inputs of open size, and a file for each proportion of photos would repeat the weights. So
a file that was converted for any size gets inputs and outputs of a placeholder size, and whoever loads it first writes
height and width, int32 in little-endian order, at the places named here.
"""

import dataclasses

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

PLACEHOLDER_SIZE = 32  # px
_NUM_BYTES = 4  # of an int32


@dataclasses.dataclass(frozen=True)
class SizePlaces:
    """Where height and width stand in a file: offsets in bytes from its beginning."""

    height_offsets: list[int]
    width_offsets: list[int]


def make_sizes_writable(content: bytes) -> tuple[bytes, SizePlaces]:
    """Gives the inputs and outputs of a file of open size the placeholder size.

    Args:
      content: of a TensorFlow Lite file whose inputs and outputs are (1, H, W, C), or have a fixed shape.

    Returns:
      The content of the new file, and the places of H and W in it.
    """
    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    indices = [index for index in [*graph.inputs, *graph.outputs] if _is_open(graph.tensors[index])]
    for index in indices:
        tensor = graph.tensors[index]
        tensor.shape = [PLACEHOLDER_SIZE if size < 0 else size for size in tensor.shapeSignature]
        tensor.shapeSignature = None
    builder = flatbuffers.Builder(len(content) + 65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    content = bytes(builder.Output())
    tensors = schema.Model.GetRootAs(content).Subgraphs(0)
    starts = [_shape_offset(tensors.Tensors(index)) for index in indices]
    return content, SizePlaces([start + _NUM_BYTES for start in starts], [start + 2 * _NUM_BYTES for start in starts])


def write_size(content: bytes, places: SizePlaces, size: tuple[int, int]) -> bytes:
    """The file for inputs and outputs of `size` (height, width): what programs do before they load it."""
    result = bytearray(content)
    for offsets, value in zip((places.height_offsets, places.width_offsets), size, strict=True):
        for offset in offsets:
            result[offset : offset + _NUM_BYTES] = int(value).to_bytes(_NUM_BYTES, "little")
    return bytes(result)


def _is_open(tensor: schema.TensorT) -> bool:
    return tensor.shapeSignature is not None and min(tensor.shapeSignature) < 0


def _shape_offset(tensor: schema.Tensor) -> int:
    """Where the numbers of the shape, the tensor's first field, begin in the file."""
    table = tensor._tab
    return table.Vector(table.Offset(4))
