"""The page without a server: the shipped model in the browser, beside the SavedModel in Python."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from colorization.inference.colorizer import Colorizer
from colorization.inference.hints import Hint
from tests.web.page_driver import make_photo
from tests.web.site_server import SiteServer

EXAMPLES = Path(__file__).parents[2] / "examples"
MIN_PSNR = 40.0  # dB between the browser's result and the SavedModel's
MAX_MEAN_DIFFERENCE = 1.0  # levels of 255


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.load()


def read_example(name: str, width: int) -> tuple[bytes, np.ndarray]:
    """An example photo, smaller: a PNG, and its pixels (H, W, 3)."""
    image = Image.open(EXAMPLES / name).convert("RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), np.asarray(image)


def assert_close(
    result: np.ndarray, expected: np.ndarray, min_psnr: float = MIN_PSNR, max_mean: float = MAX_MEAN_DIFFERENCE
) -> None:
    assert result.shape == expected.shape
    difference = np.abs(result.astype(np.float64) - expected)
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > min_psnr
    assert difference.mean() < max_mean


def cut_network(studio, server: SiteServer) -> None:
    studio.page.context.set_offline(True)
    server.stop()


def test_photos_are_coloured_without_a_network_as_the_saved_model_does(open_site, colorizer):
    studio, server = open_site()
    studio.drop_photo()  # the model has come
    cut_network(studio, server)
    photo, rgb = read_example("coffee.png", 360)
    studio.drop(("coffee.png", "image/png", photo))
    expect(studio.page.locator("#status")).to_contain_text("2 of 2 photos done", timeout=studio.timeout_ms)
    result = studio.read_pixels()
    assert_close(result, colorizer.colorize(rgb))
    assert np.ptp(result.astype(int), axis=-1).mean() > 10  # in colour

    studio.page.locator("#versions input[value='2']").check(force=True)
    studio.set_slider("#saturation", 1.5)
    studio.page.get_by_role("button", name="Denim").click()
    studio.click_photo(0.25, 0.25)
    studio.wait_until_ready()
    hint = Hint(x=90, y=rgb.shape[0] // 4, color=(0x46, 0x64, 0x8F), radius=4)
    z = colorizer.draw_z(2, 0)[1]
    assert_close(studio.read_pixels(), colorizer.colorize(rgb, z=z, saturation=1.5, hints=[hint]), min_psnr=38)
    expect(studio.page.locator("#reference-section")).to_be_hidden()
    assert {method for method, _ in server.requests} == {"GET"}


def test_page_opens_without_a_network_once_it_was_there(open_site, colorizer):
    studio, server = open_site()
    studio.drop_photo()
    cut_network(studio, server)
    studio.page.reload()
    expect(studio.page.locator("#choose")).to_be_visible()
    photo, rgb = read_example("dog.jpg", 200)
    studio.drop(("dog.png", "image/png", photo))
    studio.wait_until_ready()
    assert_close(studio.read_pixels(), colorizer.colorize(rgb))


def test_page_and_worker_can_send_nothing_to_other_hosts(loaded_site, site_dir):
    elsewhere = SiteServer(site_dir)
    send = "url => fetch(url, {method: 'POST', body: 'photo', mode: 'no-cors'}).then(() => 'sent', () => 'refused')"
    (worker,) = loaded_site.page.workers
    assert worker.evaluate(send, elsewhere.url) == "refused"
    assert elsewhere.requests == []
    assert worker.evaluate(send, loaded_site.page.url) == "sent"  # its own host has the files, and could be asked
    elsewhere.stop()


def test_exif_orientation_is_applied_once(loaded_site, colorizer):
    _, rgb = read_example("castle_clinton_1961.jpg", 240)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", exif=exif, quality=95, subsampling=0)
    studio = loaded_site
    studio.drop(("lying.jpg", "image/jpeg", out.getvalue()))
    studio.wait_until_ready()
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "lying.jpg"
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue()))))
    with Image.open(download.value.path()) as saved:
        assert saved.format == "JPEG" and saved.size == (rgb.shape[0], 240)
        # The result is compressed once more.
        assert_close(np.asarray(saved), colorizer.colorize(upright), min_psnr=36, max_mean=2.5)


def test_a_large_photo_goes_through_in_strips_and_keeps_its_transparency(loaded_site, colorizer):
    rows, columns = np.mgrid[:1000, :1300]
    levels = (128 + 100 * np.sin(rows / 90) * np.cos(columns / 130)).astype(np.uint8)
    alpha = np.where(rows < 500, 255, 0).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.stack([levels, levels, levels, alpha], axis=-1)).save(out, "PNG", compress_level=1)
    studio = loaded_site
    studio.drop(("layer.png", "image/png", out.getvalue()))
    studio.wait_until_ready()
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Download", exact=True).click()
    with Image.open(download.value.path()) as saved:
        result = np.asarray(saved)
    np.testing.assert_array_equal(result[..., 3], alpha)
    # What was transparent is black for the browser, so only what the two see alike is compared.
    seen = np.where(alpha[..., np.newaxis] > 0, np.stack([levels] * 3, axis=-1), 0).astype(np.uint8)
    assert_close(result[:500, :, :3], colorizer.colorize(seen)[:500])


def test_what_the_browser_cannot_do_is_said_in_a_line(open_site):
    studio, _ = open_site()
    studio.drop(("letter.jpg", "image/jpeg", b"Dear Sir"))
    expect(studio.page.get_by_role("alert")).to_have_text(
        "letter.jpg: This browser cannot open the file; it is damaged, or of a kind that it does not know.",
        timeout=studio.timeout_ms,
    )
    out = io.BytesIO()
    Image.new("1", (7100, 7100)).save(out, "PNG")
    studio.drop(("map.png", "image/png", out.getvalue()))
    expect(studio.page.get_by_role("alert")).to_have_text(
        "The photo has 50.4 megapixels; this page takes up to 50.", timeout=studio.timeout_ms
    )
    studio.drop(("good.png", "image/png", make_photo()))
    expect(studio.page.get_by_role("button", name="good.png, ready", exact=True)).to_be_visible()


def test_a_model_that_does_not_come_is_asked_for_again(open_site):
    studio, server = open_site(refused=["model.json"])
    studio.drop(("photo.png", "image/png", make_photo()))
    expect(studio.page.locator("#status")).to_contain_text("The model could not be loaded. Trying again in")
    server.refused.clear()
    studio.wait_until_ready()


def test_the_status_tells_how_much_of_the_model_has_come(open_site, site_dir):
    studio, server = open_site(halting="colorizer.tflite")
    studio.drop(("photo.png", "image/png", make_photo()))
    megabytes = (site_dir / "model" / "colorizer.tflite").stat().st_size / 1e6
    expect(studio.page.locator("#status")).to_have_text(
        f"Loading the model: {megabytes / 2:.1f} of {megabytes:.1f} MB…", timeout=studio.timeout_ms
    )
    server.go_on.set()
    studio.wait_until_ready()


def test_threads_where_the_host_allows_them(open_site, colorizer):
    studio, server = open_site(isolated=True)
    assert studio.page.evaluate("crossOriginIsolated") is True
    photo, rgb = read_example("dog.jpg", 200)
    studio.drop(("dog.png", "image/png", photo))
    studio.wait_until_ready()
    assert_close(studio.read_pixels(), colorizer.colorize(rgb))
    assert ("GET", "/name/runtime/litert_wasm_threaded_internal.wasm") in server.requests
