"""Crops and ageing on the device: what `tests/data/augment_test.py` asks of TensorFlow's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorization.jax_training import augment

KEY = jax.random.key(5)
CANVAS = 64


def gradient_canvases(num: int, height: int = 40, width: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Red grows to the right, green downwards, blue is 255; around the photo is noise that no crop may show."""
    canvas = np.random.default_rng(0).integers(0, 100, (CANVAS, CANVAS, 3)).astype(np.uint8)
    canvas[:height, :width, 0] = np.rint(np.linspace(0.0, 255.0, width))
    canvas[:height, :width, 1] = np.rint(np.linspace(0.0, 255.0, height))[:, None]
    canvas[:height, :width, 2] = 255
    return np.tile(canvas, (num, 1, 1, 1)), np.tile(np.array([height, width], np.int32), (num, 1))


def test_crops_are_square_in_unit_range_and_show_nothing_but_the_photo():
    crops = augment.crop_and_flip(KEY, *gradient_canvases(20), size=32, min_area=0.3)
    assert crops.shape == (20, 32, 32, 3) and crops.dtype == jnp.float32
    np.testing.assert_allclose(crops[..., 2], 1.0, atol=1e-5)
    again = augment.crop_and_flip(KEY, *gradient_canvases(20), size=32, min_area=0.3)
    np.testing.assert_array_equal(crops, again)
    other = augment.crop_and_flip(jax.random.key(6), *gradient_canvases(20), size=32, min_area=0.3)
    assert float(jnp.max(jnp.abs(other - crops))) > 0.05


def test_crops_cover_at_least_the_given_area_and_half_are_flipped():
    crops = np.asarray(augment.crop_and_flip(KEY, *gradient_canvases(200), size=16, min_area=0.5))
    across, down = crops[:, 0, -1, 0] - crops[:, 0, 0, 0], crops[:, -1, 0, 1] - crops[:, 0, 0, 1]
    assert (down > 0.0).all(), "photos are never turned upside down"
    areas = np.abs(across) * down * (16 / 15) ** 2
    assert areas.min() > 0.42 and areas.max() <= 1.1
    assert 75 <= (across < 0.0).sum() <= 125


@pytest.mark.parametrize("height, width", [(40, 60), (60, 40), (64, 64)])
def test_the_centre_is_the_largest_square(height, width):
    canvases, sizes = gradient_canvases(1, height, width)
    side, size = min(height, width), 16
    (square,) = np.asarray(augment.crop_centre(canvases, sizes, size=size))
    pixel = (np.arange(size) + 0.5) * side / size - 0.5  # of the square
    for channel, axis, extent in ((0, 1, width), (1, 0, height)):
        expected = (pixel + (extent - side) / 2.0) / (extent - 1)
        np.testing.assert_allclose(square.mean(axis=1 - axis)[1:-1, channel], expected[1:-1], atol=3e-3)


def test_shrinking_takes_means():
    canvas = np.zeros((1, CANVAS, CANVAS, 3), np.uint8)
    canvas[:, ::2] = 200  # stripes
    (small,) = np.asarray(augment.crop_centre(canvas, np.full((1, 2), CANVAS, np.int32), size=16))
    np.testing.assert_allclose(small[1:-1], 100.0 / 255.0, atol=1e-3)


def test_ageing_fades_stays_in_range_and_follows_the_key():
    black_and_white = jnp.concatenate([jnp.full((64, 16, 8, 1), -1.0), jnp.full((64, 16, 8, 1), 1.0)], axis=2)
    aged = augment.age_lightness(KEY, black_and_white)
    assert aged.shape == black_and_white.shape
    assert float(aged.min()) >= -1.0 and float(aged.max()) <= 1.0
    contrast = np.asarray(aged)[:, :, 12:].mean(axis=(1, 2)) - np.asarray(aged)[:, :, :4].mean(axis=(1, 2))
    assert 1.0 < contrast.mean() < 1.8
    np.testing.assert_array_equal(aged, augment.age_lightness(KEY, black_and_white))
    assert float(jnp.max(jnp.abs(aged - augment.age_lightness(jax.random.key(6), black_and_white)))) > 0.1


def test_the_second_half_of_the_photos_is_only_lightly_aged(monkeypatch):
    """The stand-in makes what it gets black; light ageing leaves a photo of the middle grey far from that."""
    monkeypatch.setattr(augment, "_damage", lambda key, value: jnp.zeros_like(value))
    means = np.asarray(augment.age_lightness(KEY, jnp.zeros((20, 8, 8, 1)))).mean(axis=(1, 2, 3))
    assert (means[:10] < -0.55).all() and (means[10:] > -0.55).all()


