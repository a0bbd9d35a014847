import asyncio
import logging
import threading
import time

import grpc
import numpy as np
import ovmsclient
import pytest
import tensorflow as tf
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from colorization.serving import grpc_services
from colorization.serving.errors import Code, ServingError
from colorization.serving.stats import Stats
from tests.serving import fake_model

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"  # more than text, and without a NUL at an end: numpy's "S" dtype drops those
TIMEOUT_SECONDS = 30


class Loopback:
    """The services on a port of this machine, in a thread with a loop of its own."""

    def __init__(self, model, interceptors=()):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server, self.address = self._run(self._start(model, interceptors))
        self.channel = grpc.insecure_channel(self.address)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    async def _start(self, model, interceptors):
        server = grpc.aio.server(interceptors=interceptors)
        grpc_services.add_services(server, model, fake_model.NAME)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, f"127.0.0.1:{port}"

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_SECONDS)

    def close(self):
        self.channel.close()
        self._run(self._server.stop(None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()


@pytest.fixture(scope="module")
def shared_model(tiny_model_dir):
    return fake_model.FakeModel(fake_model.read_signatures(tiny_model_dir / "1"))


@pytest.fixture
def model(shared_model):
    shared_model.error = None
    shared_model.requests.clear()
    return shared_model


@pytest.fixture(scope="module")
def server(shared_model):
    served = Loopback(shared_model)
    yield served
    served.close()


def make_request(request_class, name="colorizer", version=None, label=None, signature_name="", **fields):
    request = request_class(**fields)
    request.model_spec.name = name
    request.model_spec.signature_name = signature_name
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def make_predict(inputs, **spec):
    protos = {name: tf.make_tensor_proto(value) for name, value in inputs.items()}
    return make_request(predict_pb2.PredictRequest, inputs=protos, **spec)


def assert_fails(call, request, code, message, **options):
    """The call ends with this status and this message."""
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=TIMEOUT_SECONDS, **options)
    assert (error.value.code(), error.value.details()) == (code, message)


@pytest.mark.parametrize("version", [None, 2])
def test_images_are_predicted(server, model, version):
    response = server.prediction.Predict(make_predict({"image_bytes": [PNG, b"ab"]}, version=version))
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("colorizer", 2, "serving_default")
    assert list(response.outputs) == ["image_bytes"]
    assert tf.make_ndarray(response.outputs["image_bytes"]).tolist() == [PNG[::-1], b"ba"]
    assert [request[1:] for request in model.requests] == [("serving_default", version)]


def test_numbers_are_predicted(server, model):
    rgb = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    response = server.prediction.Predict(make_predict({"rgb": rgb}, signature_name="colorize"))
    assert response.model_spec.signature_name == "colorize"
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["rgb"]), 255 - rgb, strict=True)
    photo = {"l": np.full((1, 1, 1, 1), 0.5, np.float32), "ab": np.zeros((1, 1, 1, 2), np.float32)}
    response = server.prediction.Predict(make_predict(photo, signature_name="encode_z"))
    assert tf.make_ndarray(response.outputs["z"]).tolist() == [[0.5, -1]]
    assert len(model.requests) == 2


