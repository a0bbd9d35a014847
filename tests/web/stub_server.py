"""A server that keeps the page's contract without a model: it tints photos by a formula that tests can repeat."""

import asyncio
import dataclasses
import io
import json
import socket
import threading
from pathlib import Path

import fastapi
import numpy as np
import uvicorn
from fastapi import staticfiles
from PIL import Image, ImageColor, ImageDraw, ImageOps

WEB_DIR = Path(__file__).parents[2] / "colorization" / "web"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def tint(rgb: np.ndarray, *, saturation: float = 1.0, version: int = 0, reference_mean: float = 0.0) -> np.ndarray:
    """Red rises and blue falls by 40 saturation, green rises by 20 for each version and by the reference's mean.

    Args:
      rgb: uint8 (H, W, 3).
      saturation: as in the request.
      version: number of the sample of all seeds; 0 is the automatic colour.
      reference_mean: mean level of the reference, 0..255, or 0.

    Returns:
      uint8 (H, W, 3).
    """
    grey = rgb.astype(np.float32).mean(axis=-1)
    shift = 40 * saturation
    levels = [grey + shift, grey + 20 * version + reference_mean / 4, grey - shift]
    return np.clip(np.round(np.stack(levels, axis=-1)), 0, 255).astype(np.uint8)


@dataclasses.dataclass
class Received:
    """One request to /colorize, and the bytes of the answer."""

    form: dict[str, str]
    photo: bytes
    photo_name: str
    size: tuple[int, int]
    reference: bytes | None
    authorization: str
    answer: bytes = b""

    @property
    def hints(self) -> list[dict]:
        return json.loads(self.form.get("hints", "[]"))


class StubServer:
    """Runs in a thread; what it received is in `received`, and it can be told to misbehave.

    Attributes:
      received: the requests that were answered with 200, in order.
      refusals: (status, headers) of the answers to the next requests, taken from the front.
      delay_seconds: how long each answer takes.
      delays: the same for the next requests, taken from the front.
      token: the one that requests must bear, if not empty.
      info: what /info says.
      paint: draws the answer; `tint` unless told otherwise.
    """

    def __init__(self, port: int | None = None):
        self._port = port or self.find_free_port()
        self.received: list[Received] = []
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.delay_seconds = 0.0
        self.delays: list[float] = []
        self.token = ""
        self.paint = tint
        self.info = {
            "model_name": "stub",
            "model_version": 7,
            "takes_hints": True,
            "takes_reference": True,
            "max_request_bytes": 20_000_000,
            "max_pixels": 4_000_000,
            "max_samples": 8,
            "needs_token": False,
        }
        self._server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @staticmethod
    def find_free_port() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return listener.getsockname()[1]

    def start(self) -> None:
        """Listens, on the same port each time."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        config = uvicorn.Config(self._make_app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Breaks off whatever is in progress."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def full_size_requests(self, size: tuple[int, int]) -> list[Received]:
        return [received for received in self.received if received.size == size]

    def _make_app(self) -> fastapi.FastAPI:
        app = fastapi.FastAPI()

        @app.middleware("http")
        async def add_policy(request, call_next):
            response = await call_next(request)
            response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            return response

        @app.get("/info")
        async def info():
            return {**self.info, "needs_token": bool(self.token)}

        app.post("/colorize")(self._colorize)
        app.mount("/", staticfiles.StaticFiles(directory=WEB_DIR, html=True))
        return app

    async def _colorize(self, request: fastapi.Request) -> fastapi.Response:
        form = await request.form()
        await asyncio.sleep(self.delays.pop(0) if self.delays else self.delay_seconds)
        authorization = request.headers.get("Authorization", "")
        if self.token and authorization != f"Bearer {self.token}":
            return _refuse(401, "A token is needed.")
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return _refuse(status, "The server is restarting.", headers)
        photo = await form["photo"].read()
        reference = await form["reference"].read() if "reference" in form else None
        try:
            image = Image.open(io.BytesIO(photo))
            image.load()
        except OSError:
            return _refuse(400, "This is not a photo that can be read.")
        received = Received(
            form={name: value for name, value in form.items() if isinstance(value, str)},
            photo=photo,
            photo_name=form["photo"].filename,
            size=ImageOps.exif_transpose(image).size,
            reference=reference,
            authorization=authorization,
        )
        received.answer = self._draw(image, received)
        self.received.append(received)
        stem, _, suffix = received.photo_name.rpartition(".")
        headers = {"Content-Disposition": f'attachment; filename="{stem}_colour.{suffix}"'}
        return fastapi.Response(received.answer, media_type=Image.MIME[image.format], headers=headers)

    def _draw(self, image: Image.Image, received: Received) -> bytes:
        form = received.form
        samples = {"num_samples": 1, "sample": 0, "seed": 0} | {
            name: int(form[name]) for name in form if name in SAMPLES
        }
        version = samples["sample"] + self.info["max_samples"] * samples["seed"] if samples["num_samples"] > 1 else 0
        mean = 0.0
        if received.reference:
            mean = float(np.asarray(Image.open(io.BytesIO(received.reference)).convert("L")).mean())
        upright = ImageOps.exif_transpose(image).convert("RGB")
        rgb = self.paint(
            np.asarray(upright), saturation=float(form["saturation"]), version=version, reference_mean=mean
        )
        result = Image.fromarray(rgb)
        draw = ImageDraw.Draw(result)
        for hint in received.hints:
            x, y, radius = hint["x"], hint["y"], 3 * hint.get("radius", 5)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ImageColor.getrgb(hint["color"]))
        out = io.BytesIO()
        result.save(out, image.format, **({"quality": 95} if image.format == "JPEG" else {}))
        return out.getvalue()


SAMPLES = ("num_samples", "sample", "seed")


def _refuse(status: int, message: str, headers: dict[str, str] | None = None) -> fastapi.Response:
    return fastapi.responses.JSONResponse({"error": message}, status, headers)
