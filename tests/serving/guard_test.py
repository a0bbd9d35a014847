import asyncio
import time

import httpx
import pytest

from colorization.serving.errors import Code, ServingError
from colorization.serving.guard import Guard
from colorization.serving.stats import Stats


async def echo(scope, receive, send):
    """Answers with the size of the body, as an application does that answers a ServingError as such."""
    size, more, status = 0, True, 200
    try:
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    except ServingError as error:
        size, status = str(error), error.http_status
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@pytest.fixture
def request_one():
    """Sends one request through a guard; `guard.stats` is what was counted."""
    stats = Stats()

    def send(method, path, *, headers=None, content=None, **settings):
        defaults = {"max_request_bytes": 100, "max_total_bytes": 1000, "bearer_token": None, "receive_seconds": 5.0}
        guard = Guard(echo, stats=stats, **{**defaults, "allow_cross_origin": False} | settings)

        async def main():
            transport = httpx.ASGITransport(app=guard)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, headers=headers, content=content)

        return asyncio.run(main())

    send.stats = stats
    return send


async def in_pieces(*sizes):
    for size in sizes:
        yield b"x" * size


def test_a_body_within_the_limit_passes(request_one):
    assert request_one("POST", "/colorize", content=b"x" * 100).text == "100"


@pytest.mark.parametrize("content", [b"x" * 101, in_pieces(60, 41)], ids=["announced", "in pieces"])
def test_a_larger_one_is_refused(request_one, content):
    answer = request_one("POST", "/colorize", content=content)
    assert answer.status_code == 413 and "the request is larger than 100 bytes" in answer.text


def test_a_body_that_does_not_arrive_is_given_up(request_one):
    async def stalls():
        yield b"x"
        await asyncio.sleep(30)
        yield b"x"

    start = time.monotonic()
    answer = request_one("POST", "/colorize", content=stalls(), receive_seconds=0.1)
    assert answer.status_code == 408 and "did not arrive within 0.1 s" in answer.text
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "path, site, allowed, status",
    [
        ("/colorize", "cross-site", False, 403),
        ("/colorize", "cross-site", True, 200),
        ("/colorize", "same-origin", False, 200),
        ("/", "cross-site", False, 200),  # a link to the page
    ],
)
def test_pages_of_other_hosts_cannot_put_the_server_to_work(request_one, path, site, allowed, status):
    answer = request_one("POST", path, headers={"sec-fetch-site": site}, content=b"x", allow_cross_origin=allowed)
    assert answer.status_code == status


def test_all_bodies_together_are_bounded(request_one):
    answer = request_one("POST", "/colorize", content=in_pieces(60, 30), max_total_bytes=80)
    assert answer.status_code == Code.RESOURCE_EXHAUSTED.value and "too many requests" in answer.text


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/colorize", {}, 401),
        ("/v1/models/colorizer", {"authorization": "Bearer wrong"}, 401),
        ("/v1/models/colorizer", {"authorization": "secret"}, 401),
        ("/metrics", {}, 401),
        ("/metrics", {"authorization": "Bearer secret"}, 200),
        ("/", {}, 200),
        ("/readyz", {}, 200),
    ],
)
def test_guarded_paths_ask_for_the_token(request_one, path, headers, status):
    answer = request_one("GET", path, headers=headers, bearer_token="secret")
    assert answer.status_code == status
    if status == 401:
        assert answer.json() == {"error": "a valid bearer token is needed"}
        assert answer.headers["www-authenticate"] == "Bearer"


def test_security_headers(request_one):
    answer = request_one("GET", "/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:3] == ["default-src 'none'", "script-src 'self'", "style-src 'self'"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    shared = request_one("GET", "/v1/models/x", allow_cross_origin=True)
    assert "cross-origin-resource-policy" not in shared.headers


def test_requests_are_counted(request_one):
    request_one("POST", "/colorize", content=b"x" * 101)
    request_one("GET", "/v1/models/colorizer:predict")
    request_one("GET", "/page.css")
    text = request_one.stats.render().decode()
    assert 'requests_total{interface="colorize",status="413"} 1.0' in text
    assert 'requests_total{interface="v1",status="200"} 1.0' in text
    assert 'requests_total{interface="other",status="200"} 1.0' in text
