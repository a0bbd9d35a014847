"""Colours that a person asks for at points of a photo: read from a file, checked, drawn for the network.

A file of hints is JSON, a list of points or {"points": [...]}:

    [{"x": 120, "y": 64.5, "color": "#b03a2e", "radius": 12}, ...]

`x` and `y` count pixels of the upright photo (EXIF orientation applied) from its left and upper border; pixel i reaches
from i to i + 1. `radius` is in the same pixels and may be left out. Of the colour, hue and chroma count: lightness is
always the photo's own.
"""

import dataclasses
import json
import math
import numbers
import os
import re
import stat
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from colorization import color_numpy

DEFAULT_RADIUS = 5.0  # pixels: a dab of the size of a mouse pointer's tip
_MAX_BYTES = 1_000_000  # of a file: about ten thousand points
_KEYS = ("x", "y", "color", "colour", "radius")


class HintError(ValueError):
    """A hint, or a file of them, that cannot be used; the message is one line that names the culprit."""


@dataclasses.dataclass(frozen=True)
class Hint:
    """A colour at a point of a photo.

    Attributes:
      x: pixels from the left border of the upright photo, at least 0; may be fractional.
      y: pixels from its upper border, likewise.
      color: (r, g, b) of sRGB, integers 0..255.
      radius: of the disc that gets the colour, in pixels of the photo; more than 0.

    Raises:
      HintError: a value is of another type or range.
    """

    x: float
    y: float
    color: tuple[int, int, int]
    radius: float = DEFAULT_RADIUS

    def __post_init__(self):
        for name in ("x", "y", "radius"):
            value = getattr(self, name)
            number = _to_float(value)
            if not math.isfinite(number) or number < 0 or name == "radius" and number == 0:
                wanted = "a number above 0" if name == "radius" else "a number of at least 0"
                raise HintError(f"{name} is {_show(value)}; it must be {wanted}")
            object.__setattr__(self, name, number)  # the way to do it in a frozen dataclass
        if not _is_rgb(self.color):
            raise HintError(f"color is {_show(self.color)}; it must be three integers from 0 to 255")
        object.__setattr__(self, "color", tuple(int(level) for level in self.color))


def read_hints(path: str | os.PathLike) -> list[Hint]:
    """Reads a file of hints, as the module's text describes it.

    Args:
      path: the file; at most 1 MB.

    Returns:
      The points in order; none for an empty list.

    Raises:
      HintError: the file cannot be read, is no such JSON, or a point is wrong: "PATH: point 2: reason", the first
        point being number 1.
    """
    try:
        return parse_hints(_read_text(path))
    except HintError as error:
        message = f"{path}: {error}"
        raise HintError("".join(c if c.isprintable() else repr(c)[1:-1] for c in message)) from error


def parse_hints(text: str) -> list[Hint]:
    """Reads hints from the text of such a file; raises HintError as `read_hints`, without the path."""
    hints = []
    for number, point in enumerate(_parse_points(text), start=1):
        try:
            hints.append(_make_hint(point))
        except HintError as error:
            raise HintError(f"point {number}: {error}") from error
    return hints


def rasterize(hints: Sequence[Hint], photo_shape: Sequence[int], work_shape: Sequence[int]) -> np.ndarray:
    """Draws hints as discs on the grid at which the network sees the photo.

    Every hint covers the work pixel that its centre falls in, however small its radius, and beyond that those whose
    centre lies in its disc. A later hint lies on top of earlier ones.

    Args:
      hints: the points, in pixels of the photo.
      photo_shape: height and width of the upright photo; what follows is ignored.
      work_shape: height and width of the grid.

    Returns:
      hints: float32 (h, w, 3): `ab` in [-1, 1] and 1 at covered pixels, 0 elsewhere.

    Raises:
      HintError: a point lies outside the photo: "point 2: ...".
    """
    check_inside(hints, photo_shape)
    work_height, work_width = (int(size) for size in work_shape[:2])
    raster = np.zeros((work_height, work_width, 3), np.float32)
    if not hints:
        return raster
    height, width = (int(size) for size in photo_shape[:2])
    step_x, step_y = width / work_width, height / work_height  # photo pixels for each work pixel
    center_x, center_y = (np.arange(work_width) + 0.5) * step_x, (np.arange(work_height) + 0.5) * step_y
    for hint, ab in zip(hints, _colors_to_ab([hint.color for hint in hints]), strict=True):
        value = np.append(ab, np.float32(1.0))
        radius = min(hint.radius, math.hypot(height, width))  # more would cover the photo as well, and might overflow
        rows, columns = _near(center_y, hint.y, radius), _near(center_x, hint.x, radius)
        distance = np.hypot(center_y[rows, np.newaxis] - hint.y, center_x[columns] - hint.x)
        raster[rows, columns][distance <= radius] = value
        # Rounding may put a point just inside the far border on it.
        raster[min(int(hint.y / step_y), work_height - 1), min(int(hint.x / step_x), work_width - 1)] = value
    return raster


