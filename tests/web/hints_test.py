"""Colour hints: placed, coloured, dragged, taken back, by pointer and by keyboard."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.web.stub_server import tint

SKY = (0x8F, 0xB7, 0xDD)
BRICK = (0xB0, 0x56, 0x3F)


def test_hint_changes_the_colour_there_and_undo_takes_it_back(studio, stub):
    rgb = studio.drop_photo()
    studio.page.get_by_role("button", name="Brick").click()
    studio.click_photo(0.75, 0.5)
    expect(studio.page.locator(".marker")).to_have_count(1)
    studio.wait_until_ready()

    assert stub.received[-1].hints == [{"x": 90, "y": 40, "color": "#b0563f", "radius": 2}]
    result = studio.read_pixels()
    assert tuple(result[40, 90]) == BRICK
    np.testing.assert_array_equal(result[:, :60], tint(rgb)[:, :60])
    seen = studio.shoot()
    height, width = seen.shape[:2]
    assert tuple(seen[height // 2, round(width * 0.75)]) == pytest.approx(BRICK, abs=2)

    studio.page.get_by_role("button", name="Denim").click()  # for the next hint, not for this one
    studio.page.keyboard.press("Control+z")
    expect(studio.page.locator(".marker")).to_have_count(0)
    studio.wait_until_ready()
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb))
    studio.page.get_by_role("button", name="Redo").click()
    expect(studio.page.locator(".marker")).to_have_count(1)


def test_hint_is_dragged_in_one_step(studio, stub):
    studio.drop_photo()
    studio.click_photo(0.75, 0.5)
    studio.wait_until_ready()
    studio.drag(studio.point(0.75, 0.5), studio.point(0.6, 0.25))
    expect(studio.page.locator("#hints .place")).to_have_text("60 % across, 25 % down")
    studio.wait_until_ready()
    (hint,) = stub.received[-1].hints
    assert (hint["x"], hint["y"]) == (72, 20)
    assert tuple(studio.read_pixels()[20, 72]) == SKY

    studio.page.get_by_role("button", name="Undo").click()
    expect(studio.page.locator("#hints .place")).to_have_text("75 % across, 50 % down")


def test_hints_scale_with_the_preview(studio, stub):
    studio.drop_photo(width=1536, height=400)
    studio.click_photo(0.75, 0.5)
    expect(studio.page.locator("#status")).to_contain_text("full size")
    studio.wait_until_ready()
    preview, full = [[r for r in stub.received if r.hints and r.size == size][-1] for size in ((768, 200), (1536, 400))]
    (hint,) = full.hints
    assert (hint["x"], hint["y"]) == pytest.approx((1152, 200), abs=2)  # a pixel of the screen is 1.7 of the photo
    assert hint["radius"] == 18
    assert preview.hints == [{**hint, "x": hint["x"] / 2, "y": hint["y"] / 2, "radius": 9}]


def test_hints_count_pixels_of_the_upright_photo(studio, stub):
    photo = Image.fromarray(np.full((80, 120, 3), 90, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: 120 x 80 is to be seen as 80 x 120
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    studio.drop(("upright.jpg", "image/jpeg", out.getvalue()))
    studio.wait_until_ready()
    studio.click_photo(0.75, 0.25)
    studio.wait_until_ready()
    (hint,) = stub.received[-1].hints
    assert (hint["x"], hint["y"]) == (60, 30)
    assert stub.received[-1].photo == out.getvalue()  # the file itself, with its EXIF


def test_hints_by_keyboard_alone(studio, stub):
    studio.drop_photo()
    page = studio.page
    page.get_by_role("button", name="Foliage").focus()
    page.keyboard.press("Enter")
    page.locator("#add-hint").focus()
    page.keyboard.press("Enter")
    marker = page.locator(".marker")
    expect(marker).to_be_focused()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(marker).to_have_attribute(
        "aria-label", "Hint 1, 55 % across, 49 % down. Arrow keys move it, Delete removes it."
    )
    expect(page.locator("#announcer")).to_have_text("55 % across, 49 % down")
    studio.wait_until_ready()
    assert (stub.received[-1].hints[0]["x"], stub.received[-1].hints[0]["color"]) == (66, "#6f8f4e")

    page.get_by_label("Colour of hint 1").fill("#c0677f")
    studio.wait_until_ready()
    assert stub.received[-1].hints[0]["color"] == "#c0677f"

    page.locator("#hints .place").focus()
    page.keyboard.press("Delete")
    expect(marker).to_have_count(0)
    expect(page.locator("#add-hint")).to_be_focused()


def test_model_without_hints_and_versions_offers_none(open_page, stub):
    stub.info |= {"takes_hints": False, "takes_reference": False, "max_samples": 1}
    studio = open_page()
    rgb = studio.drop_photo()
    for section in ("#hint-section", "#version-section", "#reference-section"):
        expect(studio.page.locator(section)).to_be_hidden()
    studio.click_photo(0.75, 0.5)
    expect(studio.page.locator(".marker")).to_have_count(0)
    np.testing.assert_array_equal(studio.read_pixels(), tint(rgb))
