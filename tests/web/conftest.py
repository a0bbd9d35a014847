"""The page in a real Chromium, served by a stub; every test also fails on console errors and on foreign requests."""

import urllib.parse

import pytest
from playwright import sync_api

from tests.web.page_driver import PageDriver, launch_chromium
from tests.web.stub_server import StubServer

TIMEOUT_MS = 10_000


@pytest.fixture(scope="session")
def browser():
    with sync_api.sync_playwright() as playwright:
        sync_api.expect.set_options(timeout=TIMEOUT_MS)
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture
def stub():
    server = StubServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_page(browser, stub):
    """Opens the page with any options of a browser context, and watches what it does."""
    contexts, complaints = [], []

    def note_console(message):
        # A request that the stub was told to refuse is no fault of the page.
        refused = urllib.parse.urlsplit(message.location["url"]).path in ("/colorize", "/info")
        if message.type in ("error", "warning") and not (refused and "Failed to load" in message.text):
            complaints.append(f"console: {message.text}")

    def note_request(request):
        if not request.url.startswith((stub.url, "blob:", "data:")):
            complaints.append(f"foreign request: {request.url}")

    def open_with(**options) -> PageDriver:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note_console)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("request", note_request)
        page.goto(stub.url)
        return PageDriver(page)

    yield open_with
    for context in contexts:
        context.close()
    assert not complaints  # CSP violations are console errors


@pytest.fixture
def studio(open_page) -> PageDriver:
    """The page on a desktop."""
    return open_page()
