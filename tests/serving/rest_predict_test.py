import asyncio
import base64
import json
import logging
import socket
import threading

import httpx
import numpy as np
import ovmsclient
import pytest
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from google.protobuf import json_format
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from colorization.serving import rest_predict
from colorization.serving.errors import Code, ServingError
from tests.serving import fake_model

URL = "/v1/models/colorizer"
NOT_SERVED = "Servable not found for request: "
PNG = b"\x89PNG\r\n\x1a\n\x00"


class Client:
    """Calls an application without a network in between."""

    def __init__(self, app):
        self._transport = httpx.ASGITransport(app)

    def request(self, method, path, **options):
        async def send():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, **options):
        return self.request("POST", path, **options)


@pytest.fixture
def model(tiny_model_dir):
    return fake_model.FakeModel(fake_model.read_signatures(tiny_model_dir / "1"))


@pytest.fixture
def client(model):
    app = FastAPI()
    app.include_router(rest_predict.build_router(model, fake_model.NAME))
    return Client(app)


def to_base64(data):
    return {"b64": base64.b64encode(data).decode()}


def test_status_of_all_versions(client):
    response = client.get(URL)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    ok = {"error_code": "OK", "error_message": ""}
    assert response.json() == {
        "model_version_status": [
            {
                "version": "3",
                "state": "END",
                "status": {"error_code": "UNKNOWN", "error_message": "not a SavedModel"},
            },
            {"version": "2", "state": "AVAILABLE", "status": ok},
            {"version": "1", "state": "END", "status": ok},
        ]
    }
    assert_prints_as(response.json(), get_model_status_pb2.GetModelStatusResponse)


def test_status_of_one_version(client):
    statuses = client.get(f"{URL}/versions/2").json()["model_version_status"]
    assert [(status["version"], status["state"]) for status in statuses] == [("2", "AVAILABLE")]


def assert_prints_as(answer, proto_class):
    """The JSON is that of the proto, no field left out or too many."""
    proto = json_format.ParseDict(answer, proto_class())
    options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    assert json_format.MessageToDict(proto, **options) == answer


