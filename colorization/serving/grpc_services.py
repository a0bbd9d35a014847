"""TensorFlow Serving's gRPC services for one model: PredictionService and ModelService.

Statuses and messages are those of `tensorflow_model_server`. Where it differs: an unknown signature is INVALID_ARGUMENT
rather than FAILED_PRECONDITION, answers hold numbers in `tensor_content`, version 0 stands for the one that answers
(see `servables.parse_version`), and the model cannot be reconfigured.
"""

import functools
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from colorization.serving import servables, tensor_protos
from colorization.serving.errors import Code, ServingError
from colorization.serving.model import ModelBackend
from colorization.serving.stats import Stats

_log = logging.getLogger(__name__)
_UNKNOWN = 2  # error::Code of TensorFlow, for a version that failed to load for whatever reason


def add_services(server: grpc.aio.Server, backend: ModelBackend, model_name: str) -> None:
    """Adds both services to a server that is not started yet.

    Args:
      server: of grpc.aio; its limits on message sizes are its maker's affair.
      backend: the model.
      model_name: the name that it is served under; any other is answered with NOT_FOUND.
    """
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_PredictionService(backend, model_name), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(backend, model_name), server)


class BearerToken(grpc.aio.ServerInterceptor):
    """Lets only calls pass whose metadata holds `authorization: Bearer TOKEN`; the others end with UNAUTHENTICATED."""

    def __init__(self, token: str):
        self._expected = f"Bearer {token}".encode()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Answers in the service's place, if the token is not there."""
        metadata = handler_call_details.invocation_metadata or ()
        sent = [value for key, value in metadata if key.lower() == "authorization"]
        if len(sent) == 1 and hmac.compare_digest(_to_bytes(sent[0]), self._expected):
            return await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


class CountCalls(grpc.aio.ServerInterceptor):
    """Counts calls by their status, and their seconds, as the interface "grpc"; put it before all others."""

    def __init__(self, stats: Stats):
        self._stats = stats

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Wraps the service's method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def count(request: Any, context: grpc.aio.ServicerContext) -> Any:
            start = time.perf_counter()
            try:
                return await handler.unary_unary(request, context)
            finally:
                status = next((s.name for s in grpc.StatusCode if context.code() in (s, s.value[0])), "OK")
                self._stats.requests.labels("grpc", status).inc()
                self._stats.seconds.labels("grpc").observe(time.perf_counter() - start)

        return grpc.unary_unary_rpc_method_handler(count, handler.request_deserializer, handler.response_serializer)


def _to_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


async def _refuse(request: Any, context: grpc.aio.ServicerContext) -> NoReturn:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "missing or wrong bearer token")


def _reports_errors(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Ends the call with the status of a ServingError; what nobody foresaw goes to the log and not to the client."""

    @functools.wraps(method)
    async def call(self: Any, request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await method(self, request, context)
        except ServingError as error:
            code, message = grpc.StatusCode[error.code.name], str(error)
        except Exception:
            _log.exception("call failed: %s", method.__name__)
            code, message = grpc.StatusCode.INTERNAL, "internal error"
        await context.abort(code, message)

    return call


def _read_spec(request: Any) -> tuple[str, int | None]:
    """The name and the version that a request asks for.

    Raises:
      ServingError: INVALID_ARGUMENT, it names no model, or a version by its label.
    """
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    spec = request.model_spec
    if not spec.name:
        raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
    if spec.WhichOneof("version_choice") == "version_label":
        raise servables.unknown_label(spec.version_label)
    return spec.name, spec.version.value or None


def _select_outputs(names: Sequence[str], signature: Any) -> list[str]:
    """The outputs that `output_filter` leaves; an empty filter leaves all.

    Raises:
      ServingError: INVALID_ARGUMENT, it names one twice or one that there is not.
    """
    for i, name in enumerate(names):
        if name not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {servables.quote(name)[1:-1]}"
                f" Outputs expected to be in the set {{{','.join(sorted(signature.outputs))}}}.",
            )
        if name in names[:i]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {name}")
    return list(names) or list(signature.outputs)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, backend: ModelBackend, model_name: str):
        self._backend = backend
        self._model_name = model_name

    @_reports_errors
    async def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature."""
        name, version = _read_spec(request)
        _, signatures = servables.find_servable(self._backend, self._model_name, name, version)
        signature_name, signature = servables.find_signature(signatures, request.model_spec.signature_name)
        selected = _select_outputs(request.output_filter, signature)
        inputs = tensor_protos.read_inputs(request.inputs, signature)
        answered, outputs = await self._backend.predict(inputs, signature_name=signature_name, version=version)
        response = predict_pb2.PredictResponse(model_spec=_make_spec(name, answered, signature_name))
        for key in selected:
            response.outputs[key].CopyFrom(tensor_protos.write_proto(outputs[key]))
        return response

    @_reports_errors
    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.aio.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tells the signatures."""
        name, version = _read_spec(request)
        if not request.metadata_field:
            raise ServingError(
                Code.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
            )
        if unknown := [field for field in request.metadata_field if field != "signature_def"]:
            shown = servables.quote(unknown[0])[1:-1]
            raise ServingError(Code.INVALID_ARGUMENT, f"Metadata field {shown} is not supported")
        answered, signatures = servables.find_servable(self._backend, self._model_name, name, version)
        signature_map = get_model_metadata_pb2.SignatureDefMap(signature_def=signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_make_spec(name, answered))
        response.metadata["signature_def"].Pack(signature_map)
        return response

    @_reports_errors
    async def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.aio.ServicerContext
    ) -> NoReturn:
        """Is for models that classify."""
        self._refuse(request, "classify")

    @_reports_errors
    async def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: grpc.aio.ServicerContext
    ) -> NoReturn:
        """Is for models of a number."""
        self._refuse(request, "regress")

    @_reports_errors
    async def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.aio.ServicerContext
    ) -> NoReturn:
        """Is for both of the above."""
        raise ServingError(
            Code.UNIMPLEMENTED, "MultiInference is not supported: the model's signatures are for Predict"
        )

    def _refuse(self, request: Any, method: str) -> NoReturn:
        name, version = _read_spec(request)
        servables.find_servable(self._backend, self._model_name, name, version)
        raise servables.wrong_method(method)


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, backend: ModelBackend, model_name: str):
        self._backend = backend
        self._model_name = model_name

    @_reports_errors
    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the states of all versions, or of the one asked for."""
        name, version = _read_spec(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in servables.list_statuses(self._backend, self._model_name, name, version):
            added = response.model_version_status.add(version=status.version, state=status.state)
            added.status.error_code = _UNKNOWN if status.error else 0
            added.status.error_message = status.error
        return response

    @_reports_errors
    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> NoReturn:
        """Is refused: which folder is served is for the command line to say."""
        raise ServingError(Code.UNIMPLEMENTED, "HandleReloadConfigRequest is not supported")


def _make_spec(name: str, version: int, signature_name: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = version
    return spec
