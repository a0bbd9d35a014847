import asyncio
import io
import json
import zipfile

import fastapi
import httpx
import pytest

from colorization.inference.hints import Hint
from colorization.serving import app, photo_api
from colorization.serving.engine import EngineSettings
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizedPhoto, ColorizeJob


class FakeEngine:
    """Remembers the last job; answers with as many images as it asks for."""

    settings = EngineSettings(max_images=4)
    job, error = None, None

    async def colorize(self, job):
        self.job = job
        if self.error:
            raise self.error
        num = job.num_samples if job.sample is None else 1
        return ColorizedPhoto([b"image %d" % i for i in range(1, num + 1)], "TIFF")


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def post(engine):
    application = fastapi.FastAPI()
    app._add_error_handlers(application)
    application.include_router(photo_api.build_router(engine))

    def send(**request):
        async def main():
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.post("/colorize", **request)

        return asyncio.run(main())

    return send


def form(name="old.tif", reference=None, **fields):
    files = {"photo": (name, b"photo", "text/plain")}
    return {"files": files | ({"reference": ("r.jpg", reference)} if reference else {}), "data": fields}


def test_a_form_with_everything(post, engine):
    answer = post(
        **form(saturation="1.5", hints='[{"x": 1, "y": 2, "color": "#030405"}]', reference=b"reference", seed="0")
    )
    assert (answer.status_code, answer.content) == (200, b"image 1")
    assert answer.headers["content-type"] == "image/tiff"
    hints = (Hint(x=1, y=2, color=(3, 4, 5)),)
    assert engine.job == ColorizeJob(b"photo", saturation=1.5, hints=hints, reference=b"reference")


def test_a_bare_photo_with_options_in_the_query(post, engine):
    answer = post(content=b"bare", params={"saturation": "0", "num_samples": "3", "sample": "3", "seed": "7"})
    assert answer.content == b"image 1"
    assert engine.job == ColorizeJob(b"bare", saturation=0.0, num_samples=3, sample=3, seed=7)


def test_several_samples_come_as_an_archive(post):
    answer = post(**form("holidays/old.tif", num_samples="3"))
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["old_1.tif", "old_2.tif", "old_3.tif"]
        assert archive.read("old_2.tif") == b"image 2"


@pytest.mark.parametrize(
    "name, quoted", [("Großmutter 1938.tif", "Gro%C3%9Fmutter%201938.tif"), ("../../etc/x.tif", "x.tif"), ("a\\b", "b")]
)
def test_the_photo_keeps_its_name(post, name, quoted):
    assert post(**form(name)).headers["content-disposition"] == f"inline; filename*=UTF-8''{quoted}"


@pytest.mark.parametrize(
    "request_parts, message",
    [
        ({"content": b""}, "the photo is missing: send it as the body, or as the field photo of a form"),
        ({"data": {"saturation": "1"}, "files": {"picture": b"x"}}, "picture: no such file is taken; the photo goes"),
        (form(saturation="much"), "saturation: input should be a valid number"),
        (form(saturation="-1"), "saturation: input should be greater than or equal to 0"),
        (form(saturation="nan"), "saturation: input should be"),
        (form(colour="red"), "colour: extra inputs are not permitted"),
        (form(num_samples="5"), "num_samples is 5; at most 4 are made"),
        (form(sample="2"), "sample is 2, but num_samples is 1"),
        (form(num_samples="2", reference=b"r"), "a reference gives one result; leave out num_samples"),
        (form(hints="[{}]"), "hints: point 1: x is missing"),
        (form(hints="{"), "hints: not JSON"),
        (form() | {"params": {"seed": "1"}, "data": {"seed": "2"}}, "seed is given twice"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "the form can't be read: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line(post, engine, request_parts, message):
    answer = post(**request_parts)
    assert answer.status_code == 400 and answer.json()["error"].startswith(message)
    assert "\n" not in answer.json()["error"] and engine.job is None


@pytest.mark.parametrize(
    "error, status, retry",
    [
        (ServingError(Code.INVALID_ARGUMENT, "photo: the file is empty"), 400, None),
        (ServingError(Code.RESOURCE_EXHAUSTED, "too many"), 429, "2"),
        (ServingError(Code.RESOURCE_EXHAUSTED, "too large", http_status=413), 413, None),
        (ServingError(Code.UNAVAILABLE, "no model"), 503, "5"),
        (ServingError(Code.DEADLINE_EXCEEDED, "late"), 504, None),
    ],
)
def test_errors_of_the_engine(post, engine, error, status, retry):
    engine.error = error
    answer = post(content=b"x")
    assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
    assert answer.headers.get("retry-after") == retry


def test_a_job_whose_client_has_left_is_given_up():
    cancelled = asyncio.Event()

    class SlowEngine:
        async def colorize(self, job):
            try:
                await asyncio.sleep(30)
            finally:
                cancelled.set()

    class GoneRequest:
        async def is_disconnected(self):
            return True

    async def main():
        with pytest.raises(ServingError, match="the client has left"):
            await photo_api._work_while_connected(GoneRequest(), SlowEngine(), ColorizeJob(b""))
        await asyncio.wait_for(cancelled.wait(), 1)

    asyncio.run(main())


def test_the_documentation_names_every_field():
    description = photo_api._describe_request()
    form_fields = description["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert list(form_fields) == ["photo", "reference", "saturation", "num_samples", "seed", "sample", "hints"]
    assert [parameter["name"] for parameter in description["parameters"]] == list(form_fields)[2:]
    json.dumps(description)
