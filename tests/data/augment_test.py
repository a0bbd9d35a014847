"""Augmentation: exact where it can be, deterministic everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.data import augment


def gradient_photo(height: int = 40, width: int = 60) -> tf.Tensor:
    """Red grows to the right, green downwards; blue is 255."""
    red = tf.tile(tf.linspace(0.0, 255.0, width)[None, :, None], (height, 1, 1))
    green = tf.tile(tf.linspace(0.0, 255.0, height)[:, None, None], (1, width, 1))
    return tf.cast(tf.concat([red, green, tf.fill((height, width, 1), 255.0)], axis=-1), tf.uint8)


def test_crop_is_square_in_unit_range_and_deterministic():
    seed = tf.constant([1, 2], tf.int64)
    crop = augment.random_crop_and_flip(gradient_photo(), seed, size=32, min_area=0.3)
    assert crop.shape == (32, 32, 3) and crop.dtype == tf.float32
    np.testing.assert_allclose(crop[..., 2], 1.0)
    np.testing.assert_array_equal(crop, augment.random_crop_and_flip(gradient_photo(), seed, size=32, min_area=0.3))
    other = augment.random_crop_and_flip(gradient_photo(), seed + 16, size=32, min_area=0.3)
    assert float(tf.reduce_max(tf.abs(other - crop))) > 0.05


def test_crops_cover_at_least_the_given_area_and_half_are_flipped():
    areas, flips = [], []
    for index in range(60):
        seed = tf.constant([7, index * 16], tf.int64)
        crop = augment.random_crop_and_flip(gradient_photo(), seed, size=16, min_area=0.5).numpy()
        width = abs(float(crop[0, -1, 0] - crop[0, 0, 0])) * 16 / 15
        height = float(crop[-1, 0, 1] - crop[0, 0, 1]) * 16 / 15
        assert height > 0, "photos are never turned upside down"
        areas.append(width * height)
        flips.append(crop[0, -1, 0] < crop[0, 0, 0])
    assert min(areas) > 0.42 and max(areas) <= 1.1
    assert 15 <= sum(flips) <= 45


def test_aging_touches_the_given_share_of_photos():
    l = tf.random.stateless_uniform((20, 8, 8, 1), (0, 1), -1.0, 1.0)
    chosen = []
    for index in range(3):
        aged = augment.age_lightness(l, tf.constant([3, 16 * index], tf.int64), share=0.3)
        chosen.append(tuple(np.flatnonzero(tf.reduce_any(aged != l, axis=(1, 2, 3)))))
        assert float(tf.reduce_min(aged)) >= -1.0 and float(tf.reduce_max(aged)) <= 1.0
    assert [len(rows) for rows in chosen] == [6, 6, 6] and len(set(chosen)) == 3
    np.testing.assert_array_equal(augment.age_lightness(l, tf.constant([3, 4], tf.int64), share=0.0), l)


def test_aging_fades_and_is_deterministic():
    black_and_white = tf.concat([tf.fill((64, 8, 8, 1), -1.0), tf.fill((64, 8, 8, 1), 1.0)], axis=2)
    seed = tf.constant([5, 6], tf.int64)
    aged = augment.age_lightness(black_and_white, seed, share=1.0)
    contrast = tf.reduce_mean(aged[:, :, 12:], axis=(1, 2)) - tf.reduce_mean(aged[:, :, :4], axis=(1, 2))
    assert 1.0 < float(tf.reduce_mean(contrast)) < 1.8
    np.testing.assert_array_equal(aged, augment.age_lightness(black_and_white, seed, share=1.0))


def test_what_is_left_of_a_photo_is_the_probability_of_one_more():
    l = tf.zeros((3, 8, 8, 1))
    aged = [augment.age_lightness(l, tf.constant([3, 16 * index], tf.int64), share=0.5) for index in range(30)]
    numbers = [int(tf.reduce_any(photos != 0.0, axis=(1, 2, 3)).numpy().sum()) for photos in aged]
    assert set(numbers) == {1, 2} and 8 <= numbers.count(2) <= 22


@pytest.mark.parametrize("share, num_aged, num_damaged", [(1.0, 20, 10), (0.5, 10, 5), (0.35, 7, 3), (0.05, 1, 0)])
def test_half_of_the_aged_photos_are_only_lightly_aged(monkeypatch, share, num_aged, num_damaged):
    """The stand-in makes what it gets black; light ageing leaves a photo of the middle grey far from that."""
    monkeypatch.setattr(augment, "_damage", lambda value, seed: tf.zeros_like(value))
    aged = augment.age_lightness(tf.zeros((20, 8, 8, 1)), tf.constant([1, 2], tf.int64), share=share)
    means = tf.reduce_mean(aged, axis=(1, 2, 3)).numpy()
    assert (means != 0.0).sum() == num_aged
    assert (means < -0.55).sum() == num_damaged  # blacks rise to -0.6 at most, and grain may lift them a little


def test_each_damage_comes_with_its_own_probability(monkeypatch):
    """The stand-ins write a digit each, so that the sum tells which of them were there."""
    probabilities = [probability for probability, _ in augment._DAMAGES]
    digits = [
        (probability, lambda value, seed, digit=10.0**i: value + digit) for i, probability in enumerate(probabilities)
    ]
    monkeypatch.setattr(augment, "_DAMAGES", digits)
    sums = augment._damage(tf.zeros((4000, 1, 1, 1)), tf.constant([1, 2], tf.int64)).numpy().ravel().astype(int)
    shares = [np.mean(sums // 10**i % 10) for i in range(len(probabilities))]
    np.testing.assert_allclose(shares, probabilities, atol=0.03)
    assert len(set(sums)) == 2 ** len(probabilities), "any of them may meet any other"


@pytest.mark.parametrize("damage", [damage for _, damage in augment._DAMAGES], ids=lambda damage: damage.__name__)
def test_damage_stays_in_range_and_differs_by_photo_and_seed(damage):
    value = tf.tile(tf.linspace(0.0, 1.0, 48)[None, None, :, None], (6, 32, 1, 1))
    seed = tf.constant([3, 4], tf.int64)
    damaged = damage(value, seed)
    assert damaged.shape == value.shape and damaged.dtype == tf.float32
    assert float(tf.reduce_min(damaged)) >= 0.0 and float(tf.reduce_max(damaged)) <= 1.0
    assert len({photo.tobytes() for photo in damaged.numpy()}) == 6
    np.testing.assert_array_equal(damaged, damage(value, seed))
    np.testing.assert_allclose(damaged, tf.function(damage)(value, seed), atol=1e-5)
    assert float(tf.reduce_max(tf.abs(damaged - damage(value, seed + 16)))) > 0.1
    assert damage(value[:0], seed).shape == (0, 32, 48, 1)


def test_coarse_grain_has_spots_and_is_as_strong_as_fine_grain():
    fine, coarse = (
        augment._draw_grain(tf.zeros((4, 64, 64, 1)), tf.constant([1, 2]), tf.fill((4, 1, 1, 1), coarseness)).numpy()
        for coarseness in (0.0, 1.0)
    )
    for grain, likeness in ((fine, 0.0), (coarse, 0.8)):  # of neighbours: 56 / 70 for the kernel 1, 4, 6, 4, 1
        assert grain.std() == pytest.approx(1.0, abs=0.1)
        assert np.mean(grain[:, :, 1:] * grain[:, :, :-1]) == pytest.approx(likeness, abs=0.1)


def test_halftone_is_a_square_grid_of_2_to_5_px():
    printed = augment._print_halftone(tf.fill((12, 96, 96, 1), 0.5), tf.constant([5, 6], tf.int64))
    for photo in printed.numpy()[..., 0]:
        power = np.abs(np.fft.fftshift(np.fft.fft2(photo - photo.mean()))) ** 2
        rows, columns = np.unravel_index(np.argsort(power, axis=None)[::-1][:60], power.shape)
        peaks = np.stack([rows - 48, columns - 48], axis=-1) / 96  # cycles per pixel
        lengths = np.hypot(*peaks.T)
        assert 1 / 5.2 < lengths[0] < 1 / 1.9
        np.testing.assert_allclose(
            lengths[np.isclose(power[rows, columns], power.max(), rtol=0.3)], lengths[0], atol=0.02
        )
        across = np.abs(peaks @ peaks[0]) / lengths[0]  # how far along the first wave the others lie
        assert across[:60].min() < 0.02, "a second wave at a right angle"
        assert photo.mean() == pytest.approx(0.5, abs=0.02)


def test_halftone_keeps_the_order_of_tones():
    tones = [augment._print_halftone(tf.fill((12, 60, 60, 1), tone), tf.constant([5, 6])) for tone in (0.2, 0.5, 0.8)]
    dark, middle, light = (tf.reduce_mean(tone, axis=(1, 2, 3)).numpy() for tone in tones)
    assert (dark + 0.1 < middle).all() and (middle + 0.1 < light).all()


def test_low_contrast_leaves_25_to_70_percent():
    value = tf.tile(tf.constant([0.0, 1.0])[None, None, :, None], (200, 1, 1, 1))
    contrast = tf.experimental.numpy.diff(augment._lower_contrast(value, tf.constant([1, 2])), axis=2).numpy()
    assert contrast.min() == pytest.approx(0.25, abs=0.01) and contrast.max() == pytest.approx(0.7, abs=0.01)


def test_uneven_fading_is_smooth_and_darkens_the_edges():
    faded = augment._fade_unevenly(tf.fill((100, 64, 64, 1), 0.5), tf.constant([1, 2])).numpy()[..., 0]
    assert max(np.abs(np.diff(faded, axis=axis)).max() for axis in (1, 2)) < 0.03
    middle, corners = faded[:, 24:40, 24:40].mean(), faded[:, ::63, ::63].mean()
    # 0.5 (1 - 0.3 x squared distance), patches aside: 0.03 of it in the middle on average, 0.53 in the corners.
    assert middle - corners == pytest.approx(0.5 * 0.3 * 0.5, abs=0.02)


def test_strokes_are_as_long_and_thick_as_asked_and_half_of_them_are_there():
    value, seed = tf.zeros((200, 30, 40, 1)), tf.constant([1, 2])
    strokes = augment._draw_strokes(value, seed, num=1, length=(99.0, 99.0), thickness=(2.0, 2.0), slope=0.0)
    strokes = strokes.numpy()[..., 0]
    there = np.abs(strokes).max(axis=(1, 2)) > 0.0
    assert 0.4 < there.mean() < 0.6
    lines = strokes[there]
    assert (lines == lines[:, :1]).all(), "straight down, from end to end"
    inside = lines[(lines[:, 0, :2] == 0.0).all(axis=-1) & (lines[:, 0, -2:] == 0.0).all(axis=-1)]
    strength = inside[:, 0].sum(axis=-1) / 2.0
    np.testing.assert_allclose(
        strength, inside[:, 0][np.arange(len(inside)), np.abs(inside[:, 0]).argmax(-1)], rtol=1e-4
    )
    assert 0.25 <= np.abs(strength).min() < 0.3 and 0.8 < np.abs(strength).max() <= 0.9
    assert 0.3 < (strength > 0.0).mean() < 0.7, "light or dark"


def test_scratches_are_few_and_nearly_vertical():
    value = tf.fill((100, 64, 64, 1), 0.5)
    changed = augment._scratch(value, tf.constant([1, 2])).numpy()[..., 0] != 0.5
    assert 0.02 < changed.mean() < 0.1
    longest_down, longest_across = (changed.sum(axis=axis).max() for axis in (1, 2))
    assert longest_down >= 50 and longest_across <= 24


@pytest.mark.parametrize("convert", [lambda f: f, tf.function], ids=["eager", "graph"])
def test_blur_keeps_the_mean_and_spreads_a_point(convert):
    point = tf.scatter_nd([[0, 4, 4, 0]], [1.0], (1, 9, 9, 1))
    blurred = convert(augment._blur)(point)[0, :, :, 0].numpy()
    assert blurred.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(blurred[4, 2:7], np.array([1, 4, 6, 4, 1]) / 16 * 6 / 16)
