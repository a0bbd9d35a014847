import asyncio
import json
import re

import httpx
import pytest

from colorization.serving import app
from colorization.serving.engine import EngineSettings
from colorization.serving.jobs import ModelInfo
from colorization.serving.stats import Stats


class FakeEngine:
    """Ready, unless a test says otherwise."""

    def __init__(self):
        self.settings, self.stats = EngineSettings(max_pixels=123, max_images=5), Stats()
        self.info, self.version, self.is_ready, self.is_draining = ModelInfo(True, False), 3, True, False

    async def colorize(self, job):
        raise RuntimeError("/secret/path")


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def get(engine):
    def send(path, method="GET", *, headers=None, **settings):
        application = app.make_app(engine, app.AppSettings(model_name="colorizer", **settings))

        async def main():
            transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, headers=headers, content=b"x" if method == "POST" else None)

        return asyncio.run(main())

    return send


def test_info(get):
    assert get("/info", bearer_token="secret", max_request_bytes=1000).json() == {
        "model_name": "colorizer",
        "model_version": 3,
        "takes_hints": True,
        "takes_reference": False,
        "max_request_bytes": 1000,
        "max_pixels": 123,
        "max_samples": 5,
        "needs_token": True,
    }


def test_health(get, engine):
    assert (get("/healthz").text, get("/readyz").text) == ("ok\n", "ready\n")
    engine.is_ready, engine.info, engine.version = False, None, None
    answer = get("/readyz")
    assert (answer.status_code, answer.text) == (503, "no model is ready\n")
    assert get("/info").json()["takes_hints"] is False
    engine.is_draining = True
    assert get("/readyz").text == "shutting down\n"
    assert get("/healthz").status_code == 200


def test_metrics(get, engine):
    engine.stats.model_version.set(3)
    answer = get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain") and "colorization_model_version 3.0" in answer.text


def test_the_page_and_its_parts(get):
    page = get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    names = {path.name for path in app._WEB_DIR.iterdir()}
    assert "index.html" in names
    for name in names:
        assert get(f"/{name}").status_code == 200


def test_documentation_comes_from_here(get):
    assert get("/docs").headers["location"] == "/docs/"
    page = get("/docs/").text
    links = re.findall(r'(?:src|href)="(.+?)"', page)
    assert len(links) == 4 and not any("//" in link for link in links) and "<script>" not in page
    for link in links:
        assert get(f"/docs/{link}".replace("/docs/..", "")).status_code == 200
    assert "../openapi.json" in get("/docs/initializer.js").text
    paths = json.loads(get("/openapi.json").text)["paths"]
    assert {"/colorize", "/info", "/healthz", "/readyz", "/metrics"} <= set(paths)
    assert any(path.endswith(":predict") for path in paths)


@pytest.mark.parametrize("with_predict, status", [(True, 404), (False, 404)])
def test_what_does_not_exist_is_json_too(get, with_predict, status):
    answer = get("/v1/models/other", with_predict=with_predict)
    assert answer.status_code == status and list(answer.json()) == ["error"]


def test_a_failure_tells_nothing_of_the_inside(get):
    answer = get("/colorize", "POST")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
    assert "x-content-type-options" in answer.headers


@pytest.mark.parametrize("allowed", [False, True])
def test_other_hosts_are_let_in_only_if_asked_for(get, allowed):
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = get("/colorize", "OPTIONS", headers=headers, allow_cross_origin=allowed, bearer_token="secret")
    assert answer.headers.get("access-control-allow-origin") == ("*" if allowed else None)
    assert answer.status_code == (200 if allowed else 405)
