import asyncio
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest

from colorization.serving import server
from colorization.serving.engine import EngineSettings

ROOT = Path(__file__).parents[2]


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# In a process of its own, for it is sent SIGTERM.
SERVE = """
import asyncio, socket, sys
from pathlib import Path
from colorization.serving import server
from colorization.serving.engine import EngineSettings

settings = server.ServerSettings("colorizer", Path(sys.argv[1]), shutdown_seconds=2.0)
http_socket = socket.create_server(("127.0.0.1", 0))
sys.exit(asyncio.run(server._serve(settings, EngineSettings(poll_seconds=0.05), http_socket)))
"""


def test_without_a_model_it_runs_says_so_and_ends_in_order(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    port = int(line.rpartition(":")[2])
    assert line == f"serving no model yet: http://127.0.0.1:{port}\n"
    assert get(port, "/readyz") == (503, "no model is ready\n") and get(port, "/healthz") == (200, "ok\n")
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=20)
    assert (stdout, process.returncode) == ("", 0)
    with pytest.raises(OSError):
        get(port, "/healthz")


def test_a_grpc_port_in_use_is_one_line(tmp_path):
    async def main():
        other = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        port = other.add_insecure_port("127.0.0.1:0")
        await other.start()
        settings = server.ServerSettings("colorizer", tmp_path, grpc_address=f"127.0.0.1:{port}")
        try:
            with pytest.raises(OSError, match=f"^gRPC cannot listen at 127.0.0.1:{port}: the port is in use"):
                await server._serve(settings, EngineSettings(), None)
        finally:
            await other.stop(None)

    asyncio.run(main())
