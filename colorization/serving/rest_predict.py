"""TensorFlow Serving's REST API for one model: its status, its metadata, and `:predict`.

Paths, JSON and errors (`{"error": "..."}`) are those of `tensorflow_model_server`. Where it differs: the JSON has no
line breaks; a model or version that does not exist is reported before faults of the body; numbers out of an integer
type's range are an error; version 0 stands for the one that answers; compressed bodies are refused; no CORS headers.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from google.protobuf import json_format
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from colorization.serving import rest_schemas, servables, tensors
from colorization.serving.errors import Code, ServingError
from colorization.serving.model import ModelBackend, VersionStatus

_log = logging.getLogger(__name__)


def build_router(backend: ModelBackend, model_name: str) -> APIRouter:
    """Makes the routes under `/v1/models`.

    Args:
      backend: the model.
      model_name: the name that it is served under; any other is answered with status 404.
    """
    router = APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"], route_class=_ServingRoute)
    api = _RestApi(backend, model_name)
    _add_status(router, api)
    _add_metadata(router, api)
    _add_predict(router, api)
    _add_refusals(router, api)
    return router


class _ServingRoute(APIRoute):
    """Answers every failure as TensorFlow Serving does; what nobody foresaw goes to the log and not to the client."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
        """Wraps the handler that FastAPI makes."""
        handle = super().get_route_handler()

        async def handle_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except ServingError as error:
                return JSONResponse({"error": str(error)}, status_code=error.http_status)
            except (HTTPException, RequestValidationError, ClientDisconnect):
                raise  # the application's own, from dependencies and middleware
            except Exception:
                _log.exception("request failed: %s %s", request.method, self.path)
                return JSONResponse({"error": "internal error"}, status_code=500)

        return handle_errors


