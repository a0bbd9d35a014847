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


@pytest.fixture(scope="session")
def contexts(browser):
    """Browser contexts by their options; a page finds the cache of the pages before it, which spares half a second."""
    contexts = {}

    def get_context(**options) -> sync_api.BrowserContext:
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = browser.new_context(**options)
            contexts[key].set_default_timeout(TIMEOUT_MS)
        return contexts[key]

    return get_context


@pytest.fixture(scope="session")
def port():
    return StubServer.find_free_port()


@pytest.fixture
def stub(port):
    server = StubServer(port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_page(contexts, stub):
    """Opens the page with any options of a browser context, and watches what it does."""
    pages, complaints = [], []

    def note_console(message):
        # A request that the stub was told to refuse is no fault of the page.
        refused = urllib.parse.urlsplit(message.location["url"]).path in ("/colorize", "/info")
        if message.type in ("error", "warning") and not (refused and "Failed to load" in message.text):
            complaints.append(f"console: {message.text}")

    def note_request(request):
        if not request.url.startswith((stub.url, "blob:", "data:")):
            complaints.append(f"foreign request: {request.url}")

    def open_with(**options) -> PageDriver:
        page = contexts(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        pages.append(page)
        page.on("console", note_console)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("request", note_request)
        page.goto(stub.url)
        return PageDriver(page)

    yield open_with
    for page in pages:
        page.close()
    assert not complaints  # CSP violations are console errors


@pytest.fixture
def studio(open_page) -> PageDriver:
    """The page on a desktop."""
    return open_page()
