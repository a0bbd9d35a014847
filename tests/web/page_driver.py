"""What tests do to the page, in the user's words."""

import base64
import io
import shutil

import numpy as np
from PIL import Image
from playwright import sync_api

_MAKE_TRANSFER = """files => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""
_READ_PIXELS = """async (image) => {
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


def launch_chromium(playwright: sync_api.Playwright) -> sync_api.Browser:
    """Starts the system's Chromium.

    Raises:
      RuntimeError: there is none.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("the tests of the page need Chromium on the PATH, for example: apt-get install chromium")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


def make_photo(width: int = 120, height: int = 80, level: int = 100) -> bytes:
    """A grey PNG, darker to the left."""
    row = np.linspace(level - 40, level + 40, width).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.tile(row, (height, 1))).save(out, "PNG")
    return out.getvalue()


class PageDriver:
    """The page in a browser.

    Attributes:
      page: Playwright's own page, for what has no word here.
      timeout_ms: how long to wait for the colours of a photo; None for Playwright's own limit.
    """

    def __init__(self, page: sync_api.Page, *, timeout_ms: float | None = None):
        self.page = page
        self.timeout_ms = timeout_ms

    def drop(self, *files: tuple[str, str, bytes]) -> None:
        """Drops files, each (name, MIME type, content), on the page."""
        self._send("drop", files)

    def paste(self, *files: tuple[str, str, bytes]) -> None:
        transfer = self._make_transfer(files)
        self.page.evaluate(
            "transfer => document.body.dispatchEvent("
            "new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true}))",
            transfer,
        )

    def drop_photo(self, name: str = "photo.png", **make_photo_options: int) -> np.ndarray:
        """Drops a grey photo and waits for its colours; returns its pixels, uint8 (H, W, 3)."""
        photo = make_photo(**make_photo_options)
        self.drop((name, "image/png", photo))
        self.wait_until_ready()
        return np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))

    def wait_until_ready(self) -> None:
        """Waits for the full size of whatever was asked for last."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        sync_api.expect(self.page.locator("#status")).to_contain_text("Ready", timeout=self.timeout_ms)

    def read_pixels(self, selector: str = "#after") -> np.ndarray:
        """The picture in an <img> at its own size: uint8 (H, W, 3)."""
        data = self.page.locator(selector).evaluate(_READ_PIXELS)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    def shoot(self, selector: str = "#frame") -> np.ndarray:
        """What is to be seen on the screen: uint8 (H, W, 3)."""
        shot = self.page.locator(selector).screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))

    def click_photo(self, x: float, y: float) -> None:
        """Clicks at fractions of the photo's sides."""
        self.page.mouse.click(*self.point(x, y))

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where on the screen these fractions of the photo's sides are."""
        box = self.page.locator("#surface").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags between points of the screen."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mouse.move(*end)
        mouse.up()

    def set_slider(self, selector: str, value: float) -> None:
        self.page.locator(selector).fill(str(value))

    def _send(self, kind: str, files: tuple) -> None:
        transfer = self._make_transfer(files)
        self.page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
        self.page.dispatch_event("body", kind, {"dataTransfer": transfer})

    def _make_transfer(self, files: tuple) -> sync_api.JSHandle:
        encoded = [[name, mime, base64.b64encode(content).decode()] for name, mime, content in files]
        return self.page.evaluate_handle(_MAKE_TRANSFER, encoded)
