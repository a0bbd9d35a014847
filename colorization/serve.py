"""Serves a model: TensorFlow Serving's REST and gRPC interfaces, a plain API for photos, and a web page.

    python -m colorization.serve --rest_api_port=8501 --port=8500

then open http://127.0.0.1:8501. The flags are those of tensorflow_model_server where it has such. New versions below
--model_base_path are taken up while the server runs. SIGTERM and Ctrl-C let it finish what it is doing.
"""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    from colorization.serving.engine import EngineSettings

_MODEL_BASE_PATH = flags.DEFINE_string(
    "model_base_path", None, "Folder of numbered model versions; default: the shipped one, saved_models/colorizer."
)
_MODEL_NAME = flags.DEFINE_string("model_name", "colorizer", "Name of the model in TensorFlow Serving's interfaces.")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen at; 0.0.0.0 lets other machines in.")
_PORT = flags.DEFINE_integer("port", 8500, "Port of gRPC; 0 for none.", 0, 65535)
_REST_API_PORT = flags.DEFINE_integer(
    "rest_api_port", 8501, "Port of HTTP: page, REST, plain API; 0 for none.", 0, 65535
)
_REST_API_TIMEOUT = flags.DEFINE_integer(
    "rest_api_timeout_in_ms", 60_000, "Milliseconds that a request may take, waiting included.", 1
)
_CORS = flags.DEFINE_boolean("rest_api_enable_cors_support", False, "Let pages of other hosts use the interfaces.")
_POLL_SECONDS = flags.DEFINE_float(
    "file_system_poll_wait_seconds", 1.0, "Seconds between two looks for new versions.", 0.01
)
_ENABLE_BATCHING = flags.DEFINE_boolean(
    "enable_batching",
    False,
    "Merge Predict requests that wait and fit together into batches; their results may then differ by one level.",
)
_MAX_BATCH_SIZE = flags.DEFINE_integer("max_batch_size", 8, "Rows of such a batch.", 1)
_BACKEND = flags.DEFINE_string(
    "backend",
    None,
    "HOST:PORT of the gRPC port of a TensorFlow Serving that serves the model: page and plain API then let it compute. "
    "--model_base_path must hold the same model.",
)
_BEARER_TOKEN_FILE = flags.DEFINE_string(
    "bearer_token_file", None, "File whose first line clients must send as bearer token."
)
_MAX_REQUEST_BYTES = flags.DEFINE_integer("max_request_bytes", 100 << 20, "Largest request.", 1024)
_MAX_CONNECTIONS = flags.DEFINE_integer("max_connections", 1000, "Most HTTP connections at a time; others get 503.", 1)
_MAX_PIXELS = flags.DEFINE_integer("max_pixels", 50_000_000, "Most pixels of an image.", 1)
_MAX_IMAGES = flags.DEFINE_integer("max_images_per_request", 16, "Most images, or samples, of a request.", 1)
_MAX_QUEUE_LENGTH = flags.DEFINE_integer("max_queue_length", 64, "Most requests that wait; others get 429.", 1)
_MAX_QUEUE_BYTES = flags.DEFINE_integer(
    "max_queue_bytes", 512 << 20, "Most bytes of all requests that are not answered yet.", 1024
)
_NUM_THREADS = flags.DEFINE_integer("num_threads", 2, "Photos that are worked on at a time.", 1, 256)
_SHUTDOWN_SECONDS = flags.DEFINE_float("shutdown_seconds", 30.0, "Seconds to finish requests after SIGTERM.", 0.0)