def check_inside(hints: Sequence[Hint], photo_shape: Sequence[int]) -> None:
    """Checks that all points lie in a photo.

    Args:
      hints: the points.
      photo_shape: height and width of the upright photo; what follows is ignored.

    Raises:
      HintError: one does not; it is named by its number, the first being 1.
    """
    height, width = photo_shape[:2]
    for number, hint in enumerate(hints, start=1):
        for name, value, size in (("x", hint.x, width), ("y", hint.y, height)):
            if value >= size:
                raise HintError(
                    f"point {number}: {name}={value:g} lies outside the photo, {width} pixels wide and {height} high"
                )


def _near(centers: np.ndarray, middle: float, radius: float) -> slice:
    """Which of the ascending `centers` lie within `radius` of `middle`."""
    return slice(
        np.searchsorted(centers, middle - radius, side="left"), np.searchsorted(centers, middle + radius, side="right")
    )


def _colors_to_ab(colors: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """`ab` float32 (n, 2) of sRGB colours."""
    return color_numpy.rgb_to_l_ab(np.array(colors, np.float32) / 255.0)[1]


def _read_text(path: str | os.PathLike) -> str:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise HintError("not a file")
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise HintError(error.strerror or str(error)) from error
    except ValueError as error:  # a null byte in the path
        if isinstance(error, HintError):
            raise
        raise HintError(str(error)) from error
    if len(data) > _MAX_BYTES:
        raise HintError(f"larger than {_MAX_BYTES} bytes, too large for a file of hints")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HintError("not a text in UTF-8") from error


class _Pairs(list):
    """A JSON object as its (key, value) pairs, so that a key given twice is seen."""


def _parse_points(text: str) -> list[Any]:
    try:
        content = json.loads(text, object_pairs_hook=_Pairs, parse_int=_parse_int, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise HintError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise HintError("not a file of hints: too many brackets in each other") from error
    if isinstance(content, _Pairs):
        if [key for key, _ in content] != ["points"]:
            raise HintError('an object must have the one key "points"')
        ((_, content),) = content
    if not isinstance(content, list) or isinstance(content, _Pairs):
        raise HintError('expected a list of points, or {"points": [...]}')
    return content


def _parse_int(text: str) -> float:
    return int(text) if len(text) < 20 else float(text)  # int refuses thousands of digits, float makes them infinity


def _refuse_constant(name: str) -> NoReturn:
    raise HintError(f"not JSON: {name} is no number")


def _make_hint(point: Any) -> Hint:
    if not isinstance(point, _Pairs):
        raise HintError(f'{_show(point)} is no object like {{"x": 120, "y": 64, "color": "#b03a2e"}}')
    values: dict[str, Any] = {}
    for key, value in point:
        if key not in _KEYS:
            raise HintError(f"unknown key {_show(key)}; the keys are x, y, color and radius")
        key = "color" if key == "colour" else key
        if key in values:
            raise HintError(f"{key} is given twice")
        values[key] = value
    for key in ("x", "y", "color"):
        if key not in values:
            raise HintError(f"{key} is missing")
    if not isinstance(values["color"], str) or not re.fullmatch("#[0-9a-fA-F]{6}", values["color"]):
        raise HintError(f"color is {_show(values['color'])}; it must be like #b03a2e")
    return Hint(**values | {"color": tuple(bytes.fromhex(values["color"][1:]))})


def _to_float(value: Any) -> float:
    """NaN for what is no number; infinity for one that is too large."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_rgb(color: Any) -> bool:
    if not isinstance(color, Sequence | np.ndarray) or len(color) != 3:
        return False
    return all(isinstance(c, numbers.Integral) and not isinstance(c, bool) and 0 <= c <= 255 for c in color)


def _show(value: Any) -> str:
    """A value as an error message shows it: in one short line."""
    if isinstance(value, list):  # might be nested deeper than repr can go
        return "an object" if isinstance(value, _Pairs) else "a list"
    if isinstance(value, int) and abs(value) >= 10**20:  # repr refuses thousands of digits
        return "too large"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
