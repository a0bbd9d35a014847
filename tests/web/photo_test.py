"""A photo comes in, gets its colours, is compared and saved."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.web.page_driver import make_photo
from tests.web.stub_server import tint


def test_dropped_photo_shows_the_servers_pixels(studio, stub):
    rgb = studio.drop_photo()
    np.testing.assert_array_equal(studio.read_pixels("#before"), rgb)
    np.testing.assert_array_equal(studio.read_pixels("#after"), tint(rgb))
    expect(studio.page.locator("#status-announcer")).to_have_text("photo.png is ready.")
    expect(studio.page.locator("#about")).to_contain_text("stub, version 7")


def test_divider_moves_with_pointer_and_keys(studio):
    studio.drop_photo(width=300, height=200)

    def share_of_colour() -> float:
        row = studio.shoot()[20].astype(int)  # near the upper border, where nothing lies over the photo
        return float(np.mean(row[:, 0] - row[:, 2] > 20))

    assert share_of_colour() == pytest.approx(0.5, abs=0.02)
    studio.drag(studio.point(0.5, 0.5), studio.point(0.2, 0.5))
    assert share_of_colour() == pytest.approx(0.8, abs=0.02)
    compare = studio.page.locator("#compare")
    compare.press("End")
    assert share_of_colour() == pytest.approx(0, abs=0.02)
    compare.press("Home")
    assert share_of_colour() == pytest.approx(1, abs=0.02)
    compare.press("ArrowRight")
    assert compare.get_attribute("aria-valuetext") == "1 % before, 99 % after"
    assert studio.page.locator(".marker").count() == 0  # none of this placed a hint


def test_large_photo_is_previewed_small_and_saved_at_full_size(studio, stub):
    rgb = studio.drop_photo("wide.png", width=1600, height=400)
    assert [received.size for received in stub.received[:2]] == [(768, 192), (1600, 400)]
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb))

    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "wide_colour.png"
    with open(download.value.path(), "rb") as file:
        assert file.read() == stub.full_size_requests((1600, 400))[-1].answer


def test_photos_can_be_picked_and_pasted(studio, stub):
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files([{"name": "picked.png", "mimeType": "image/png", "buffer": make_photo()}])
    studio.wait_until_ready()
    studio.paste(("pasted.png", "image/png", make_photo(level=160)))
    expect(studio.page.locator("#status")).to_contain_text("2 of 2 photos done")
    assert {received.photo_name for received in stub.received} == {"picked.png", "pasted.png"}
    assert studio.read_pixels("#before").mean() == pytest.approx(160, abs=1)  # the newest lies in front


def test_many_photos_are_done_one_by_one_and_saved_together(studio, stub):
    studio.drop(*((f"{i}.png", "image/png", make_photo(level=60 + 40 * i)) for i in range(3)))
    expect(studio.page.locator("#status")).to_contain_text("3 of 3 photos done")
    strip = studio.page.locator("#strip")
    expect(strip.get_by_role("button", name="2.png, ready", exact=True)).to_be_visible()

    downloads = []
    studio.page.on("download", lambda download: downloads.append(download))
    studio.page.get_by_role("button", name="Download all").click()
    for _ in range(200):  # the page pauses between two, and the button is not at once disabled
        if len(downloads) == 3:
            break
        studio.page.wait_for_timeout(50)
    expect(studio.page.get_by_role("button", name="Download all")).to_have_attribute("aria-disabled", "false")
    assert [download.suggested_filename for download in downloads] == [f"{i}_colour.png" for i in range(3)]

    strip.get_by_role("button", name="1.png, ready", exact=True).click()
    expect(studio.page.locator("#before")).to_have_attribute("alt", "1.png, before")
    strip.get_by_role("button", name="Remove 1.png").click()
    expect(strip.locator("li")).to_have_count(2)
    studio.page.get_by_role("button", name="Put it back").click()
    expect(strip.locator("li")).to_have_count(3)


def test_each_version_has_a_thumbnail_and_can_be_chosen(studio, stub):
    rgb = studio.drop_photo()
    thumbnails = studio.page.locator(".version img")
    expect(thumbnails).to_have_count(4)
    expect(studio.page.locator(".version.stale")).to_have_count(0)
    greens = [studio.read_pixels(f".version:nth-child({i}) img")[40, 60, 1] for i in range(1, 5)]
    np.testing.assert_allclose(np.diff(np.array(greens, int)), 20, atol=3)

    studio.page.get_by_text("Version 2", exact=True).click()
    studio.wait_until_ready()
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb, version=2))
    chosen = {name: stub.received[-1].form[name] for name in ("num_samples", "sample", "seed")}
    assert chosen == {"num_samples": "2", "sample": "2", "seed": "0"}

    studio.page.get_by_role("button", name="More versions").click()
    expect(thumbnails).to_have_count(8)
    studio.page.get_by_role("button", name="Undo").click()
    studio.wait_until_ready()
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb))


def test_saturation_is_the_servers_and_one_drag_is_one_undo_step(studio, stub):
    rgb = studio.drop_photo()
    left = studio.page.locator("#saturation").bounding_box()
    y = left["y"] + left["height"] / 2
    studio.drag((left["x"] + left["width"] / 2, y), (left["x"] + left["width"] - 2, y))
    expect(studio.page.locator("#saturation-value")).to_have_text("200 %")
    studio.wait_until_ready()
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb, saturation=2))
    assert studio.page.locator("#after").evaluate("image => image.style.filter") == ""

    studio.page.keyboard.press("Control+z")
    expect(studio.page.locator("#saturation-value")).to_have_text("100 %")
    expect(studio.page.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    studio.page.keyboard.press("Control+Shift+z")
    expect(studio.page.locator("#saturation-value")).to_have_text("200 %")


def test_reference_photo_is_sent_and_rules_out_versions(studio, stub):
    rgb = studio.drop_photo()
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Choose one").click()
    reference = make_photo(level=120)
    chooser.value.set_files([{"name": "evening.png", "mimeType": "image/png", "buffer": reference}])
    expect(studio.page.locator("#reference-image")).to_have_attribute("alt", "Reference photo evening.png")
    studio.wait_until_ready()
    assert stub.received[-1].reference == reference
    assert "num_samples" not in stub.received[-1].form
    assert studio.read_pixels()[0, 0, 1] == pytest.approx(rgb[0, 0, 1] + 30, abs=1)
    expect(studio.page.locator("#versions")).to_be_hidden()

    studio.page.get_by_role("button", name="Remove", exact=True).click()
    expect(studio.page.locator("#versions")).to_be_visible()
    studio.wait_until_ready()
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb))
