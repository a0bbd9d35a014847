"""Takes the pictures of the page that the documentation shows, from a server that is running.

python -m tests.web.screenshots --url=http://127.0.0.1:8501 --photo=examples/horses.jpg --output_dir=docs/images
"""

import argparse
from pathlib import Path

from playwright import sync_api

from tests.web.page_driver import PageDriver, launch_chromium

SHOTS = {
    "page_desktop.jpg": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "page_dark.jpg": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "page_phone.jpg": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
TIMEOUT_MS = 120_000  # a real model on a slow machine


def take_screenshots(url: str, photos: list[Path], output_dir: Path, *, with_hint: bool = True) -> list[Path]:
    """Colours photos on the page and takes a picture of it on a desktop, in the dark and on a phone.

    Args:
      url: of a running server.
      photos: the first is the one in front.
      output_dir: created if need be.
      with_hint: whether a colour hint is placed on the photo.

    Returns:
      The files written.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    sync_api.expect.set_options(timeout=TIMEOUT_MS)
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        for name, options in SHOTS.items():
            page = browser.new_page(**options)
            page.goto(url)
            driver = PageDriver(page)
            page.locator("#files").set_input_files(photos)
            driver.wait_until_ready()
            if with_hint and page.locator("#palette").is_visible():
                driver.click_photo(0.72, 0.25)
            driver.wait_until_ready()
            sync_api.expect(page.locator(".version.stale")).to_have_count(0)
            page.mouse.move(0, 0)
            paths.append(output_dir / name)
            page.screenshot(path=paths[-1], type="jpeg", quality=88)
        browser.close()
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True, help="of the running server")
    parser.add_argument("--photo", required=True, type=Path, action="append", help="may be given several times")
    parser.add_argument("--output_dir", required=True, type=Path)
    parser.add_argument("--nohint", action="store_true", help="place no colour hint")
    args = parser.parse_args()
    for path in take_screenshots(args.url, args.photo, args.output_dir, with_hint=not args.nohint):
        print(path)


if __name__ == "__main__":
    main()
