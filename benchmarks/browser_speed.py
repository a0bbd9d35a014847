"""Time of the page without a server in Chromium: a first visit, and photos from 256 px to 48 megapixels.

    python -m colorization.bundle --output_dir=out/site
    python -m benchmarks.browser_speed --site_dir=out/site

A photo's time is that of the page's backend: decoding, the network, joining at full size and encoding as JPEG. Every
number is a median over --num_repeats runs; the first run of each size, which compiles, is told apart.
"""

import base64
import io
import statistics
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image
from playwright import sync_api

from tests.web.page_driver import PageDriver, launch_chromium, make_photo
from tests.web.site_server import SiteServer

_SITE_DIR = flags.DEFINE_string("site_dir", None, "Folder that `python -m colorization.bundle` wrote.", required=True)
_NUM_REPEATS = flags.DEFINE_integer("num_repeats", 5, "Runs of each case, after the first.", 1)
_THREADS = flags.DEFINE_bool("threads", False, "Serve it with the headers that allow threads.")
_SIZES = flags.DEFINE_multi_string(
    "size", ["256x256", "1024x768", "4000x3000", "6000x4000", "8000x6000"], "Photos' width and height, in pixels."
)
_TIMEOUT_MS = 300_000

_SETUP = """async () => {
  const { Backend } = await import(new URL("backend.js", location.href).href);
  window.backend = new Backend();
  await window.backend.describe();
}"""
_COLORIZE = """async ([text, count]) => {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const photo = new Blob([bytes], { type: "image/jpeg" });
  const request = { photo, name: "photo.jpg", saturation: 1, version: 0, hints: [] };
  const times = [];
  for (let run = 0; run <= count; run++) {
    const start = performance.now();
    await window.backend.colorize(request);
    times.push(performance.now() - start);
  }
  return times;
}"""
_VISIT = "performance.now()"  # milliseconds since the visit began


def draw_photo(width: int, height: int) -> bytes:
    """A grey JPEG with structure at several scales."""
    rng = np.random.default_rng(0)
    scales = [
        Image.fromarray(rng.integers(0, 256, (2**k, 2**k), np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
        for k in (2, 4, 6)
    ]
    mean = np.mean([np.asarray(scale, np.float32) for scale in scales], axis=0)
    out = io.BytesIO()
    Image.fromarray(mean.astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def measure_visit(browser: sync_api.Browser, url: str) -> float:
    """Seconds from a first visit, with nothing in the cache, to the colours of a photo of 120 px."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    driver = PageDriver(page, timeout_ms=_TIMEOUT_MS)
    driver.drop(("photo.png", "image/png", make_photo()))
    driver.wait_until_ready()
    milliseconds = page.evaluate(_VISIT)
    context.close()
    return milliseconds / 1000


def measure_photos(
    browser: sync_api.Browser, url: str, sizes: list[tuple[int, int]]
) -> dict[tuple[int, int], list[float]]:
    """Milliseconds of each run, by width and height."""
    page = browser.new_page()
    page.set_default_timeout(_TIMEOUT_MS)
    page.goto(url)
    page.evaluate(_SETUP)
    times = {
        size: page.evaluate(_COLORIZE, [base64.b64encode(draw_photo(*size)).decode(), _NUM_REPEATS.value])
        for size in sizes
    }
    page.close()
    return times


def main(argv: list[str]) -> None:
    """Prints the table."""
    sizes = [tuple(int(side) for side in size.split("x")) for size in _SIZES.value]
    server = SiteServer(Path(_SITE_DIR.value), isolated=_THREADS.value)
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        visits = [measure_visit(browser, server.url) for _ in range(_NUM_REPEATS.value)]
        print(f"Chromium {browser.version}, threads: {'yes' if _THREADS.value else 'no'}")
        print(f"first visit to the colours of a small photo: {statistics.median(visits):.1f} s (network: this machine)")
        for (width, height), (first, *others) in measure_photos(browser, server.url, sizes).items():
            print(f"{width} x {height}: {statistics.median(others):.0f} ms, the first {first:.0f} ms")
        browser.close()
    server.stop()


if __name__ == "__main__":
    app.run(main)
