"""A Colorizer whose network runs on a TensorFlow Serving elsewhere; everything around the network stays here."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from colorization.inference import saved_model
from colorization.inference.colorizer import Colorizer
from colorization.serving.errors import Code, ServingError

_SECONDS = 60.0
_MAX_MESSAGE_BYTES = 64 << 20  # a work size of 160 px takes 1 MB for the longest photo
_CLIENTS_FAULT = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)


def connect(backend: str, version_dir: Path) -> Colorizer:
    """Connects to a server.

    Args:
      backend: HOST:PORT/NAME: its gRPC port, and the model's name there.
      version_dir: the same model here; only its description is read.

    Raises:
      ServingError: UNAVAILABLE; the server cannot be reached, or does not have such a model.
    """
    address, _, name = backend.partition("/")
    options = [
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ]
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(address, options=options))
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = name
    answer = _call(stub.GetModelMetadata, request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    functions = {
        key: functools.partial(_predict, stub, name, key, list(signature.outputs))
        for key, signature in signatures.signature_def.items()
    }
    if "sample_ab" not in functions:
        raise ServingError(Code.UNAVAILABLE, f"the backend's model {name} is none of this project")
    info = json.loads((version_dir / saved_model.INFO_PATH).read_text(encoding="utf-8"))
    return Colorizer(functions, model_dir=version_dir, work_size=int(info["work_size"]), z_dim=int(info["z_dim"]))


def _predict(
    stub: prediction_service_pb2_grpc.PredictionServiceStub, name: str, signature: str, outputs: list[str], **inputs
) -> dict[str, tf.Tensor]:
    """Calls a signature with tensors or arrays, by name, as a loaded SavedModel's would be called."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    answer = _call(stub.Predict, request)
    return {key: tf.constant(tf.make_ndarray(proto)) for key, proto in answer.outputs.items()}


def _call(method: Callable, request):
    try:
        return method(request, timeout=_SECONDS)
    except grpc.RpcError as error:
        code = Code.INVALID_ARGUMENT if error.code() in _CLIENTS_FAULT else Code.UNAVAILABLE
        raise ServingError(code, f"the backend refused ({error.code().name})") from error
