"""The page on a phone, in the dark, and without a mouse."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.page_driver import make_photo

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
TEXTS = ["h1", "#status", "#hint-section .help", ".version span", "#saturation-value", "#about", "#add", "#download"]


def luminance(color: str) -> float:
    levels = [int(level) / 255 for level in re.findall(r"\d+", color)[:3]]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return sum(weight * level for weight, level in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_phone_shows_everything_without_scrolling_sideways(open_page):
    studio = open_page(**PHONE)
    assert studio.page.evaluate("document.documentElement.scrollWidth") == 390
    studio.drop(*((f"a rather long name of a photo {i}.png", "image/png", make_photo()) for i in range(6)))
    expect(studio.page.locator("#status")).to_contain_text("6 of 6")
    x, y = studio.point(0.75, 0.5)
    studio.page.touchscreen.tap(x, y)
    expect(studio.page.locator(".marker")).to_have_count(1)
    assert studio.page.evaluate("document.documentElement.scrollWidth") == 390

    studio.page.locator("#reference-section").scroll_into_view_if_needed()
    for part in ("#frame", "#download"):  # stay in sight
        expect(studio.page.locator(part)).to_be_in_viewport(ratio=1)


def test_finger_drags_hint_and_divider(open_page, stub):
    studio = open_page(**PHONE)
    studio.drop_photo(width=300, height=200)
    studio.page.touchscreen.tap(*studio.point(0.75, 0.5))
    studio.wait_until_ready()
    touch(studio, (0.75, 0.5), (0.85, 0.25))
    studio.wait_until_ready()
    (hint,) = stub.received[-1].hints
    assert (hint["x"], hint["y"]) == pytest.approx((255, 50), abs=2)
    touch(studio, (0.5, 0.5), (0.25, 0.5))
    assert float(studio.page.locator("#compare").input_value()) == pytest.approx(25, abs=1)


def touch(studio, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drags a finger between fractions of the photo's sides."""
    session = studio.page.context.new_cdp_session(studio.page)
    (x0, y0), (x1, y1) = studio.point(*start), studio.point(*end)
    path = [(x0 + (x1 - x0) * step / 5, y0 + (y1 - y0) * step / 5) for step in range(6)]
    for kind, points in [("touchStart", path[:1]), *(("touchMove", [point]) for point in path[1:]), ("touchEnd", [])]:
        touch_points = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touch_points})


def test_desktop_needs_no_scrolling(studio):
    studio.drop_photo()
    height = studio.page.evaluate("document.documentElement.scrollHeight")
    assert height == 900


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_text_is_aa(open_page, scheme):
    studio = open_page(color_scheme=scheme)
    studio.drop_photo()
    background = studio.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(background) < 0.05) == (scheme == "dark")
    levels = set(re.findall(r"\d+", background)[:3])
    assert len(levels) == 1  # neutral
    for selector in TEXTS:
        text, own = studio.page.locator(selector).first.evaluate(
            "node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]"
        )
        behind = background if own.endswith(", 0)") else own
        light, dark = sorted((luminance(text), luminance(behind)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def test_every_control_is_reached_by_tab_and_has_a_name(studio):
    page = studio.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose photos")).to_be_focused()
    studio.drop_photo()
    studio.click_photo(0.75, 0.5)
    studio.wait_until_ready()
    page.locator("#add").focus()
    names = ["add"]
    while names[-1] != "choose-reference":
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => { const node = document.activeElement;"
            " return [node.id || node.className, getComputedStyle(node).outlineStyle] }"
        )
        assert len(names) < 40
        assert outline == "solid" or name in ("compare", "own-color", "visually-hidden"), (
            name
        )  # these show it otherwise
        names.append(name)
    wanted = ["add", "compare", "marker selected", "undo", "download", "own-color", "place", "saturation"]
    assert [name for name in names if name in wanted] == wanted
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('button, input')].filter((node) => node.checkVisibility() &&"
        " !(node.textContent.trim() || node.getAttribute('aria-label') || node.labels?.length))"
        ".map((node) => node.outerHTML)"
    )
    assert unnamed == []


def test_comparison_and_choice_of_version_work_by_keyboard(studio, stub):
    studio.drop_photo()
    page = studio.page
    page.locator("#versions input:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#versions input[value='1']")).to_be_checked()
    studio.wait_until_ready()
    assert stub.received[-1].form["sample"] == "1"
    page.locator("#saturation").press("ArrowRight")
    expect(page.locator("#saturation")).to_have_attribute("aria-valuetext", "105 %")


def test_motion_is_reduced_on_request(open_page, stub):
    stub.delay_seconds = 1
    studio = open_page(reduced_motion="reduce")
    studio.drop(("photo.png", "image/png", make_photo()))
    expect(studio.page.locator("#busy")).to_be_visible()
    assert studio.page.locator("#busy").evaluate("node => getComputedStyle(node).animationName") == "none"