class _RestApi:
    """What the routes answer, each with and without a version."""

    def __init__(self, backend: ModelBackend, model_name: str):
        self._backend = backend
        self._model_name = model_name

    def get_status(self, name: str, version: str | None) -> dict[str, Any]:
        number = None if version is None else servables.parse_version(version)
        statuses = servables.list_statuses(self._backend, self._model_name, name, number)
        return {"model_version_status": [_status_to_json(status) for status in statuses]}

    def get_metadata(self, name: str, version: str | None) -> dict[str, Any]:
        """The JSON of `GetModelMetadataResponse`, without that proto: its package loads all of TensorFlow."""
        number, signatures = self._find(name, version)
        signature_def = {
            key: json_format.MessageToDict(
                signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            for key, signature in sorted(signatures.items())
        }
        return {
            "model_spec": {"name": name, "signature_name": "", "version": str(number)},
            "metadata": {"signature_def": {"signature_def": signature_def}},
        }

    async def predict(self, name: str, version: str | None, request: Request) -> Response:
        number, signatures = self._find(name, version)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise ServingError(Code.INVALID_ARGUMENT, "Content-Encoding is not supported", http_status=415)
        body = await request.body()

        def read() -> tuple[bool, str, dict[str, Any]]:
            parsed = tensors.parse_request(body)
            signature_name, signature = servables.find_signature(signatures, parsed.signature_name)
            return parsed.is_row_format, signature_name, tensors.read_inputs(parsed, signature)

        # A photo as lists of numbers takes a while; in a thread, other requests get a turn between the steps.
        is_row_format, signature_name, inputs = await run_in_threadpool(read)
        _, outputs = await self._backend.predict(
            inputs, signature_name=signature_name, version=None if version is None else number
        )
        content = await run_in_threadpool(tensors.write_outputs, outputs, is_row_format=is_row_format)
        return Response(content, media_type="application/json")

    def refuse_method(self, name: str, version: str | None, method: str, request: Request) -> NoReturn:
        if method not in servables.OTHER_METHODS:
            self.refuse_path(request)
        self._find(name, version)
        raise servables.wrong_method(method)

    def refuse_path(self, request: Request) -> NoReturn:
        where = servables.quote(f"{request.method} {request.url.path}")[1:-1]
        raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {where}")

    def refuse_label(self, name: str, label: str) -> NoReturn:
        self._find(name, None)
        raise servables.unknown_label(label)

    def _find(self, name: str, version: str | None) -> tuple[int, Any]:
        number = None if version is None else servables.parse_version(version)
        return servables.find_servable(self._backend, self._model_name, name, number)


def _status_to_json(status: VersionStatus) -> dict[str, Any]:
    """The JSON of `ModelVersionStatus`; a version that failed to load has an error of no particular kind."""
    return {
        "version": str(status.version),
        "state": status.state,
        "status": {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error},
    }


def _add_status(router: APIRouter, api: _RestApi) -> None:
    @router.get("/{name}", summary="State of all versions", responses=rest_schemas.STATUS)
    async def get_status(name: str) -> JSONResponse:
        """Which versions of the model are known, the highest first, and whether they can answer."""
        return JSONResponse(api.get_status(name, None))

    @router.get("/{name}/versions/{version}", summary="State of one version", responses=rest_schemas.STATUS)
    async def get_version_status(name: str, version: str) -> JSONResponse:
        """Whether this version can answer."""
        return JSONResponse(api.get_status(name, version))


def _add_metadata(router: APIRouter, api: _RestApi) -> None:
    @router.get("/{name}/metadata", summary="Signatures of the model", responses=rest_schemas.METADATA)
    async def get_metadata(name: str) -> JSONResponse:
        """Names, dtypes and shapes of the inputs and outputs of every signature, of the version that answers."""
        return JSONResponse(api.get_metadata(name, None))

    @router.get(
        "/{name}/versions/{version}/metadata", summary="Signatures of one version", responses=rest_schemas.METADATA
    )
    async def get_version_metadata(name: str, version: str) -> JSONResponse:
        """Names, dtypes and shapes of the inputs and outputs of every signature."""
        return JSONResponse(api.get_metadata(name, version))


def _add_predict(router: APIRouter, api: _RestApi) -> None:
    documented: dict[str, Any] = {"responses": rest_schemas.PREDICT, "openapi_extra": rest_schemas.PREDICT_BODY}

    @router.post("/{name}:predict", summary="Run the model", **documented)
    async def predict(name: str, request: Request) -> Response:
        """Runs a signature, `serving_default` unless `signature_name` says another.

        Row format: `instances`, a list of one value per item of the batch (an object of values if the signature has
        several inputs), answered by `predictions`. Column format: `inputs`, whole tensors, answered by `outputs`.
        """
        return await api.predict(name, None, request)

    @router.post("/{name}/versions/{version}:predict", summary="Run one version of the model", **documented)
    async def predict_version(name: str, version: str, request: Request) -> Response:
        """As above, with the version of that number."""
        return await api.predict(name, version, request)


def _add_refusals(router: APIRouter, api: _RestApi) -> None:
    """What TensorFlow Serving has and this model cannot answer; then every other path and method."""

    @router.post("/{name}:{method}", include_in_schema=False)
    async def refuse_method(name: str, method: str, request: Request) -> None:
        api.refuse_method(name, None, method, request)

    @router.post("/{name}/versions/{version}:{method}", include_in_schema=False)
    async def refuse_version_method(name: str, version: str, method: str, request: Request) -> None:
        api.refuse_method(name, version, method, request)

    @router.get("/{name}/labels/{label}", include_in_schema=False)
    @router.get("/{name}/labels/{label}/metadata", include_in_schema=False)
    @router.post("/{name}/labels/{label}:{method}", include_in_schema=False)
    async def refuse_label(name: str, label: str) -> None:
        api.refuse_label(name, label)

    @router.api_route("{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def refuse_path(request: Request) -> None:
        api.refuse_path(request)
