"""What goes wrong is said kindly, and nothing is lost."""

import io
import time

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.web.page_driver import make_photo
from tests.web.stub_server import tint


def test_bad_file_is_named_and_the_others_are_done(studio):
    studio.drop(("letter.jpg", "image/jpeg", b"Dear Sir"), ("good.png", "image/png", make_photo()))
    expect(studio.page.get_by_role("alert")).to_have_text("letter.jpg: This is not a photo that can be read.")
    expect(studio.page.get_by_role("button", name="Try again")).to_be_hidden()
    expect(studio.page.get_by_role("button", name="letter.jpg, failed")).to_be_visible()
    expect(studio.page.get_by_role("button", name="good.png, ready", exact=True)).to_be_visible()
    studio.page.get_by_role("button", name="Remove this photo").click()
    studio.page.get_by_role("button", name="Put it back").wait_for()
    expect(studio.page.locator("#before")).to_have_attribute("alt", "good.png, before")


def test_too_large_photos_are_refused_before_the_upload(open_page, stub):
    stub.info |= {"max_pixels": 1000}
    studio = open_page()
    studio.drop(("large.png", "image/png", make_photo()))
    expect(studio.page.get_by_role("alert")).to_have_text(
        "The photo has 0.0096 megapixels; this server takes up to 0.001."
    )
    assert not stub.received


def test_tiff_cannot_be_shown_but_downloaded(studio, stub):
    out = io.BytesIO()
    Image.open(io.BytesIO(make_photo())).save(out, "TIFF")
    studio.drop(("scan.tif", "image/tiff", out.getvalue()))
    expect(studio.page.get_by_role("alert")).to_contain_text("scan.tif is in colour. This browser cannot show")
    expect(studio.page.locator("#hint-section")).to_be_hidden()
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Download", exact=True).click()
    with open(download.value.path(), "rb") as file:
        assert file.read() == stub.received[-1].answer


def test_busy_server_is_asked_again(studio, stub):
    stub.refusals = [(503, {"Retry-After": "1"}), (429, {"Retry-After": "1"})]
    started = time.monotonic()
    studio.drop(("photo.png", "image/png", make_photo()))
    expect(studio.page.locator("#status")).to_have_text("The server is restarting. Trying again in 1 s.")
    studio.wait_until_ready()
    assert time.monotonic() - started > 1.9
    expect(studio.page.locator("#status-action")).to_be_hidden()


def test_user_need_not_wait_for_the_next_try(studio, stub):
    stub.refusals = [(503, {"Retry-After": "25"})]
    studio.drop(("photo.png", "image/png", make_photo()))
    studio.page.get_by_role("button", name="Try now").click()
    studio.wait_until_ready()


def test_file_that_has_gone_is_not_taken_for_a_server_that_has_gone(studio, tmp_path):
    path = tmp_path / "usb_stick.png"
    path.write_bytes(make_photo())
    studio.page.locator("#files").set_input_files(path)
    studio.wait_until_ready()
    path.unlink()
    studio.set_slider("#saturation", 1.5)
    expect(studio.page.get_by_role("alert")).to_contain_text("The file can no longer be read.")
    studio.drop_photo("other.png")
    studio.page.get_by_role("button", name="usb_stick.png").first.click()
    studio.page.keyboard.press("Control+z")
    studio.wait_until_ready()  # what was there once is there still


def test_failure_of_one_photo_can_be_tried_again(studio, stub):
    stub.refusals = [(500, {})]
    studio.drop(("photo.png", "image/png", make_photo()))
    expect(studio.page.get_by_role("alert")).to_have_text("The server is restarting.")
    studio.page.locator("#notice").get_by_role("button", name="Try again").click()
    studio.wait_until_ready()


def test_nothing_is_lost_when_the_server_restarts(studio, stub):
    rgb = studio.drop_photo()
    studio.click_photo(0.75, 0.5)
    studio.wait_until_ready()
    stub.stop()
    studio.set_slider("#saturation", 1.5)
    studio.click_photo(0.9, 0.9)
    expect(studio.page.locator("#status")).to_contain_text("The server does not answer.")
    expect(studio.page.locator(".marker")).to_have_count(2)

    stub.info["model_version"] = 8
    stub.start()
    studio.wait_until_ready()
    expect(studio.page.locator("#about")).to_contain_text("version 8")
    result = studio.read_pixels()
    assert tuple(result[40, 90]) == tuple(result[72, 108]) == (0x8F, 0xB7, 0xDD)
    np.testing.assert_array_equal(result[:, :60], tint(rgb, saturation=1.5)[:, :60])


def test_page_that_came_before_the_model_offers_all_once_it_is_there(open_page, stub):
    abilities = {name: stub.info[name] for name in ("model_version", "takes_hints", "takes_reference")}
    stub.info |= {"model_version": None, "takes_hints": False, "takes_reference": False}
    studio = open_page()
    expect(studio.page.locator("#about")).to_contain_text("Model: stub. ")
    stub.info |= abilities
    studio.drop_photo()
    expect(studio.page.locator("#about")).to_contain_text("version 7")
    for section in ("#hint-section", "#reference-section"):
        expect(studio.page.locator(section)).to_be_visible()


def test_edits_abort_the_request_that_they_outdate(studio, stub):
    rgb = studio.drop_photo()
    expect(studio.page.locator(".version.stale")).to_have_count(0)
    failed = []
    studio.page.on("requestfailed", lambda request: failed.append(request.url))
    stub.delays = [30]
    with studio.page.expect_request("**/colorize"):
        studio.set_slider("#saturation", 0.5)
    studio.set_slider("#saturation", 1.5)
    studio.wait_until_ready()
    assert failed == [f"{stub.url}/colorize"]
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb, saturation=1.5))


def test_download_waits_for_full_size(studio, stub):
    studio.drop_photo(width=1600, height=400)
    stub.delay_seconds = 0.3
    studio.set_slider("#saturation", 1.5)
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Download", exact=True).click()
    with Image.open(download.value.path()) as saved:
        assert saved.size == (1600, 400)
        r, _, b = saved.getpixel((800, 200))
    assert r - b == 120


def test_token_is_asked_for_and_kept_for_the_tab(open_page, stub):
    stub.token = "open sesame"
    studio = open_page()
    for token in ("wrong", "open sesame"):
        studio.page.locator("#token").fill(token)
        studio.page.get_by_role("button", name="Continue").click()
        if token == "wrong":
            studio.drop(("photo.png", "image/png", make_photo()))
            expect(studio.page.locator("#token-label")).to_have_text("The server did not accept that token.")
    studio.wait_until_ready()
    assert stub.received[-1].authorization == "Bearer open sesame"
    studio.page.reload()
    expect(studio.page.locator("#about")).to_contain_text("stub")
    expect(studio.page.locator("#token-dialog")).to_be_hidden()
