"""The measures of hints and references, on a colorizer that obeys to the letter."""

import numpy as np
import pytest

from benchmarks import quality_hints, quality_measures
from colorization import color
from colorization.inference.hints import Hint

REACH = 20  # px


class ObedientColorizer:
    """Paints the disc of 20 px around each hint in its colour, or everything in the reference's mean colour."""

    def colorize(self, rgb, *, hints=(), reference=None):
        lab = color.rgb_to_lab(np.float32(rgb) / 255.0).numpy()
        rows, columns = np.mgrid[:256, :256] + 0.5
        for hint in hints:
            disc = np.hypot(rows - hint.y, columns - hint.x) < REACH
            lab[disc, 1:] = quality_measures.to_cie_ab(np.array([[hint.color]], np.uint8))[0, 0]
        if reference is not None:
            assert np.ptp(reference, axis=-1).any(), "grey references are refused"
            lab[..., 1:] = quality_measures.to_cie_ab(reference).mean(axis=(0, 1))
        return color.to_uint8(color.lab_to_rgb(lab)).numpy()

    def colorize_batch(self, photos, *, hints=None):
        hints = hints or [()] * len(photos)
        return [self.colorize(photo, hints=points) for photo, points in zip(photos, hints, strict=True)]


def make_square(left, right, lightness=55.0):
    """Two halves of one lightness: colours (a*, b*)."""
    lab = np.full((256, 256, 3), lightness, np.float32)
    lab[:, :128, 1:], lab[:, 128:, 1:] = left, right
    return color.to_uint8(color.lab_to_rgb(lab)).numpy()


@pytest.fixture(scope="module")
def photos():
    squares = [make_square((30, 20), (-20, 25)), make_square((10, -30), (10, -30)), make_square((0, 40), (20, 0))]
    return quality_measures.take_photos(ObedientColorizer(), ["a", "b", "c"], squares)


def test_points_are_the_same_each_time_and_inside():
    points = quality_hints.draw_points(7)
    assert points.shape == (100, 2) and points.min() >= 4 and points.max() <= 251
    np.testing.assert_array_equal(points, quality_hints.draw_points(7))
    assert (points != quality_hints.draw_points(8)).any()


def test_true_hints_have_the_colour_of_the_patch():
    square = make_square((30, 20), (-20, 25))
    left, right, between = quality_hints.true_colors(square, np.array([[40, 10], [200, 10], [128, 100]]))
    assert (left.x, left.y, left.radius) == (40.5, 10.5, 4.0)
    assert left.color == tuple(square[10, 40]) and right.color == tuple(square[10, 200])
    ab = quality_measures.to_cie_ab(np.array([[between.color]], np.uint8))[0, 0]
    # Columns 124 to 132: four of the left half, five of the right.
    np.testing.assert_allclose(ab, (4 * np.array([30, 20]) + 5 * np.array([-20, 25])) / 9, atol=0.5)


@pytest.mark.parametrize("lightness", [35.0, 55.0, 75.0])
def test_wrong_hints_are_vivid_far_from_the_truth_and_as_light_as_the_pixel(lightness):
    square = make_square((30, 20), (-20, 25), lightness)
    points = quality_hints.draw_points(1)[:20]
    hints = quality_hints.wrong_colors(square, points, seed=1)
    lab = color.rgb_to_lab(np.array([[hint.color for hint in hints]], np.float32) / 255.0).numpy()[0]
    truth = quality_measures.to_cie_ab(square)[points[:, 1], points[:, 0]]
    np.testing.assert_allclose(lab[:, 0], lightness, atol=1.3)
    assert np.linalg.norm(lab[:, 1:], axis=-1).min() >= 40.0
    near_border = np.abs(points[:, 0] - 128) < 6
    assert np.linalg.norm(lab[:, 1:] - truth, axis=-1)[~near_border].min() >= 30.0
    assert len({hint.color for hint in hints}) > 10


def test_wrong_hints_in_the_dark_are_as_vivid_as_can_be():
    hint = quality_hints.wrong_colors(np.zeros((256, 256, 3), np.uint8), np.array([[9, 9]]), seed=0)[0]
    assert max(hint.color) <= 2


def test_hints_that_are_obeyed_help_and_reach_as_far_as_they_do(photos):
    numbers = quality_hints.measure_hints(ObedientColorizer(), photos)
    gains = list(numbers["psnr_gain"].values())
    assert list(numbers["psnr_gain"]) == [1, 3, 10, 30, 100]
    assert 0.0 < gains[0] < gains[1] < gains[2] < gains[3] < gains[4]
    # The automatic photos are grey, so what is asked for is the chroma of the hints.
    assert numbers["true_error"]["median"] < 1.0 and 20.0 < numbers["true_error"]["asked"] < 40.0
    assert 40.0 < numbers["wrong_error"]["asked"] < 75.0
    rings = numbers["reach"]["rings"]
    assert rings["0-8"] > 40.0 and rings["8-16"] == pytest.approx(rings["0-8"], abs=0.01)
    assert 0.0 < rings["16-32"] < rings["0-8"] and rings["32-64"] == rings["64-128"] == rings["128-362"] == 0.0


def test_reach_tells_surfaces_apart(photos):
    """One hint near the border of two surfaces; the result changes on its own side only."""
    hint = Hint(x=118.5, y=128.5, color=(200, 0, 0), radius=4)
    results = photos.automatic[:1].copy()
    results[0, :, :128] = make_square((30, 20), (30, 20))[:, :128]
    first = quality_measures.Photos(["a"], photos.original[:1], photos.grey[:1], photos.automatic[:1])
    numbers = quality_hints.measure_reach(first, results, [hint])
    assert numbers["same_surface"] == pytest.approx(np.hypot(30, 20), abs=0.5)
    assert numbers["other_surface"] == 0.0


def test_a_photo_is_its_own_best_reference(photos):
    numbers = quality_hints.measure_reference(ObedientColorizer(), photos)
    assert numbers["own_psnr_gain"] > 1.0 and numbers["own_psnr_gain"] > numbers["other_psnr_gain"]
    means = [quality_measures.to_cie_ab(original).mean(axis=(0, 1)) for original in photos.original]
    # The automatic photos are grey: colours move by the chroma of the reference's mean, whoever's it is.
    expected = np.mean([np.linalg.norm(mean) for mean in means])
    assert numbers["own_distance"] == pytest.approx(expected, abs=0.6)
    assert numbers["other_distance"] == pytest.approx(expected, abs=0.6)


def test_grey_references_are_left_out(photos):
    originals = np.concatenate([photos.original, photos.grey[:1]])
    more = quality_measures.take_photos(ObedientColorizer(), ["a", "b", "c", "grey"], originals)
    numbers, expected = (quality_hints.measure_reference(ObedientColorizer(), some) for some in (more, photos))
    assert numbers["own_distance"] == pytest.approx(expected["own_distance"])
    assert numbers["other_distance"] == pytest.approx(expected["other_distance"])