def test_metadata_is_the_json_of_the_proto(client, model):
    answer = client.get(f"{URL}/metadata").json()
    assert answer == client.get(f"{URL}/versions/2/metadata").json()
    assert answer["model_spec"] == {"name": "colorizer", "signature_name": "", "version": "2"}
    assert set(answer["metadata"]) == {"signature_def"}
    signatures = answer["metadata"]["signature_def"]
    assert signatures["signature_def"]["serving_default"] == {
        "inputs": {
            "image_bytes": {
                "dtype": "DT_STRING",
                "name": "serving_default_image_bytes:0",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            }
        },
        "outputs": {
            "image_bytes": {
                "dtype": "DT_STRING",
                "name": model.signatures["serving_default"].outputs["image_bytes"].name,
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
            }
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    assert_prints_as(signatures, get_model_metadata_pb2.SignatureDefMap)
    any_form = {"@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap", **signatures}
    whole = {**answer, "metadata": {"signature_def": any_form}}
    assert_prints_as(whole, get_model_metadata_pb2.GetModelMetadataResponse)


@pytest.mark.parametrize("version_path", ["", "/versions/2"])
def test_images_are_predicted_in_both_formats(client, model, version_path):
    url = f"{URL}{version_path}:predict"
    image, answer = to_base64(PNG), to_base64(PNG[::-1])
    for body, expected in (
        ({"instances": [image, to_base64(b"ab")]}, {"predictions": [answer, to_base64(b"ba")]}),
        ({"instances": [{"image_bytes": image}]}, {"predictions": [answer]}),
        ({"inputs": [image]}, {"outputs": [answer]}),
        ({"signature_name": "serving_default", "inputs": {"image_bytes": [image]}}, {"outputs": [answer]}),
        ({"inputs": []}, {"outputs": []}),
    ):
        response = client.post(url, json=body)
        assert (response.status_code, response.json()) == (200, expected)
        assert response.headers["content-type"] == "application/json"
    asked = {(name, version) for _, name, version in model.requests}
    assert asked == {("serving_default", 2 if version_path else None)}


def test_numbers_are_predicted(client, model):
    def predict(**body):
        return client.post(f"{URL}:predict", json=body).json()

    pixels = [[[[0, 100, 255], [1, 2, 3]]]]
    assert predict(signature_name="colorize", instances=pixels) == {"predictions": [[[[255, 155, 0], [254, 253, 252]]]]}
    assert predict(signature_name="predict_ab", inputs={"l": [[[[0.1]]]]}) == {"outputs": [[[[0.1, -0.1]]]]}
    photo = {"l": [[[0.5]]], "ab": [[[0.1, 0.2]]]}
    assert predict(signature_name="encode_z", instances=[photo, photo]) == {"predictions": [[0.5, -1.0]] * 2}
    assert [inputs[name].dtype for (inputs, *_), name in zip(model.requests, ["rgb", "l", "ab"], strict=True)] == [
        np.uint8,
        np.float32,
        np.float32,
    ]


@pytest.mark.parametrize(
    "method, path, status, message",
    [
        ("GET", "/v1/models/resnet", 404, "Could not find any versions of model resnet"),
        ("GET", f"{URL}/versions/9", 404, "Could not find version 9 of model colorizer"),
        ("GET", "/v1/models/resnet/metadata", 404, f"{NOT_SERVED}Latest(resnet)"),
        ("GET", f"{URL}/versions/1/metadata", 404, f"{NOT_SERVED}Specific(colorizer, 1)"),
        ("POST", "/v1/models/resnet:predict", 404, f"{NOT_SERVED}Latest(resnet)"),
        ("POST", f"{URL}/versions/9:predict", 404, f"{NOT_SERVED}Specific(colorizer, 9)"),
        ("GET", f"{URL}/versions/new", 400, "Failed to convert version: new to numeric."),
        (
            "POST",
            f"{URL}/versions/99999999999999999999:predict",
            400,
            "Failed to convert version: 99999999999999999999",
        ),
        ("GET", f"{URL}/labels/stable", 400, "Unrecognized servable version label: stable"),
        ("GET", f"{URL}/labels/stable/metadata", 400, "Unrecognized servable version label: stable"),
        ("POST", f"{URL}/labels/stable:predict", 400, "Unrecognized servable version label: stable"),
        ("POST", f"{URL}:classify", 400, "Expected classification signature method_name to be"),
        ("POST", f"{URL}/versions/2:regress?method=x", 400, "Expected regression signature method_name to be"),
        ("POST", "/v1/models/resnet:classify", 404, f"{NOT_SERVED}Latest(resnet)"),
        ("POST", f"{URL}:explain", 400, f"Malformed request: POST {URL}:explain"),
        ("POST", URL, 400, f"Malformed request: POST {URL}"),
        ("DELETE", URL, 400, f"Malformed request: DELETE {URL}"),
        ("GET", "/v1/models", 400, "Malformed request: GET /v1/models"),
        ("GET", f"{URL}/a/b/c", 400, f"Malformed request: GET {URL}/a/b/c"),
    ],
)
def test_what_is_not_there(client, model, method, path, status, message):
    response = client.request(method, path, content=b"{}" if method == "POST" else None)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert response.json()["error"].startswith(message)
    assert model.requests == []


@pytest.mark.parametrize(
    "body, message",
    [
        (b'{"instances": [', "JSON Parse error: Expecting value at offset: 15"),
        (b"", "JSON Parse error: Expecting value at offset: 0"),
        (b'{"signature_name": "no", "inputs": 1}', 'Serving signature name: "no" not found in signature def'),
        (b'{"instances": ["a", ["b"]]}', "input image_bytes: lists and values stand side by side at level 1"),
        (b'{"inputs": {"b64": "YQ=="}}', "input image_bytes: shape [] is not of expected shape [?]"),
        (
            b'{"signature_name": "colorize", "instances": [[[[1, 2, 256]]]]}',
            "input rgb: Cannot convert JSON value: 256 to uint8 without loss of precision.",
        ),
    ],
)
def test_faulty_bodies(client, model, body, message):
    response = client.post(f"{URL}:predict", content=body)
    assert (response.status_code, response.json()) == (400, {"error": message})
    assert model.requests == []


def test_compressed_bodies_are_refused(client):
    response = client.post(f"{URL}:predict", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert (response.status_code, response.json()) == (415, {"error": "Content-Encoding is not supported"})


@pytest.mark.parametrize(
    "error, status",
    [
        (ServingError(Code.RESOURCE_EXHAUSTED, "the queue is full"), 429),
        (ServingError(Code.UNAVAILABLE, "no model"), 503),
        (ServingError(Code.DEADLINE_EXCEEDED, "too late"), 504),
        (ServingError(Code.INVALID_ARGUMENT, "too large", http_status=413), 413),
    ],
)
def test_errors_of_the_backend_pass(client, model, error, status):
    model.error = error
    response = client.post(f"{URL}:predict", json={"inputs": ["a"]})
    assert (response.status_code, response.json()) == (status, {"error": str(error)})


def test_unforeseen_errors_are_logged_and_not_told(client, model, caplog):
    model.error = OSError("/home/secret")
    with caplog.at_level(logging.ERROR):
        response = client.post(f"{URL}:predict", json={"inputs": ["a"]})
    assert (response.status_code, response.json()) == (500, {"error": "internal error"})
    assert "/home/secret" in caplog.text


def test_refusals_of_the_application_pass(model):
    async def refuse():
        raise HTTPException(403, "not you")

    app = FastAPI()
    app.include_router(rest_predict.build_router(model, fake_model.NAME), dependencies=[Depends(refuse)])
    response = Client(app).get(URL)
    assert (response.status_code, response.json()) == (403, {"detail": "not you"})


def test_numbers_that_json_has_not(client):
    body = b'{"signature_name": "predict_ab", "inputs": [[[[NaN]]]]}'
    response = client.post(f"{URL}:predict", content=body)
    assert response.content == b'{"outputs":[[[[NaN,NaN]]]]}'


def test_a_client_by_others_is_answered(model):
    """Over a real port: OpenVINO's client takes no other transport.

    Its metadata are left out: they need camel-case names, which TensorFlow Serving doesn't give.
    """
    app = FastAPI()
    app.include_router(rest_predict.build_router(model, fake_model.NAME))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        client = ovmsclient.make_http_client(f"127.0.0.1:{listener.getsockname()[1]}")
        try:
            status = {"state": "AVAILABLE", "error_code": 0, "error_message": ""}
            assert client.get_model_status("colorizer", timeout=30)[2] == status
            for version in (0, 2):
                assert client.predict({"image_bytes": [b"\x89ab"]}, "colorizer", version) == [to_base64(b"ba\x89")]
            with pytest.raises(ModelNotFoundError, match="Could not find version 9 of model colorizer"):
                client.get_model_status("colorizer", 9)
        finally:
            server.should_exit = True
            thread.join(30)


def test_documentation_has_a_body_that_works(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        f"/v1/models/{{name}}{version}{suffix}"
        for version in ("", "/versions/{version}")
        for suffix in ("", "/metadata", ":predict")
    }
    operation = paths["/v1/models/{name}:predict"]["post"]
    assert operation["tags"] == ["TensorFlow Serving"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert client.post(f"{URL}:predict", json=examples["columns"]["value"]).json() == {"outputs": [[[[0.5, -0.5]]]]}
    for name in ("photo", "named"):
        value = json.loads(json.dumps(examples[name]["value"]).replace("iVBORw0KGgo...", "iVBORw0KGgo="))
        assert client.post(f"{URL}:predict", json=value).status_code == 200
