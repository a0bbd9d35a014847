"""What every HTTP request passes: size limit, token, security headers, counting. Plain ASGI, around the application."""

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from colorization.serving.errors import Code, ServingError
from colorization.serving.stats import Stats

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The page needs nothing from elsewhere, and nobody may put it into a frame. The documentation page brings its own
# style as attributes.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_DISCARD_BYTES, _DISCARD_SECONDS = 16 << 20, 2.0
_GUARDED = ("/colorize", "/v1/", "/metrics")  # the page, its description and the health checks are for everybody


class Guard:
    """ASGI middleware."""

    def __init__(
        self,
        app: App,
        *,
        max_request_bytes: int,
        max_total_bytes: int,
        bearer_token: str | None,
        allow_cross_origin: bool,
        receive_seconds: float,
        stats: Stats,
    ):
        """Wraps an application.

        Args:
          app: what comes behind; answers a ServingError as such.
          max_request_bytes: of a body; longer ones are answered with 413.
          max_total_bytes: of the bodies of all requests that are not answered yet; what is more gets 429.
          bearer_token: what guarded paths ask for, or None.
          allow_cross_origin: let pages of other hosts use the interfaces (CORS).
          receive_seconds: in which a body must have arrived.
          stats: receives counts.
        """
        self._app = app
        self._max_request_bytes, self._max_total_bytes = max_request_bytes, max_total_bytes
        self._bearer_token, self._allow_cross_origin = bearer_token, allow_cross_origin
        self._receive_seconds, self._stats = receive_seconds, stats
        self._total_bytes = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, start, status = scope["path"], time.perf_counter(), 500
        num_received, has_body = 0, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._make_headers(path)]
            await send(message)

        async def receive_within_limits() -> Message:
            nonlocal num_received, has_body
            if has_body:  # what follows is the client's leaving, whenever that is
                return await receive()
            message = await self._receive_in_time(receive, start)
            has_body = not message.get("more_body", False)
            num_bytes = len(message.get("body", b""))
            num_received += num_bytes
            self._total_bytes += num_bytes
            try:
                self._check_size(num_received)
            except ServingError:
                await _discard(receive, has_body)
                raise
            return message

        headers = dict(scope["headers"])
        try:
            self._check_sender(path, scope["method"], headers)
            length = headers.get(b"content-length", b"0")
            self._check_size(int(length) if length.isdigit() else 0)
            await self._app(scope, receive_within_limits, send_with_headers)
        except ServingError as error:  # found before the application saw the request
            await _discard(receive, has_body)
            await _answer(send_with_headers, error)
        finally:
            self._total_bytes -= num_received
            interface = path.split("/")[1].split(":")[0] if path.startswith(_GUARDED) else "other"
            self._stats.requests.labels(interface, str(status)).inc()
            self._stats.seconds.labels(interface).observe(time.perf_counter() - start)

    def _check_size(self, num_bytes: int) -> None:
        if num_bytes > self._max_request_bytes:
            message = f"the request is larger than {self._max_request_bytes} bytes"
            raise ServingError(Code.RESOURCE_EXHAUSTED, message, http_status=413)
        if self._total_bytes > self._max_total_bytes:
            raise ServingError(Code.RESOURCE_EXHAUSTED, "too many requests are waiting; try again later")

    async def _receive_in_time(self, receive: Receive, start: float) -> Message:
        try:
            async with asyncio.timeout(start + self._receive_seconds - time.perf_counter()):
                return await receive()
        except TimeoutError as error:
            message = f"the request did not arrive within {self._receive_seconds:g} s"
            raise ServingError(Code.DEADLINE_EXCEEDED, message, http_status=408) from error

    def _check_sender(self, path: str, method: str, headers: dict[bytes, bytes]) -> None:
        if not path.startswith(_GUARDED) or method == "OPTIONS":
            return
        # A form needs no CORS to be sent: any page that is open in the browser could put the server to work.
        if not self._allow_cross_origin and headers.get(b"sec-fetch-site") == b"cross-site":
            raise ServingError(Code.PERMISSION_DENIED, "pages of other hosts may not use this server")
        if self._bearer_token is None:
            return
        authorization = headers.get(b"authorization", b"")
        if not hmac.compare_digest(authorization, b"Bearer " + self._bearer_token.encode()):
            raise ServingError(Code.UNAUTHENTICATED, "a valid bearer token is needed")

    def _make_headers(self, path: str) -> list[tuple[bytes, bytes]]:
        csp = _CSP.format(style=" 'unsafe-inline'" if path.startswith("/docs") else "")
        headers = [*_HEADERS, (b"content-security-policy", csp.encode())]
        if self._allow_cross_origin and path.startswith(_GUARDED):
            headers = [h for h in headers if h[0] != b"cross-origin-resource-policy"]
        return headers


async def _discard(receive: Receive, has_body: bool) -> None:
    """Takes the rest of a body, within bounds: a client that is still sending would find a reset, not the answer."""
    num_bytes = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while not has_body and num_bytes < _DISCARD_BYTES:
                message = await receive()
                num_bytes += len(message.get("body", b""))
                has_body = not message.get("more_body", False)


async def _answer(send: Send, error: ServingError) -> None:
    body = json.dumps({"error": str(error)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.code is Code.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.http_status in (408, 413):
        headers.append((b"connection", b"close"))  # nobody will read the rest
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
