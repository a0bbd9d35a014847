"""Red blotches, on colours whose blotches are known."""

import numpy as np
import pytest

from benchmarks import quality_blotches, quality_measures
from colorization import color

GREY, PALE_RED, RED, ORANGE, BLUE = (0.0, 0.0), (20.0, 0.0), (50.0, 0.0), (30.0, 40.0), (0.0, -40.0)


def paint(ground, spot=None, height=30, width=40):
    """float32 (1, 100, 100, 2): a rectangle of one colour on another."""
    ab = np.tile(np.float32(ground), (1, 100, 100, 1))
    if spot is not None:
        ab[:, 20 : 20 + height, 30 : 30 + width] = spot
    return ab


@pytest.mark.parametrize(
    "result, truth, area",
    [
        (paint(GREY, RED), paint(GREY), 0.12),
        (paint(GREY, ORANGE), paint(GREY), 0.12),
        (paint(GREY, RED), paint(BLUE), 0.12),
        (paint(GREY, RED), paint(GREY, RED), 0.0),
        (paint(GREY, RED), paint((30.0, 0.0)), 0.0),  # only 20 units too much
        (paint(GREY, BLUE), paint(GREY), 0.0),
        (paint(GREY, PALE_RED), paint(GREY), 0.0),
        (paint(GREY), paint(GREY, RED), 0.0),
        (paint(RED), paint(GREY), 1.0),
        (paint(GREY, RED, height=3, width=3), paint(GREY), 0.0),  # less than a window
    ],
    ids=["red", "orange", "red for blue", "true", "rather red", "blue", "pale", "too pale", "everywhere", "a dot"],
)
def test_a_blotch_is_red_large_and_wrong(result, truth, area):
    """Means of 9x9 pixels round its corners off."""
    assert quality_blotches.blotch_areas(result, truth)[0] == pytest.approx(area, abs=0.005)


def test_of_several_blotches_the_largest_counts():
    result = paint(GREY, RED)
    result[:, 60:90, 30:50] = RED  # 10 px below the other, half as large
    assert quality_blotches.blotch_areas(result, paint(GREY))[0] == pytest.approx(0.12, abs=0.005)


def test_photos_with_blotches_are_counted_and_named():
    def to_photos(abs_):
        lab = np.concatenate([np.full((len(abs_), 100, 100, 1), 50.0, np.float32), np.concatenate(abs_)], axis=-1)
        return color.to_uint8(color.lab_to_rgb(lab)).numpy()

    original = to_photos([paint(GREY)] * 20)
    automatic = to_photos([paint(GREY, RED, height=10 + i) if i % 2 else paint(GREY) for i in range(20)])
    names = [f"{i}.png" for i in range(20)]
    numbers = quality_blotches.measure_blotches(quality_measures.Photos(names, original, original, automatic))
    assert numbers["share"] == 0.5 and list(numbers["area"]) == [f"{i}.png" for i in range(19, 0, -2)]
    assert numbers["area"]["19.png"] == pytest.approx(0.29 * 0.4, abs=0.005)
