"""Files of hints that are none, or nearly."""

import json

from hypothesis import strategies as st

from colorization.inference import hints as hints_module

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("#b03a2e"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(["x", "y", "color", "colour", "radius", "points"]) | st.text(max_size=4)
_POINTS = st.dictionaries(_KEYS, _VALUES | st.sampled_from([0, 3.5, 39, -1, 1e308, 10**400, "#ffffff"]), max_size=5)
_GOOD = {"x": 3, "y": 4.5, "color": "#b03a2e", "radius": 2}
_TREES = (
    st.lists(_POINTS | st.just(_GOOD), max_size=4) | st.builds(lambda points: {"points": points}, _VALUES) | _VALUES
)


@st.composite
def hint_texts(draw: st.DrawFn) -> str:
    """Draws a text: JSON of nearly the right kind, with a change or two, or nested deeply, or anything."""
    text = json.dumps(draw(_TREES), allow_nan=True)
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(text)))
        text = (
            text[:position]
            + draw(st.sampled_from(["[", "{", '"', "9" * 5000, "e999", "\0", ",", ""]))
            + text[position + 1 :]
        )
    depth = draw(st.sampled_from([0, 0, 0, 0, 100_000]))
    return "[" * depth + text + "]" * depth


def check(text: str) -> None:
    """Reads hints and draws them: no exception but HintError, in one line, and what is drawn is finite."""
    try:
        points = hints_module.parse_hints(text)
        hints_module.check_inside(points, (40, 50))
    except hints_module.HintError as error:
        assert "\n" not in str(error), error
        return
    for point in points:
        assert 0 <= point.x < 50 and 0 <= point.y < 40 and point.radius > 0 and len(point.color) == 3, point