def test_each_damage_comes_with_its_own_probability(monkeypatch):
    """The stand-ins write a digit each, so that the sum tells which of them were there."""
    probabilities = [probability for probability, _ in augment._DAMAGES]
    digits = tuple((p, lambda key, value, digit=10.0**i: value + digit) for i, p in enumerate(probabilities))
    monkeypatch.setattr(augment, "_DAMAGES", digits)
    sums = np.asarray(augment._damage(KEY, jnp.zeros((4000, 1, 1, 1)))).ravel().astype(int)
    shares = [np.mean(sums // 10**i % 10) for i in range(len(probabilities))]
    np.testing.assert_allclose(shares, probabilities, atol=0.03)
    assert len(set(sums)) == 2 ** len(probabilities), "any of them may meet any other"


@pytest.mark.parametrize("damage", [damage for _, damage in augment._DAMAGES], ids=lambda damage: damage.__name__)
def test_damage_stays_in_range_and_differs_by_photo_and_key(damage):
    value = jnp.tile(jnp.linspace(0.0, 1.0, 48)[None, None, :, None], (6, 32, 1, 1))
    damaged = damage(KEY, value)
    assert damaged.shape == value.shape and damaged.dtype == jnp.float32
    assert float(damaged.min()) >= 0.0 and float(damaged.max()) <= 1.0
    assert len({photo.tobytes() for photo in np.asarray(damaged)}) == 6
    np.testing.assert_array_equal(damaged, damage(KEY, value))
    assert float(jnp.max(jnp.abs(damaged - damage(jax.random.key(6), value)))) > 0.1


def test_coarse_grain_has_spots_and_is_as_strong_as_fine_grain():
    fine, coarse = (
        np.asarray(augment._draw_grain(KEY, jnp.zeros((4, 64, 64, 1)), jnp.full((4, 1, 1, 1), coarseness)))
        for coarseness in (0.0, 1.0)
    )
    for grain, likeness in ((fine, 0.0), (coarse, 0.8)):  # of neighbours: 56 / 70 for the kernel 1, 4, 6, 4, 1
        assert grain.std() == pytest.approx(1.0, abs=0.1)
        assert np.mean(grain[:, :, 1:] * grain[:, :, :-1]) == pytest.approx(likeness, abs=0.1)


def test_halftone_is_a_square_grid_of_2_to_5_px():
    printed = np.asarray(augment._print_halftone(KEY, jnp.full((12, 96, 96, 1), 0.5)))
    for photo in printed[..., 0]:
        power = np.abs(np.fft.fftshift(np.fft.fft2(photo - photo.mean()))) ** 2
        rows, columns = np.unravel_index(np.argsort(power, axis=None)[::-1][:60], power.shape)
        peaks = np.stack([rows - 48, columns - 48], axis=-1) / 96  # cycles per pixel
        length = np.hypot(*peaks[0])
        assert 1 / 5.2 < length < 1 / 1.9
        assert (np.abs(peaks @ peaks[0]) / length).min() < 0.02, "a second wave at a right angle"
        assert photo.mean() == pytest.approx(0.5, abs=0.02)


def test_low_contrast_leaves_25_to_70_percent():
    value = jnp.tile(jnp.array([0.0, 1.0])[None, None, :, None], (200, 1, 1, 1))
    contrast = np.diff(augment._lower_contrast(KEY, value), axis=2)
    assert contrast.min() == pytest.approx(0.25, abs=0.01) and contrast.max() == pytest.approx(0.7, abs=0.01)


def test_uneven_fading_is_smooth_and_darkens_the_edges():
    faded = np.asarray(augment._fade_unevenly(KEY, jnp.full((100, 64, 64, 1), 0.5)))[..., 0]
    assert max(np.abs(np.diff(faded, axis=axis)).max() for axis in (1, 2)) < 0.03
    middle, corners = faded[:, 24:40, 24:40].mean(), faded[:, ::63, ::63].mean()
    # 0.5 (1 - 0.3 x squared distance), patches aside: 0.03 of it in the middle on average, 0.53 in the corners.
    assert middle - corners == pytest.approx(0.5 * 0.3 * 0.5, abs=0.03)


def test_strokes_are_as_long_and_thick_as_asked_and_half_of_them_are_there():
    value = jnp.zeros((200, 30, 40, 1))
    strokes = augment._draw_strokes(KEY, value, 1, length=(99.0, 99.0), thickness=(2.0, 2.0), slope=0.0)
    strokes = np.asarray(strokes)[..., 0]
    there = np.abs(strokes).max(axis=(1, 2)) > 0.0
    assert 0.4 < there.mean() < 0.6
    lines = strokes[there]
    assert (lines == lines[:, :1]).all(), "straight down, from end to end"
    inside = lines[(lines[:, 0, :2] == 0.0).all(axis=-1) & (lines[:, 0, -2:] == 0.0).all(axis=-1), 0]
    strongest = inside[np.arange(len(inside)), np.abs(inside).argmax(-1)]
    np.testing.assert_allclose(inside.sum(axis=-1) / 2.0, strongest, rtol=1e-3)
    assert 0.25 <= np.abs(strongest).min() < 0.3 and 0.8 < np.abs(strongest).max() <= 0.9
    assert 0.3 < (strongest > 0.0).mean() < 0.7, "light or dark"


def test_scratches_are_few_and_nearly_vertical():
    changed = np.asarray(augment._scratch(KEY, jnp.full((100, 64, 64, 1), 0.5)))[..., 0] != 0.5
    assert 0.02 < changed.mean() < 0.1
    longest_down, longest_across = (changed.sum(axis=axis).max() for axis in (1, 2))
    assert longest_down >= 50 and longest_across <= 24


def test_blur_keeps_the_mean_and_spreads_a_point():
    blurred = np.asarray(augment._blur(jnp.zeros((1, 9, 9, 1)).at[0, 4, 4, 0].set(1.0)))[0, :, :, 0]
    assert blurred.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(blurred[4, 2:7], np.array([1, 4, 6, 4, 1]) / 16 * 6 / 16, rtol=1e-6)
