"""The command as a user starts it, with the clients that people have: one server for most tests, as each start takes
seconds."""

import base64
import concurrent.futures
import contextlib
import dataclasses
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import ovmsclient
import pytest
import tensorflow as tf
from PIL import Image
from playwright import sync_api
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from colorization import Colorizer, image_io
from tests.web.page_driver import PageDriver, launch_chromium

ROOT = Path(__file__).parents[1]
RGB = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def encode(rgb, file_format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, file_format, **options)
    return buffer.getvalue()


PHOTO = encode(RGB)


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@dataclasses.dataclass
class Server:
    """A running command."""

    process: subprocess.Popen
    base_dir: Path
    http_port: int
    grpc_port: int
    first_line: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def model_process(self) -> int:
        """The one that holds the model that answers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        (found,) = [child for child, command in commands.items() if b"spawn_main" in command]
        return found

    def status(self) -> dict[str, str]:
        """State of each version."""
        versions = httpx.get(f"{self.url}/v1/models/colorizer").json()["model_version_status"]
        return {version["version"]: version["state"] for version in versions}


@contextlib.contextmanager
def running(base_dir, *more_flags):
    http_port, grpc_port = free_port(), free_port()
    words = [sys.executable, "-m", "colorization.serve", f"--model_base_path={base_dir}", f"--port={grpc_port}"]
    words += [f"--rest_api_port={http_port}", "--file_system_poll_wait_seconds=0.1", *more_flags]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Server(process, base_dir, http_port, grpc_port, process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tiny_model_dir, tmp_path_factory):
    base_dir = tmp_path_factory.mktemp("served")
    shutil.copytree(tiny_model_dir / "1", base_dir / "1")
    with running(base_dir) as server:
        yield server


@pytest.fixture(scope="module")
def colorizer(tiny_model_dir):
    return Colorizer.load(tiny_model_dir)


def test_it_says_where_it_is(server):
    places = f"http://127.0.0.1:{server.http_port}, gRPC at 127.0.0.1:{server.grpc_port}"
    assert server.first_line == f"serving version 1 of colorizer: {places}\n"
    assert httpx.get(f"{server.url}/readyz").text == "ready\n"
    assert httpx.get(server.url).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF"])
def test_a_photo_comes_back_as_colorize_writes_it(server, colorizer, tmp_path, file_format):
    data = encode(RGB, file_format, dpi=(300, 300))
    photo = image_io.decode_photo(data, "photo")
    image_io.write_photo(tmp_path / "photo", dataclasses.replace(photo, rgb=colorizer.colorize(photo.rgb)))
    answer = httpx.post(f"{server.url}/colorize", files={"photo": ("old", data)})
    assert answer.status_code == 200 and answer.content == (tmp_path / "photo").read_bytes()


def test_the_page_shows_what_the_server_answers(server):
    def drive() -> tuple[np.ndarray, np.ndarray]:
        sync_api.expect.set_options(timeout=30_000)
        with sync_api.sync_playwright() as playwright, launch_chromium(playwright) as browser:
            driver = PageDriver(browser.new_page(viewport={"width": 1000, "height": 700}))
            driver.page.goto(server.url)
            driver.drop(("old.png", "image/png", PHOTO))
            driver.wait_until_ready()
            automatic = driver.read_pixels()
            driver.click_photo(0.25, 0.5)
            driver.wait_until_ready()
            return automatic, driver.read_pixels()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # Playwright wants a thread without an event loop
        automatic, hinted = pool.submit(drive).result()
    np.testing.assert_array_equal(automatic, decode(httpx.post(f"{server.url}/colorize", content=PHOTO).content))
    changes = np.abs(hinted.astype(int) - automatic).max(axis=-1)
    assert changes[30, 20] > 10 and changes[30, 20] >= changes[5, 70]


def test_rest_clients(server):
    body = {"instances": [{"image_bytes": {"b64": base64.b64encode(PHOTO).decode()}}] * 2}
    answer = httpx.post(f"{server.url}/v1/models/colorizer:predict", json=body).json()
    expected = httpx.post(f"{server.url}/colorize", content=PHOTO).content
    assert [base64.b64decode(item["b64"]) for item in answer["predictions"]] == [expected] * 2
    broken = httpx.post(f"{server.url}/v1/models/colorizer:predict", json={"instances": [{"b64": "bm8="}]})
    assert broken.status_code == 400 and broken.json()["error"].startswith("image_bytes[0]: not a readable")


def test_grpc_clients(server, colorizer):
    channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "colorizer", "colorize"
    request.inputs["rgb"].CopyFrom(tf.make_tensor_proto(RGB[np.newaxis]))
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
    expected = [colorizer.colorize(RGB)]
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["rgb"]), expected)
    client = ovmsclient.make_grpc_client(f"127.0.0.1:{server.grpc_port}")
    assert client.get_model_status("colorizer")[1]["state"] == "AVAILABLE"
    result = client.predict({"image_bytes": [PHOTO]}, "colorizer")
    np.testing.assert_array_equal(decode(result[0]), expected[0])


def test_a_model_process_that_is_killed_is_replaced_and_nobody_notices(server):
    old = server.model_process()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        large = encode(np.tile(RGB, (20, 20, 1)), "JPEG")
        posts = [pool.submit(httpx.post, f"{server.url}/colorize", content=large, timeout=60) for _ in range(4)]
        time.sleep(0.1)
        os.kill(old, signal.SIGKILL)
        answers = [post.result() for post in posts]
    # Killed once, none of them is to blame: each is tried again.
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1
    assert server.model_process() != old
    assert "restarts_total 1.0" in httpx.get(f"{server.url}/metrics").text


def test_new_versions_are_taken_up_and_broken_ones_refused(server, tiny_model_dir):
    broken = server.base_dir / "2"
    (broken / "variables").mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"\xff\xffno model")
    wait_for(lambda: server.status().get("2") == "END")
    assert server.status() == {"2": "END", "1": "AVAILABLE"}
    assert httpx.post(f"{server.url}/colorize", content=PHOTO).status_code == 200
    shutil.copytree(tiny_model_dir / "1", server.base_dir / ".3.tmp")
    (server.base_dir / ".3.tmp").rename(server.base_dir / "3")
    wait_for(lambda: server.status().get("3") == "AVAILABLE")
    wait_for(lambda: server.status()["1"] == "END")
    answer = httpx.get(f"{server.url}/v1/models/colorizer/metadata").json()
    assert answer["model_spec"]["version"] == "3"
    assert httpx.post(f"{server.url}/colorize", content=PHOTO).status_code == 200
    assert httpx.get(f"{server.url}/v1/models/colorizer/versions/9").status_code == 404


def test_limits_token_and_an_orderly_end(tiny_model_dir, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    flags = ("--max_pixels=10000", "--max_request_bytes=100000", f"--bearer_token_file={tmp_path / 'token'}")
    with running(tiny_model_dir, *flags) as server, httpx.Client(base_url=server.url) as client:
        assert client.post("/colorize", content=PHOTO).status_code == 401
        client.headers["authorization"] = "Bearer secret"
        assert client.post("/colorize", content=b"x" * 100_001).status_code == 413
        large = client.post("/colorize", content=encode(np.zeros((101, 100, 3), np.uint8)))
        assert large.status_code == 400 and "10000" in large.json()["error"]
        channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(predict_pb2.PredictRequest(), timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            posts = [pool.submit(client.post, "/colorize", content=PHOTO, timeout=60) for _ in range(16)]
            wait_for(lambda: " 0.0" not in re.search("queue_length .*", client.get("/metrics").text)[0])
            server.process.send_signal(signal.SIGTERM)
            concurrent.futures.wait(posts)
        done = [post.result().status_code for post in posts if post.exception() is None]
        # Those who came before are answered; others are told to go elsewhere, or find the door closed.
        assert set(done) <= {200, 503} and done.count(200) >= 3
        assert all(isinstance(post.exception(), httpx.TransportError | None) for post in posts)
        assert server.process.wait(30) == 0
        assert server.process.stderr.read() == ""


def test_page_and_api_on_top_of_another_server(server, colorizer):
    flags = (f"--backend=127.0.0.1:{server.grpc_port}",)
    with running(server.base_dir, *flags) as front:
        answer = httpx.post(f"{front.url}/colorize", content=PHOTO, timeout=60)
        np.testing.assert_array_equal(decode(answer.content), colorizer.colorize(RGB))
        assert httpx.get(f"{front.url}/info").json()["takes_hints"] is True


@pytest.mark.parametrize(
    "words, message",
    [
        (["photo.jpg"], "serve: photo.jpg: unexpected argument; the model goes into --model_base_path"),
        (["--port=0", "--rest_api_port=0"], "serve: --port=0 and --rest_api_port=0: there is nothing to serve"),
        (["--model_base_path=missing"], "serve: --model_base_path=missing: no such folder"),
        (
            ["--model_base_path=saved_models/colorizer/1"],
            "serve: --model_base_path=saved_models/colorizer/1: this is one",
        ),
        (["--bearer_token_file=missing"], "serve: --bearer_token_file=missing: No such file or directory"),
        (["--bearer_token_file=/dev/null"], "serve: --bearer_token_file=/dev/null: its first line is empty"),
        (["--rest_api_port=99999"], "serve: flag --rest_api_port=99999: "),
        (["--host=no.such.host.invalid"], "serve: --rest_api_port=8501: "),
        (["--host=\x80"], "serve: --host=\\x80: no name of a host"),
    ],
)
def test_a_wrong_call_is_one_line(words, message):
    done = subprocess.run(
        [sys.executable, "-m", "colorization.serve", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
