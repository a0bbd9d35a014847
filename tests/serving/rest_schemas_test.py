import json

from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from colorization.serving import rest_schemas, tensors

OPTIONS = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}


def example_of(answer):
    return answer["content"]["application/json"]["example"]


def assert_prints_as(example, proto_class):
    """The JSON is that of the proto, no field left out or too many."""
    assert json_format.MessageToDict(json_format.ParseDict(example, proto_class()), **OPTIONS) == example


def test_examples_of_answers_are_those_of_the_protos():
    assert_prints_as(example_of(rest_schemas.STATUS[200]), get_model_status_pb2.GetModelStatusResponse)
    metadata = example_of(rest_schemas.METADATA[200])
    assert set(metadata) == {"model_spec", "metadata"}
    assert_prints_as(metadata["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap)


def test_examples_of_bodies_are_requests():
    examples = rest_schemas.PREDICT_BODY["requestBody"]["content"]["application/json"]["examples"]
    requests = {
        name: tensors.parse_request(json.dumps(example["value"]).encode()) for name, example in examples.items()
    }
    assert {name: (request.signature_name, request.is_row_format) for name, request in requests.items()} == {
        "photo": ("", True),
        "named": ("serving_default", True),
        "columns": ("predict_ab", False),
    }


def test_every_error_is_shown_as_an_object_with_its_message():
    for answers in (rest_schemas.STATUS, rest_schemas.METADATA, rest_schemas.PREDICT):
        errors = [example_of(answer) for status, answer in answers.items() if status != 200]
        assert errors
        assert {tuple(error) for error in errors} == {("error",)}