def test_output_filter_selects(server, model):
    inputs = {"image_bytes": [PNG]}
    response = server.prediction.Predict(make_predict(inputs, output_filter=["image_bytes"]))
    assert list(response.outputs) == ["image_bytes"]
    for names, message in (
        (["rgb"], "output tensor alias not found in signature: rgb Outputs expected to be in the set {image_bytes}."),
        (["image_bytes"] * 2, "duplicate output tensor alias: image_bytes"),
    ):
        request = make_predict(inputs, output_filter=names)
        assert_fails(server.prediction.Predict, request, grpc.StatusCode.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    "spec, code, message",
    [
        ({"name": "resnet"}, "NOT_FOUND", "Servable not found for request: Latest(resnet)"),
        ({"version": 7}, "NOT_FOUND", "Servable not found for request: Specific(colorizer, 7)"),
        ({"label": "stable"}, "INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"signature_name": "n"}, "INVALID_ARGUMENT", 'Serving signature name: "n" not found in signature def'),
        (
            {"signature_name": "colorize"},
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=1. Sent extra: {image_bytes}. Missing but required: {rgb}.",
        ),
    ],
)
def test_what_is_not_there(server, model, spec, code, message):
    request = make_predict({"image_bytes": [PNG]}, **spec)
    assert_fails(server.prediction.Predict, request, grpc.StatusCode[code], message)
    assert model.requests == []


def test_every_call_needs_a_model_spec(server):
    for call, request in (
        (server.prediction.Predict, predict_pb2.PredictRequest()),
        (server.prediction.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest()),
        (server.model.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()),
    ):
        assert_fails(call, request, grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")


def test_malformed_tensor_is_refused(server, model):
    request = make_predict({"image_bytes": [PNG]})
    request.inputs["image_bytes"].tensor_shape.dim[0].size = 2**40
    message = "input image_bytes: a tensor cannot have 1 dimensions of these sizes"
    assert_fails(server.prediction.Predict, request, grpc.StatusCode.INVALID_ARGUMENT, message)
    assert model.requests == []


@pytest.mark.parametrize("code", Code)
def test_errors_of_the_backend_keep_their_status(server, model, code):
    model.error = ServingError(code, "one line: é")
    request = make_predict({"image_bytes": [PNG]})
    assert_fails(server.prediction.Predict, request, grpc.StatusCode[code.name], "one line: é")


def test_unforeseen_errors_are_logged_and_not_told(server, model, caplog):
    model.error = OSError("/home/secret")
    request = make_predict({"image_bytes": [PNG]})
    with caplog.at_level(logging.ERROR):
        assert_fails(server.prediction.Predict, request, grpc.StatusCode.INTERNAL, "internal error")
    assert "/home/secret" in caplog.text


def make_metadata_request(**fields):
    return make_request(get_model_metadata_pb2.GetModelMetadataRequest, **fields)


def test_metadata_holds_the_signatures(server, model):
    for version in (None, 2):
        request = make_metadata_request(version=version, metadata_field=["signature_def"])
        response = server.prediction.GetModelMetadata(request)
        assert (response.model_spec.name, response.model_spec.version.value) == ("colorizer", 2)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        assert dict(signatures.signature_def) == model.signatures


@pytest.mark.parametrize(
    "fields, code, message",
    [
        ({}, "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
        ({"metadata_field": ["assets"]}, "INVALID_ARGUMENT", "Metadata field assets is not supported"),
        (
            {"metadata_field": ["signature_def"], "version": 1},
            "NOT_FOUND",
            "Servable not found for request: Specific(colorizer, 1)",
        ),
    ],
)
def test_metadata_that_is_not_there(server, fields, code, message):
    assert_fails(server.prediction.GetModelMetadata, make_metadata_request(**fields), grpc.StatusCode[code], message)


def test_status_of_all_versions_and_of_one(server):
    def read(**spec):
        response = server.model.GetModelStatus(make_request(get_model_status_pb2.GetModelStatusRequest, **spec))
        return [
            (status.version, status.state, status.status.error_code, status.status.error_message)
            for status in response.model_version_status
        ]

    states = get_model_status_pb2.ModelVersionStatus.State
    unknown = tf.errors.UNKNOWN
    assert read() == [
        (3, states.END, unknown, "not a SavedModel"),
        (2, states.AVAILABLE, 0, ""),
        (1, states.END, 0, ""),
    ]
    assert read(version=1) == [(1, states.END, 0, "")]
    for spec, message in (
        ({"version": 9}, "Could not find version 9 of model colorizer"),
        ({"name": "resnet"}, "Could not find any versions of model resnet"),
    ):
        request = make_request(get_model_status_pb2.GetModelStatusRequest, **spec)
        assert_fails(server.model.GetModelStatus, request, grpc.StatusCode.NOT_FOUND, message)


def test_what_the_model_is_not_for_is_refused(server):
    for call, request_class, message in (
        (server.prediction.Classify, classification_pb2.ClassificationRequest, "Expected classification signature"),
        (server.prediction.Regress, regression_pb2.RegressionRequest, "Expected regression signature"),
    ):
        with pytest.raises(grpc.RpcError, match=message) as error:
            call(make_request(request_class))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    for call, request in (
        (server.prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (server.model.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    ):
        with pytest.raises(grpc.RpcError, match="is not supported") as error:
            call(request)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_client_by_others_is_answered(server, model):
    client = ovmsclient.make_grpc_client(server.address)
    statuses = client.get_model_status("colorizer")
    assert statuses[2] == {"state": "AVAILABLE", "error_code": 0, "error_message": ""}
    assert statuses[3] == {"state": "END", "error_code": tf.errors.UNKNOWN, "error_message": "not a SavedModel"}
    metadata = client.get_model_metadata("colorizer")
    assert metadata["model_version"] == 2
    assert metadata["inputs"] == {"image_bytes": {"shape": [-1], "dtype": "DT_STRING"}}
    assert client.predict({"image_bytes": [PNG]}, "colorizer").tolist() == [PNG[::-1]]
    assert client.predict({"image_bytes": [PNG, b"ab"]}, "colorizer", 2).tolist() == [PNG[::-1], b"ba"]
    with pytest.raises(ModelNotFoundError, match="Specific\\(colorizer, 7\\)"):
        client.predict({"image_bytes": [PNG]}, "colorizer", 7)


def test_token_is_asked_for(model):
    served = Loopback(model, [grpc_services.BearerToken("secret-token")])
    try:
        request = make_predict({"image_bytes": [PNG]})
        good = ("authorization", "Bearer secret-token")
        served.prediction.Predict(request, metadata=[good])
        for metadata in (
            [],
            [("authorization", "Bearer secret")],
            [("authorization", "bearer")],
            [("authorization", "secret-token")],
            [("x-authorization", "Bearer secret-token")],
            [good, good],
        ):
            assert_fails(
                served.prediction.Predict,
                request,
                grpc.StatusCode.UNAUTHENTICATED,
                "missing or wrong bearer token",
                metadata=metadata,
            )
        assert len(model.requests) == 1
        status_request = make_request(get_model_status_pb2.GetModelStatusRequest)
        assert_fails(
            served.model.GetModelStatus,
            status_request,
            grpc.StatusCode.UNAUTHENTICATED,
            "missing or wrong bearer token",
        )
    finally:
        served.close()


def test_calls_are_counted_by_status(model):
    stats = Stats()
    served = Loopback(model, [grpc_services.CountCalls(stats), grpc_services.BearerToken("secret-token")])
    try:
        request = make_request(get_model_status_pb2.GetModelStatusRequest)
        metadata = [("authorization", "Bearer secret-token")]
        served.model.GetModelStatus(request, timeout=TIMEOUT_SECONDS, metadata=metadata)
        other = make_request(get_model_status_pb2.GetModelStatusRequest, name="other")
        for arguments in ((other, {"metadata": metadata}), (request, {})):
            with pytest.raises(grpc.RpcError):
                served.model.GetModelStatus(arguments[0], timeout=TIMEOUT_SECONDS, **arguments[1])
        end = time.monotonic() + 5.0
        while 'seconds_count{interface="grpc"} 3.0' not in stats.render().decode() and time.monotonic() < end:
            time.sleep(0.01)  # a client has its answer before the server has counted it
        lines = stats.render().decode().splitlines()
        counts = [line for line in lines if line.startswith('colorization_requests_total{interface="grpc"')]
        prefix = 'colorization_requests_total{interface="grpc",status='
        assert sorted(counts) == [f'{prefix}"{status}"}} 1.0' for status in ("NOT_FOUND", "OK", "UNAUTHENTICATED")]
    finally:
        served.close()
