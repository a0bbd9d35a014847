import asyncio
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import grpc
import pytest

from colorization.serving import server
from colorization.serving.engine import EngineSettings


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_without_a_model_it_runs_says_so_and_ends_in_order(tmp_path, capsys):
    http_socket = socket.create_server(("127.0.0.1", 0))
    port = http_socket.getsockname()[1]
    seen = {}

    def look_and_stop():
        for _ in range(200):
            try:
                seen["ready"], seen["health"] = get(port, "/readyz"), get(port, "/healthz")
                break
            except OSError:
                time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    looking = threading.Thread(target=look_and_stop)
    looking.start()
    settings = server.ServerSettings("colorizer", tmp_path, shutdown_seconds=2.0)
    assert asyncio.run(server._serve(settings, EngineSettings(poll_seconds=0.05), http_socket)) == 0
    looking.join()
    assert seen == {"ready": (503, "no model is ready\n"), "health": (200, "ok\n")}
    assert capsys.readouterr().out == f"serving no model yet: http://127.0.0.1:{port}\n"
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
