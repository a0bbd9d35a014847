"""The HTTP application: TensorFlow Serving's REST API, the plain API, the page, documentation, health and metrics."""

import dataclasses
import importlib.metadata
from pathlib import Path
from typing import Any

import fastapi
import fastapi_offline
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from colorization.serving import photo_api
from colorization.serving.engine import Engine
from colorization.serving.errors import Code, ServingError
from colorization.serving.guard import Guard

_WEB_DIR = Path(__file__).parents[1] / "web"
_RETRY_SECONDS = {Code.RESOURCE_EXHAUSTED: 2, Code.UNAVAILABLE: 5}
_DOCS_PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Colorization: interfaces</title>
    <link rel="stylesheet" href="swagger-ui.css">
    <link rel="icon" href="../icon.svg">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="initializer.js"></script>
  </body>
</html>
"""
_DOCS_INITIALIZER = """window.onload = () => {
  window.ui = SwaggerUIBundle({url: "../openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});
};
"""


@dataclasses.dataclass(frozen=True)
class AppSettings:
    """What the application needs to know beside the engine.

    Attributes:
      model_name: in the paths of TensorFlow Serving's API.
      max_request_bytes: of a body.
      bearer_token: that guarded paths ask for, or None.
      allow_cross_origin: let pages of other hosts use the interfaces (CORS).
      with_predict: offer TensorFlow Serving's REST API.
    """

    model_name: str
    max_request_bytes: int = 100 << 20
    bearer_token: str | None = None
    allow_cross_origin: bool = False
    with_predict: bool = True


def make_app(engine: Engine, settings: AppSettings) -> Guard:
    """Makes the ASGI application."""
    app = fastapi.FastAPI(
        title="Colorization",
        description="Brings black-and-white photographs into colour.",
        version=_read_version(),
        docs_url=None,  # FastAPI's page would fetch its parts from another host
        redoc_url=None,
    )
    _add_error_handlers(app)
    app.include_router(photo_api.build_router(engine))
    if settings.with_predict:
        from colorization.serving import rest_predict

        app.include_router(rest_predict.build_router(engine, settings.model_name))
    _add_information(app, engine, settings)
    _add_docs(app)
    app.mount("/", StaticFiles(directory=_WEB_DIR, html=True), name="page")
    if settings.allow_cross_origin:
        app.add_middleware(
            CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["authorization"]
        )
    return Guard(
        app,
        max_request_bytes=settings.max_request_bytes,
        max_total_bytes=engine.settings.max_queue_bytes,
        bearer_token=settings.bearer_token,
        allow_cross_origin=settings.allow_cross_origin,
        receive_seconds=engine.settings.request_timeout,
        stats=engine.stats,
    )


def _add_error_handlers(app: fastapi.FastAPI) -> None:
    """Every error is JSON of one shape, one line, and tells nothing of the inside."""

    @app.exception_handler(ServingError)
    async def answer_error(request: fastapi.Request, error: ServingError) -> Response:
        seconds = _RETRY_SECONDS.get(error.code)
        headers = {"retry-after": str(seconds)} if seconds and error.http_status != 413 else None
        return JSONResponse({"error": str(error)}, error.http_status, headers)

    @app.exception_handler(HTTPException)
    async def answer_http_error(request: fastapi.Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def answer_wrong_request(request: fastapi.Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return JSONResponse({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, 400)

    @app.exception_handler(Exception)
    async def answer_internal_error(request: fastapi.Request, error: Exception) -> Response:
        return JSONResponse({"error": "internal error"}, 500)


def _add_information(app: fastapi.FastAPI, engine: Engine, settings: AppSettings) -> None:
    @app.get("/info", tags=["photos"], summary="What this server can do")
    async def info() -> dict[str, Any]:
        model = engine.info
        return {
            "model_name": settings.model_name,
            "model_version": engine.version,
            "takes_hints": model is not None and model.takes_hints,
            "takes_reference": model is not None and model.takes_reference,
            "max_request_bytes": settings.max_request_bytes,
            "max_pixels": engine.settings.max_pixels,
            "max_samples": engine.settings.max_images,
            "needs_token": settings.bearer_token is not None,
        }

    @app.get("/healthz", tags=["operation"], summary="Whether the server runs", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok\n"

    @app.get("/readyz", tags=["operation"], summary="Whether a model answers", response_class=PlainTextResponse)
    async def readyz() -> Response:
        if engine.is_ready:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("shutting down\n" if engine.is_draining else "no model is ready\n", 503)

    @app.get("/metrics", tags=["operation"], summary="Counts, for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(engine.stats.render(), media_type="text/plain; version=0.0.4")


def _add_docs(app: fastapi.FastAPI) -> None:
    """Swagger UI at /docs, from a package instead of another host, and without scripts inside the page."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return RedirectResponse("/docs/")

    @app.get("/docs/", include_in_schema=False, response_class=HTMLResponse)
    async def page() -> str:
        return _DOCS_PAGE

    @app.get("/docs/initializer.js", include_in_schema=False)
    async def initializer() -> Response:
        return Response(_DOCS_INITIALIZER, media_type="text/javascript")

    app.mount("/docs", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"), name="docs")


def _read_version() -> str:
    try:
        return importlib.metadata.version("colorization")
    except importlib.metadata.PackageNotFoundError:  # run from a clone
        return "unreleased"
