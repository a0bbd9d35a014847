"""The page in a real Chromium, served by a stub or with no server behind it.

Every test also fails on console errors and on foreign requests.
"""

import contextlib
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright import sync_api

from tests.web.page_driver import PageDriver, launch_chromium
from tests.web.site_server import SiteServer
from tests.web.stub_server import StubServer

ROOT = Path(__file__).parents[2]
TIMEOUT_MS = 10_000
SITE_TIMEOUT_MS = 60_000  # the model itself, on a slow machine


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


def watch(page: sync_api.Page, url: str, complaints: list[str]) -> None:
    """Adds to `complaints` what a page must not do: complain on the console, throw, or ask other hosts than `url`'s."""

    def note_console(message):
        # A request that the server was told to refuse is no fault of the page.
        refused = urllib.parse.urlsplit(message.location["url"]).path.endswith(("/colorize", "/info", "/model.json"))
        if message.type in ("error", "warning") and not (refused and "Failed to load" in message.text):
            complaints.append(f"console: {message.text}")

    def note_request(request):
        if not request.url.startswith((url, f"blob:{urllib.parse.urljoin(url, '/')}", "data:")):
            complaints.append(f"foreign request: {request.url}")

    page.on("console", note_console)
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on("request", note_request)


@pytest.fixture
def open_page(contexts, stub):
    """Opens the page with any options of a browser context, and watches what it does."""
    pages, complaints = [], []

    def open_with(**options) -> PageDriver:
        page = contexts(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        pages.append(page)
        watch(page, stub.url, complaints)
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


@pytest.fixture(scope="session")
def site_dir(tmp_path_factory):
    """What `python -m colorization.bundle` makes of the shipped model."""
    output_dir = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "colorization.bundle", f"--output_dir={output_dir}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output_dir


@contextlib.contextmanager
def site_opener(browser: sync_api.Browser, site_dir: Path) -> Iterator[Callable[..., tuple[PageDriver, SiteServer]]]:
    """Gives a function that opens the page of a new site, with an empty cache; its arguments are SiteServer's."""
    servers, contexts, complaints = [], [], []

    def open_with(**options) -> tuple[PageDriver, SiteServer]:
        servers.append(SiteServer(site_dir, **options))
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        contexts[-1].set_default_timeout(SITE_TIMEOUT_MS)
        page = contexts[-1].new_page()
        watch(page, servers[-1].url, complaints)
        page.goto(servers[-1].url)
        return PageDriver(page, timeout_ms=SITE_TIMEOUT_MS), servers[-1]

    yield open_with
    for context in contexts:
        context.close()
    for server in servers:
        server.stop()
    assert not complaints


@pytest.fixture
def open_site(browser, site_dir):
    with site_opener(browser, site_dir) as open_with:
        yield open_with


@pytest.fixture(scope="module")
def loaded_site(browser, site_dir):
    """The page of a site, with its model loaded, for tests that need no page of their own."""
    with site_opener(browser, site_dir) as open_with:
        studio, _ = open_with()
        studio.drop_photo()
        yield studio
