"""A Colorizer that computes on another server, against this project's own gRPC services."""

import concurrent.futures
import contextlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from colorization import Colorizer
from colorization.inference.hints import Hint
from colorization.serving import checks, remote
from colorization.serving.errors import Code, ServingError

RGB = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The least of a TensorFlow Serving."""

    def __init__(self, version_dir, hidden=()):
        signatures = checks.read_signature_defs(version_dir)
        self.signatures = {name: value for name, value in signatures.items() if name not in hidden}
        self.functions = tf.saved_model.load(str(version_dir)).signatures
        self.error = None

    def GetModelMetadata(self, request, context):  # noqa: N802
        if request.model_spec.name != "colorizer":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self.signatures.items():
            found.signature_def[name].CopyFrom(signature)
        answer.metadata["signature_def"].Pack(found)
        return answer

    def Predict(self, request, context):  # noqa: N802
        if self.error:
            context.abort(self.error, "no")
        inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
        outputs = self.functions[request.model_spec.signature_name](**inputs)
        answer = predict_pb2.PredictResponse()
        for name in request.output_filter:
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return answer


@pytest.fixture
def serve(tiny_model_dir):
    """Starts such a service; gives it and its address."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            service = Service(tiny_model_dir / "1", **options)
            server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
            prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(server.stop, None)
            return service, f"127.0.0.1:{port}"

        yield start


def test_results_are_those_of_a_local_model(serve, tiny_model_dir):
    _, address = serve()
    far, near = remote.connect(f"{address}/colorizer", tiny_model_dir / "1"), Colorizer.load(tiny_model_dir)
    assert (far.work_size, far.z_dim) == (near.work_size, near.z_dim)
    for arguments in ({}, {"seed": 3}, {"hints": [Hint(x=9, y=9, color=(200, 0, 0))]}, {"reference": RGB}):
        np.testing.assert_array_equal(far.colorize(RGB, **arguments), near.colorize(RGB, **arguments))


@pytest.mark.parametrize(
    "name, hidden, message",
    [
        ("other", (), r"^the backend refused \(NOT_FOUND\)$"),
        ("colorizer", ("sample_ab",), "^the backend's model colorizer is none of this project$"),
    ],
)
def test_a_backend_without_the_model(serve, tiny_model_dir, name, hidden, message):
    _, address = serve(hidden=hidden)
    with pytest.raises(ServingError, match=message) as caught:
        remote.connect(f"{address}/{name}", tiny_model_dir / "1")
    assert caught.value.code is Code.UNAVAILABLE


def test_nobody_there(tiny_model_dir):
    with pytest.raises(ServingError, match=r"^the backend refused \(UNAVAILABLE\)$"):
        remote.connect("127.0.0.1:1/colorizer", tiny_model_dir / "1")


@pytest.mark.parametrize(
    "status, code",
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Code.INVALID_ARGUMENT),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Code.UNAVAILABLE),
    ],
)
def test_failures_of_a_call(serve, tiny_model_dir, status, code):
    service, address = serve()
    far = remote.connect(f"{address}/colorizer", tiny_model_dir / "1")
    service.error = status
    with pytest.raises(ServingError) as caught:
        far.colorize(RGB)
    assert caught.value.code is code
