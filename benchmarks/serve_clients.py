"""Clients for the load test: each interface of the server as an asynchronous function from a photo to an answer."""

import asyncio
import base64
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import grpc
import httpx
import numpy as np

_SECONDS = 120.0
INTERFACES = ("colorize", "rest", "grpc")


@dataclasses.dataclass(frozen=True)
class Case:
    """A photo and the file that `colorize` writes for it."""

    name: str
    photo: bytes
    expected: bytes


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
      interface: one of INTERFACES.
      seconds: from request to answer.
      outcome: "equal", "different", or the status of the refusal.
    """

    interface: str
    seconds: float
    outcome: str


Send = Callable[[bytes], Awaitable[tuple[bytes | None, str]]]
"""Takes a photo; gives the answer's bytes and "ok", or None and the status."""


@contextlib.asynccontextmanager
async def connect(http_url: str, grpc_address: str, model_name: str) -> AsyncIterator[dict[str, Send]]:
    """Opens connections; gives a function for each interface."""
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    limits = httpx.Limits(max_connections=None)
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with (
        httpx.AsyncClient(base_url=http_url, timeout=_SECONDS, limits=limits) as client,
        grpc.aio.insecure_channel(grpc_address, options=options) as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        async def colorize(photo: bytes) -> tuple[bytes | None, str]:
            answer = await client.post("/colorize", files={"photo": ("photo", photo)})
            return (answer.content, "ok") if answer.status_code == 200 else (None, str(answer.status_code))

        async def rest(photo: bytes) -> tuple[bytes | None, str]:
            body = {"instances": [{"b64": base64.b64encode(photo).decode()}]}
            answer = await client.post(f"/v1/models/{model_name}:predict", json=body)
            if answer.status_code != 200:
                return None, str(answer.status_code)
            return base64.b64decode(answer.json()["predictions"][0]["b64"]), "ok"

        async def predict(photo: bytes) -> tuple[bytes | None, str]:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            proto = request.inputs["image_bytes"]
            proto.dtype = 7  # DT_STRING
            proto.tensor_shape.dim.add(size=1)
            proto.string_val.append(photo)
            try:
                answer = await stub.Predict(request, timeout=_SECONDS)
            except grpc.aio.AioRpcError as error:
                return None, error.code().name
            return answer.outputs["image_bytes"].string_val[0], "ok"

        yield {"colorize": colorize, "rest": rest, "grpc": predict}


async def ask(interface: str, send: Send, case: Case) -> Answer:
    """Sends one photo and compares the answer."""
    start = time.perf_counter()
    try:
        data, status = await send(case.photo)
    except httpx.HTTPError as error:
        data, status = None, type(error).__name__
    seconds = time.perf_counter() - start
    if data is not None:
        status = "equal" if data == case.expected else "different"
    return Answer(interface, seconds, status)


async def run_closed(
    senders: dict[str, Send],
    cases: Sequence[Case],
    *,
    num_requests: int,
    num_clients: int,
    stop: asyncio.Event | None = None,
) -> list[Answer]:
    """Clients that each send the next request when they have the answer to the last one.

    Args:
      senders: from `connect`; the interfaces take turns.
      cases: photos, taken in a random order that is always the same.
      num_requests: in all.
      num_clients: at a time.
      stop: ends the run before, once set.

    Returns:
      The answers in the order of their arrival.
    """
    order = np.random.default_rng(0).integers(len(cases), size=num_requests)
    numbers, answers = iter(range(num_requests)), []

    async def work() -> None:
        for number in numbers:
            if stop is not None and stop.is_set():
                return
            interface = INTERFACES[number % len(INTERFACES)]
            answers.append(await ask(interface, senders[interface], cases[order[number]]))

    await asyncio.gather(*(work() for _ in range(num_clients)))
    return answers


async def run_open(senders: dict[str, Send], cases: Sequence[Case], *, rate: float, seconds: float) -> list[Answer]:
    """Requests that come `rate` times a second, whether the server keeps up or not."""
    tasks = []
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        interface = INTERFACES[number % len(INTERFACES)]
        tasks.append(asyncio.create_task(ask(interface, senders[interface], cases[number % len(cases)])))
    return await asyncio.gather(*tasks)


def read_cases(photo_dir: Path, expected_dir: Path) -> list[Case]:
    """Pairs photos with the files of the same name that `colorize` wrote."""
    return [
        Case(path.name, path.read_bytes(), (expected_dir / path.name).read_bytes())
        for path in sorted(photo_dir.iterdir())
    ]
