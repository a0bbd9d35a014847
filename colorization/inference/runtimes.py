"""Runs converted models: LiteRT, ONNX Runtime and OpenVINO behind one function, none of which needs TensorFlow.

Each runtime is imported when it is asked for, for nobody has all of them.
"""

import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from colorization.inference.version_files import ModelError

# Name in the flags: name for people, package, suffix of the file that it opens.
RUNTIMES = {
    "litert": ("LiteRT", "ai_edge_litert", ".tflite"),
    "onnx": ("ONNX Runtime", "onnxruntime", ".onnx"),
    "openvino": ("OpenVINO", "openvino", ".xml"),
}

Predict = Callable[..., dict[str, np.ndarray]]
"""A model: takes its inputs by name, gives its outputs by name. May be called from several threads."""


def suffix_of(runtime: str) -> str:
    """How the files end that a runtime of `RUNTIMES` opens."""
    return RUNTIMES[runtime][2]


def check_installed(runtime: str) -> None:
    """Raises ModelError, with what to do about it, if a runtime of `RUNTIMES` is not installed."""
    name, package, _ = RUNTIMES[runtime]
    if importlib.util.find_spec(package) is None:
        raise ModelError(f"{name} is not installed: pip install -r requirements-{runtime}.txt")


def open_model(path: Path, runtime: str, *, num_threads: int | None = None) -> Predict:
    """Opens a converted model with open height and width, or one of fixed size.

    Args:
      path: the file, with the suffix of the runtime; beside OpenVINO's .xml lies its .bin.
      runtime: of `RUNTIMES`.
      num_threads: that it may use; by default one for each core.

    Raises:
      ModelError: the runtime is not installed, or can't read the file.
    """
    check_installed(runtime)
    openers = {"litert": _open_litert, "onnx": _open_onnx, "openvino": _open_openvino}
    try:
        return openers[runtime](str(path), num_threads or os.cpu_count() or 1)
    except Exception as error:  # each runtime has kinds of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{path}: {RUNTIMES[runtime][0]} can't read it: {reason}") from error


def import_openvino() -> ModuleType:
    """Imports OpenVINO without its telemetry, which else tells its makers over the network of every import."""
    sys.modules.setdefault("openvino_telemetry", None)  # as if that package were not installed
    import openvino

    return openvino


@functools.cache
def openvino_core() -> Any:
    """OpenVINO's Core, one for as long as this process lives.

    On processors with AVX-512 its CPU plugin gives the thread that loads it another stack for signals, and frees that
    when it is unloaded with its Core; if this happens in another thread, the next signal is a segmentation fault.
    """
    return import_openvino().Core()


def _open_litert(path: str, num_threads: int) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=num_threads)
    interpreter.allocate_tensors()
    return _one_at_a_time(interpreter.get_signature_runner())


def _open_onnx(path: str, num_threads: int) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda **inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _open_openvino(path: str, num_threads: int) -> Predict:
    properties = {
        "INFERENCE_PRECISION_HINT": "f32",  # the default is bfloat16 on some machines: other pictures there
        "INFERENCE_NUM_THREADS": num_threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino_core().compile_model(path, "CPU", properties)
    names = [output.any_name for output in compiled.outputs]

    def predict(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        results = compiled(inputs)
        return {name: np.array(results[name]) for name in names}  # copies, for the next call overwrites them

    return _one_at_a_time(predict)


def _one_at_a_time(predict: Predict) -> Predict:
    """The interpreter keeps its state between a call's steps, so calls must not overlap."""
    lock = threading.Lock()

    def locked(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        with lock:
            return predict(**inputs)

    return locked