def main(argv: list[str]) -> int:
    """Serves until SIGTERM or Ctrl-C; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the model goes into --model_base_path")
    if not _PORT.value and not _REST_API_PORT.value:
        raise cli.UsageError("--port=0 and --rest_api_port=0: there is nothing to serve")
    base_dir = _find_base_dir()
    token = _read_token()
    http_socket = _listen(_REST_API_PORT.value) if _REST_API_PORT.value else None
    try:
        import fastapi  # noqa: F401
        import grpc  # noqa: F401
    except ImportError as error:
        raise cli.UsageError(f"{error.name} is missing: pip install -r requirements-serve.txt") from error
    # Before any process is started: what it inherited meanwhile as standard error would be lost.
    cli.start_tensorflow("cpu")
    from colorization.serving import server

    settings = server.ServerSettings(
        model_name=_MODEL_NAME.value,
        base_dir=base_dir,
        bearer_token=token,
        allow_cross_origin=_CORS.value,
        max_request_bytes=_MAX_REQUEST_BYTES.value,
        max_connections=_MAX_CONNECTIONS.value,
        shutdown_seconds=_SHUTDOWN_SECONDS.value,
        grpc_address=_grpc_address() if _PORT.value and not _BACKEND.value else None,
        serves_backend=_BACKEND.value is not None,
    )
    try:
        return server.run(settings, _make_engine_settings(), http_socket)
    except OSError as error:
        raise cli.UsageError(str(error)) from error


def _make_engine_settings() -> "EngineSettings":
    from colorization.serving.engine import EngineSettings
    from colorization.serving.process import ProcessSettings

    backend = f"{_BACKEND.value}/{_MODEL_NAME.value}" if _BACKEND.value else None
    return EngineSettings(
        process=ProcessSettings(num_threads=_NUM_THREADS.value, backend=backend),
        max_queue_length=_MAX_QUEUE_LENGTH.value,
        max_queue_bytes=_MAX_QUEUE_BYTES.value,
        max_batch_size=_MAX_BATCH_SIZE.value if _ENABLE_BATCHING.value else 1,
        max_images=_MAX_IMAGES.value,
        max_pixels=_MAX_PIXELS.value,
        request_timeout=_REST_API_TIMEOUT.value / 1000.0,
        poll_seconds=_POLL_SECONDS.value,
    )


def _grpc_address() -> str:
    return f"[{_HOST.value}]:{_PORT.value}" if ":" in _HOST.value else f"{_HOST.value}:{_PORT.value}"


def _find_base_dir() -> Path:
    """The folder of versions; it may still be empty, but must be there."""
    if _MODEL_BASE_PATH.value is None:
        package_dir = Path(__file__).parent  # the wheel holds the shipped model, a clone beside the package
        bases = [root / "saved_models" / "colorizer" for root in (package_dir, package_dir.parent)]
        return next((base for base in bases if base.is_dir()), bases[-1])
    base_dir = Path(_MODEL_BASE_PATH.value)
    if not os.path.isdir(base_dir):  # unlike Path's, also false for a name that is too long
        raise cli.UsageError(f"--model_base_path={base_dir}: no such folder")
    if (base_dir / "saved_model.pb").exists():
        raise cli.UsageError(f"--model_base_path={base_dir}: this is one version; give the folder above it")
    return base_dir


def _read_token() -> str | None:
    """The first line of --bearer_token_file."""
    if _BEARER_TOKEN_FILE.value is None:
        return None
    try:
        token = Path(_BEARER_TOKEN_FILE.value).read_text(encoding="ascii").split("\n", 1)[0].strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not plain ASCII text"
        raise cli.UsageError(f"--bearer_token_file={_BEARER_TOKEN_FILE.value}: {reason}") from error
    if not token:
        raise cli.UsageError(f"--bearer_token_file={_BEARER_TOKEN_FILE.value}: its first line is empty")
    return token


def _listen(port: int) -> socket.socket:
    """Takes the HTTP port before anything slow happens, so that one in use is found out at once."""
    family = socket.AF_INET6 if ":" in _HOST.value else socket.AF_INET
    try:
        return socket.create_server((_HOST.value, port), family=family, backlog=2048)
    except OSError as error:
        raise cli.UsageError(f"--rest_api_port={port}: {error.strerror or error}") from error
    except (TypeError, ValueError) as error:  # a name that the resolver can't even encode
        raise cli.UsageError(f"--host={_HOST.value}: no name of a host") from error


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
