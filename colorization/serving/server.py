"""HTTP and gRPC in one event loop, in front of one engine; orderly start and end."""

import asyncio
import contextlib
import dataclasses
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import uvicorn

from colorization.serving import app, stats
from colorization.serving.engine import Engine, EngineSettings

_LAST_ANSWERS_SECONDS = 2.0  # to tell clients that their requests are given up


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """What the server needs to know beside the engine's settings.

    Attributes:
      model_name: in TensorFlow Serving's interfaces.
      base_dir: folder of versions.
      bearer_token: that clients must send, or None.
      allow_cross_origin: let pages of other hosts use the interfaces.
      max_request_bytes: of HTTP bodies and gRPC messages.
      max_connections: of HTTP at a time; others get 503.
      shutdown_seconds: for requests to finish after SIGTERM.
      grpc_address: HOST:PORT of gRPC, or None.
      serves_backend: the model is computed elsewhere; then its own interfaces are there, too.
    """

    model_name: str
    base_dir: Path
    bearer_token: str | None = None
    allow_cross_origin: bool = False
    max_request_bytes: int = 100 << 20
    max_connections: int = 1000
    shutdown_seconds: float = 30.0
    grpc_address: str | None = None
    serves_backend: bool = False


def run(settings: ServerSettings, engine_settings: EngineSettings, http_socket: socket.socket | None) -> int:
    """Serves until SIGTERM or SIGINT.

    Args:
      settings: of the server.
      engine_settings: of the engine.
      http_socket: listening, or None for no HTTP.

    Returns:
      The exit status: 0 after an orderly end.

    Raises:
      OSError: the gRPC port can't be used.
    """
    return asyncio.run(_serve(settings, engine_settings, http_socket))


async def _serve(settings: ServerSettings, engine_settings: EngineSettings, http_socket: socket.socket | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = Engine(settings.base_dir, engine_settings, stats.Stats())
    starting = asyncio.create_task(engine.start())
    try:
        grpc_server = await _start_grpc(engine, settings) if settings.grpc_address else None
        http_server, http_task = None, None
        if http_socket is not None:
            http_server = _make_http_server(engine, settings)
            http_task = asyncio.create_task(http_server.serve([http_socket]))
        announcing = asyncio.create_task(_announce(engine, starting, settings, http_socket))
        await stop.wait()
        announcing.cancel()
        ending = {asyncio.create_task(engine.stop())}  # from now on /readyz and new requests are told
        if grpc_server is not None:
            ending.add(asyncio.create_task(grpc_server.stop(settings.shutdown_seconds)))
        if http_server is not None and http_task is not None:
            http_server.should_exit = True
            ending.add(http_task)
        _, unfinished = await asyncio.wait(ending, timeout=settings.shutdown_seconds)
        engine.abort()
        if unfinished:
            await asyncio.wait(unfinished, timeout=_LAST_ANSWERS_SECONDS)
    finally:
        engine.abort()
    return 0


async def _announce(
    engine: Engine, starting: asyncio.Task, settings: ServerSettings, http_socket: socket.socket | None
) -> None:
    """Says once where the server is and what it serves."""
    await starting
    places = []
    if http_socket is not None:
        host, port = http_socket.getsockname()[:2]
        places.append(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    if settings.grpc_address:
        places.append(f"gRPC at {settings.grpc_address}")
    what = f"version {engine.version} of {settings.model_name}" if engine.is_ready else "no model yet"
    print(f"serving {what}: {', '.join(places)}", flush=True)


def _make_http_server(engine: Engine, settings: ServerSettings) -> uvicorn.Server:
    application = app.make_app(
        engine,
        app.AppSettings(
            model_name=settings.model_name,
            max_request_bytes=settings.max_request_bytes,
            bearer_token=settings.bearer_token,
            allow_cross_origin=settings.allow_cross_origin,
            with_predict=not settings.serves_backend,
        ),
    )
    config = uvicorn.Config(
        application,
        log_config=None,  # else it would take hold of standard error in its own way
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=int(settings.shutdown_seconds + _LAST_ANSWERS_SECONDS) + 1,
    )
    return _QuietServer(config)


class _QuietServer(uvicorn.Server):
    """Signals are ours: gRPC and the engine end together with HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


async def _start_grpc(engine: Engine, settings: ServerSettings) -> grpc.aio.Server:
    from colorization.serving import grpc_services

    interceptors = [grpc_services.CountCalls(engine.stats)]
    if settings.bearer_token:
        interceptors.append(grpc_services.BearerToken(settings.bearer_token))
    options = [
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # else a second server would share the port in silence
    ]
    server = grpc.aio.server(
        interceptors=interceptors, options=options, maximum_concurrent_rpcs=2 * engine.settings.max_queue_length
    )
    grpc_services.add_services(server, engine, settings.model_name)
    try:
        server.add_insecure_port(settings.grpc_address)
    except RuntimeError as error:
        raise OSError(
            f"gRPC cannot listen at {settings.grpc_address}: the port is in use or the host unknown"
        ) from error
    await server.start()
    return server
