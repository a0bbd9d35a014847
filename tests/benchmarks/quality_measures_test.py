"""The measures, on colorizers whose answer is known."""

import numpy as np
import pytest

from benchmarks import degrade, quality_measures
from colorization import Colorizer, color
from colorization.evaluation import protocol


class FlatColorizer:
    """Paints (a*, b*) = (10 z0, 10 z1), times the saturation, over everything at L* 50; (5, 0) without noise."""

    def draw_z(self, num_samples, seed):
        return np.random.default_rng(seed).uniform(-1.5, 1.5, (num_samples, 2)).astype(np.float32)

    def colorize_batch(self, photos, *, z=(0.5, 0.0), saturation=1.0):
        a, b = np.array(z) * 10.0 * saturation
        rgb = color.lab_to_rgb(np.array([[[50.0, a, b]]], np.float32))
        return [np.broadcast_to(color.to_uint8(rgb).numpy(), photo.shape) for photo in photos]


def lab_square(lightness, a, b):
    rgb = color.lab_to_rgb(np.array([[[lightness, a, b]]], np.float32))
    return np.tile(color.to_uint8(rgb).numpy(), (256, 256, 1))


@pytest.fixture(scope="module")
def photos():
    """Twenty photos, more than one batch: all L* 50, a* 20."""
    return quality_measures.take_photos(FlatColorizer(), [f"{i}.png" for i in range(20)], [lab_square(50, 20, 0)] * 20)


def test_photos_hold_what_goes_in_and_what_comes_out(photos):
    assert photos.original.shape == photos.grey.shape == photos.automatic.shape == (20, 256, 256, 3)
    np.testing.assert_array_equal(photos.grey, 119)  # L* 50
    np.testing.assert_array_equal(photos.automatic[3], lab_square(50, 5, 0))
    expected = 20 * np.log10(
        255 / np.sqrt(np.mean((lab_square(50, 5, 0)[0, 0] - lab_square(50, 20, 0)[0, 0].astype(float)) ** 2))
    )
    np.testing.assert_allclose(photos.psnr(photos.automatic), expected, rtol=1e-5)


def test_batches_cover_every_photo_once():
    assert [(rows.start, rows.stop) for rows in quality_measures.batches(20)] == [(0, 16), (16, 20)]


def test_distance_is_that_of_the_ab_plane():
    ab = quality_measures.to_cie_ab(np.stack([lab_square(50, 0, 0), lab_square(70, 30, -40)]))
    assert quality_measures.mean_distance(ab[:1], ab[1:])[0] == pytest.approx(50.0, abs=0.5)


def test_automatic_colours_are_compared_with_grey_at_each_saturation(photos):
    table = quality_measures.measure_automatic(FlatColorizer(), photos, [1.0, 4.0])
    assert [row["saturation"] for row in table] == [1.0, 4.0]
    assert 0.0 < table[0]["psnr_gain"] < 10.0
    assert table[0]["psnr_gain"] == pytest.approx(table[0]["psnr"] - table[0]["grey_psnr"])
    assert 0.0 < table[0]["ciede2000_percent_below_grey"] < 50.0
    perfect = table[1]
    assert perfect["psnr"] == 100.0 and perfect["colorfulness_delta"] == 0.0
    assert perfect["ciede2000_percent_below_grey"] == 100.0


def test_noise_is_measured_by_pairs_of_samples(photos):
    numbers = quality_measures.measure_noise(FlatColorizer(), photos, num_samples=2)
    distances = [np.linalg.norm(np.diff(10.0 * FlatColorizer().draw_z(2, seed), axis=0)) for seed in [0] * 16 + [1] * 4]
    assert numbers["distance_mean"] == pytest.approx(np.mean(distances), abs=0.7)  # 8 bits
    assert numbers["distance_median"] == pytest.approx(np.median(distances), abs=0.7)
    assert numbers["plain_share"] == np.mean(np.array(distances) >= 8.0)
    assert numbers["best_psnr_gain"] > numbers["mean_psnr_gain"]


def test_old_photos_cost_nothing_where_the_colour_does_not_depend_on_lightness(tiny_model_dir, monkeypatch):
    colorizer = Colorizer.load(tiny_model_dir)
    rng = np.random.default_rng(0)
    squares = [np.repeat(np.repeat(rng.integers(0, 256, (8, 8, 3), np.uint8), 32, 0), 32, 1) for _ in range(9)]
    photos = quality_measures.take_photos(colorizer, [f"{i}.png" for i in range(9)], squares)
    numbers = quality_measures.measure_old_photos(colorizer, photos)
    assert list(numbers["kinds"]) == list(degrade.KINDS)
    assert [row["num_photos"] for row in numbers["kinds"].values()] == [2, 2, 1, 1, 1, 1, 1]
    overall = numbers["overall"]
    assert overall["num_photos"] == 9
    # The same chroma, by another way: Colorizer does it in pieces.
    assert overall["clean_psnr"] == pytest.approx(photos.psnr(photos.automatic).mean(), abs=0.02)
    assert overall["loss"] == pytest.approx(overall["clean_psnr"] - overall["psnr"], abs=1e-6)
    assert overall["psnr_gain"] == pytest.approx((overall["psnr"] - photos.psnr(photos.grey)).mean(), abs=1e-6)
    # The tiny network's chroma hardly depends on lightness: ab moves by 0.1 at most.
    assert abs(overall["loss"]) < 0.3

    monkeypatch.setattr(degrade, "degrade", lambda grey, kind, seed: np.repeat(grey[..., np.newaxis], 3, axis=-1))
    assert quality_measures.measure_old_photos(colorizer, photos)["overall"]["loss"] == 0.0


def test_the_grey_is_that_of_the_protocol(photos):
    np.testing.assert_array_equal(photos.grey[:2], protocol.make_grey(photos.original[:2]))
