import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorization.inference import hints
from colorization.inference.hints import Hint, HintError

ROOT = Path(__file__).parents[2]
RED_AB = np.array([80.09, 67.20]) / 110  # a*, b* of #ff0000
BLUE_AB = np.array([79.19, -107.86]) / 110


def write(tmp_path, content):
    """A file of hints; `content` is its text or bytes, or what JSON makes a text of."""
    path = tmp_path / "hints.json"
    if isinstance(content, list | dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def point(**changes):
    return {"x": 3, "y": 4.5, "color": "#b03a2e"} | changes


def test_a_list_and_an_object_with_points_are_read(tmp_path):
    points = [point(radius=12), point(y=0, color="#FFFFFF"), {"x": 1, "y": 2, "colour": "#0a0b0c"}]
    expected = [
        Hint(3, 4.5, (0xB0, 0x3A, 0x2E), 12),
        Hint(3, 0, (255, 255, 255), hints.DEFAULT_RADIUS),
        Hint(1, 2, (10, 11, 12)),
    ]
    assert hints.read_hints(write(tmp_path, points)) == expected
    assert hints.read_hints(write(tmp_path, {"points": points})) == expected
    assert hints.read_hints(write(tmp_path, "\ufeff" + json.dumps(points))) == expected
    assert hints.read_hints(write(tmp_path, [])) == []


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "not JSON: Expecting value"),
        ("[{]", "not JSON: "),
        ("\xff\xfe".encode("latin-1"), "not a text in UTF-8"),
        ("3", 'expected a list of points, or {"points": [...]}'),
        ({"points": {}}, "expected a list of points"),
        ({"points": [], "size": 3}, 'an object must have the one key "points"'),
        ({}, 'an object must have the one key "points"'),
        ('{"points": [], "points": []}', "an object must have the one key"),
        ([3], 'point 1: 3 is no object like {"x": 120,'),
        ([[3, 4, "#ffffff"]], "point 1: a list is no object"),
        ([point(), point(size=3)], "point 2: unknown key 'size'; the keys are x, y, color and radius"),
        ([point(), {"x": 1, "color": "#ffffff"}], "point 2: y is missing"),
        ('[{"x": 1, "x": 2}]', "point 1: x is given twice"),
        ([point(colour="#ffffff")], "point 1: color is given twice"),
        ([point(color="red")], "point 1: color is 'red'; it must be like #b03a2e"),
        ([point(color="#fff")], "point 1: color is '#fff'; it must be like"),
        ([point(color="#ffffff\n")], r"point 1: color is '#ffffff\n'; it must be like"),
        ([point(color="#\u0661\u0661\u0661\u0661\u0661\u0661")], "point 1: color is '#"),
        ([point(color=[255, 0, 0])], "point 1: color is a list; it must be like"),
        ([point(color=None)], "point 1: color is None; it must be like"),
        ([point(x="3")], "point 1: x is '3'; it must be a number of at least 0"),
        ([point(x=True)], "point 1: x is True; it must be a number"),
        ([point(x=-0.5)], "point 1: x is -0.5; it must be a number of at least 0"),
        ([point(y=None)], "point 1: y is None; it must be a number"),
        ([point(y={})], "point 1: y is an object; it must be a number"),
        ([point(radius=0)], "point 1: radius is 0; it must be a number above 0"),
        ([point(radius=-(10**400))], "point 1: radius is -inf; it must be a number above 0"),
        ('[{"x": 1e999, "y": 2, "color": "#ffffff"}]', "point 1: x is inf; it must be a number"),
        ('[{"x": NaN, "y": 2, "color": "#ffffff"}]', "not JSON: NaN is no number"),
        ('[{"x": -Infinity}]', "not JSON: -Infinity is no number"),
        (f'[{{"x": {"9" * 5000}, "y": 1, "color": "#ffffff"}}]', "point 1: x is inf; it must be a number"),
        ("[" * 100_000, "not a file of hints: too many brackets in each other"),
        ('[{"x": ' + "[" * 900 + "]" * 900 + ', "y": 1, "color": "#ffffff"}]', "point 1: x is a list; it must be"),
        ([point(**{"x\x1b\ud800": 1})], r"point 1: unknown key 'x\x1b\ud800'"),
        ([point(color="x" * 1000)], f"point 1: color is '{'x' * 36}...; it must be like"),
        (" " * 1_000_001, "larger than 1000000 bytes, too large for a file of hints"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_wrong_file_is_one_line_that_names_the_point(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(HintError) as caught:
        hints.read_hints(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value).isprintable() and len(str(caught.value)) < len(str(path)) + 150


def test_what_is_no_readable_file_is_named(tmp_path):
    for path, reason in {
        tmp_path / "missing.json": "No such file or directory",
        tmp_path: "not a file",
        "/dev/null": "not a file",
        "a\0b": "embedded null byte",
        tmp_path / "two\nlines": "No such file or directory",
    }.items():
        with pytest.raises(HintError) as caught:
            hints.read_hints(path)
        assert str(caught.value) == f"{path}: {reason}".replace("\0", r"\x00").replace("\n", r"\n")


def test_files_are_checked_without_tensorflow(tmp_path):
    path = write(tmp_path, [point()])
    code = f"import sys; from colorization.inference import hints; print(len(hints.read_hints({str(path)!r})))"
    code += "; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\nFalse\n"


@pytest.mark.parametrize(
    "values, message",
    [
        ((np.nan, 0, (0, 0, 0)), "x is nan; it must be a number of at least 0"),
        ((0, np.inf, (0, 0, 0)), "y is inf; it must be"),
        ((0, 0, (0, 0, 0), np.float32(-1)), r"radius is .*-1.0.*; it must be a number above 0"),
        ((0, 0, (0, 0, 256)), r"color is \(0, 0, 256\); it must be three integers from 0 to 255"),
        ((0, 0, (0, 0, 0.5)), r"color is \(0, 0, 0.5\); it must be"),
        ((10**5000, 0, (0, 0, 0)), "x is too large; it must be"),
        ((0, 0, "#ff0000"), "color is '#ff0000'; it must be"),
        ((0, 0, 7), "color is 7; it must be"),
    ],
)
def test_a_hint_checks_its_values(values, message):
    with pytest.raises(HintError, match=message):
        Hint(*values)


def test_a_hint_takes_numpy_values():
    hint = Hint(np.float32(1.5), np.int64(2), np.array([1, 2, 3], np.uint8), np.float64(4))
    assert hint == Hint(1.5, 2.0, (1, 2, 3), 4.0) and hash(hint) == hash(Hint(1.5, 2.0, (1, 2, 3), 4.0))


def test_a_disc_is_drawn_in_the_photos_proportions():
    """Work pixels here are 40 photo pixels high and 10 wide, so the disc is squeezed."""
    raster = hints.rasterize([Hint(100, 200, (255, 0, 0), 50)], (400, 200), (10, 20))
    assert raster.shape == (10, 20, 3) and raster.dtype == np.float32
    y, x = np.mgrid[20:400:40, 5:200:10]  # centres of the work pixels
    covered = np.hypot(x - 100, y - 200) <= 50
    covered[5, 10] = True  # the point itself
    assert 10 < covered.sum() < 25
    np.testing.assert_array_equal(raster[..., 2], covered)
    np.testing.assert_allclose(raster[covered][:, :2], np.broadcast_to(RED_AB, (covered.sum(), 2)), atol=1e-3)
    np.testing.assert_array_equal(raster[~covered], 0.0)


@pytest.mark.parametrize(
    "x, y, column, row", [(0, 0, 0, 0), (199.99, 399.99, 19, 9), (29.9, 40, 2, 1), (30, 39.9, 3, 0)]
)
def test_the_smallest_hint_covers_the_pixel_that_it_lies_in(x, y, column, row):
    raster = hints.rasterize([Hint(x, y, (0, 0, 255), 1e-9)], (400, 200), (10, 20))
    assert raster[..., 2].sum() == 1 and raster[row, column, 2] == 1
    np.testing.assert_allclose(raster[row, column, :2], BLUE_AB, atol=1e-3)


def test_a_point_on_the_last_edge_is_drawn_in_the_last_pixel():
    """Here rounding would put it one pixel further."""
    for size in range(1, 400):
        last = np.nextafter(size, 0)
        raster = hints.rasterize([Hint(last, last, (1, 2, 3), 1e-9)], (size, size), (160, 160))
        assert raster[159, 159, 2] == 1


def test_later_hints_lie_on_top():
    both = [Hint(50, 50, (255, 0, 0), 40), Hint(60, 50, (0, 0, 255), 20)]
    raster = hints.rasterize(both, (100, 100), (32, 32))
    np.testing.assert_allclose(raster[16, 19, :2], BLUE_AB, atol=1e-3)
    np.testing.assert_allclose(raster[16, 6, :2], RED_AB, atol=1e-3)
    np.testing.assert_allclose(hints.rasterize(both[::-1], (100, 100), (32, 32))[16, 19, :2], RED_AB, atol=1e-3)


def test_extremes():
    assert hints.rasterize([], (3, 4), (32, 64)).sum() == 0
    huge = hints.rasterize([Hint(1, 1, (255, 0, 0), 1e308)], (3, 4, 3), (32, 64))
    np.testing.assert_array_equal(huge[..., 2], 1.0)
    grey = hints.rasterize([Hint(1, 1, (128, 128, 128), 1)], (3, 4), np.array([32, 64], np.int32))
    np.testing.assert_allclose(grey[..., :2], 0.0, atol=1e-4)
    assert grey[16, 16, 2] == 1  # a grey hint is a hint


@pytest.mark.parametrize("x, y, culprit", [(200, 1, "x=200"), (1, 400, "y=400"), (1e300, 1, r"x=1e\+300")])
def test_a_point_outside_the_photo_is_refused(x, y, culprit):
    points = [Hint(199.9, 399.9, (0, 0, 0)), Hint(x, y, (0, 0, 0))]
    with pytest.raises(HintError, match=f"point 2: {culprit} lies outside the photo, 200 pixels wide and 400 high"):
        hints.rasterize(points, (400, 200, 3), (10, 20))


def test_text_is_read_as_a_file_is():
    assert hints.parse_hints('[{"x": 1, "y": 2.5, "color": "#0a0b0c", "radius": 3}]') == [
        Hint(x=1, y=2.5, color=(10, 11, 12), radius=3)
    ]
    with pytest.raises(HintError, match="^point 1: y is missing$"):
        hints.parse_hints('[{"x": 1, "color": "#0a0b0c"}]')
