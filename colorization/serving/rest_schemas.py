"""What OpenAPI says of TensorFlow Serving's REST API: bodies and answers, with examples."""

from typing import Any

_PNG = {"b64": "iVBORw0KGgo..."}


def _answer(description: str, example: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


_NOT_FOUND = _answer(
    "There is no such model or version.", {"error": "Servable not found for request: Specific(colorizer, 7)"}
)
_BAD_REQUEST = _answer(
    "The request is at fault.",
    {"error": "input rgb: Cannot convert JSON value: 256 to uint8 without loss of precision."},
)
_UNAVAILABLE = _answer("No version of the model is loaded, or it died over this request.", {"error": "no model yet"})
_TENSOR_INFO = {
    "dtype": "DT_STRING",
    "name": "serving_default_image_bytes:0",
    "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
}

STATUS: dict[int | str, dict[str, Any]] = {
    200: _answer(
        "Versions and their states.",
        {
            "model_version_status": [
                {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    ),
    404: _NOT_FOUND,
}
METADATA: dict[int | str, dict[str, Any]] = {
    200: _answer(
        "Version and signatures.",
        {
            "model_spec": {"name": "colorizer", "signature_name": "", "version": "2"},
            "metadata": {
                "signature_def": {
                    "signature_def": {
                        "serving_default": {
                            "inputs": {"image_bytes": _TENSOR_INFO},
                            "outputs": {"image_bytes": {**_TENSOR_INFO, "name": "StatefulPartitionedCall:0"}},
                            "method_name": "tensorflow/serving/predict",
                            "defaults": {},
                        }
                    }
                }
            },
        },
    ),
    404: _NOT_FOUND,
    503: _UNAVAILABLE,
}
PREDICT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`predictions` for `instances`, `outputs` for `inputs`.",
        "content": {
            "application/json": {
                "examples": {
                    "photo": {"value": {"predictions": [_PNG]}},
                    "columns": {"value": {"outputs": [[[[0.1, -0.2]]]]}},
                }
            }
        },
    },
    400: _BAD_REQUEST,
    404: _NOT_FOUND,
    429: _answer("Too many requests wait already.", {"error": "the queue is full"}),
    503: _UNAVAILABLE,
}
# The body is read as it is, not by FastAPI: pydantic would make an object of each of a photo's million numbers.
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"type": "string", "default": "serving_default"},
                        "instances": {"type": "array", "items": {}, "description": "Row format."},
                        "inputs": {"description": "Column format: a tensor, or an object of tensors by name."},
                    },
                    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
                },
                "examples": {
                    "photo": {
                        "summary": "An image file, answered as PNG of the same size",
                        "value": {"instances": [_PNG]},
                    },
                    "named": {
                        "summary": "The same, with the input named",
                        "value": {"signature_name": "serving_default", "instances": [{"image_bytes": _PNG}]},
                    },
                    "columns": {
                        "summary": "Lightness of one pixel in [-1, 1], answered by its chroma",
                        "value": {"signature_name": "predict_ab", "inputs": {"l": [[[[0.5]]]]}},
                    },
                },
            }
        },
    }
}
