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


@pytest.mark.parametrize("convert", [lambda f: f, tf.function], ids=["eager", "graph"])
def test_blur_keeps_the_mean_and_spreads_a_point(convert):
    point = tf.scatter_nd([[0, 4, 4, 0]], [1.0], (1, 9, 9, 1))
    blurred = convert(augment._blur)(point)[0, :, :, 0].numpy()
    assert blurred.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(blurred[4, 2:7], np.array([1, 4, 6, 4, 1]) / 16 * 6 / 16)
