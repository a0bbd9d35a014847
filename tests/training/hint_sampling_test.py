"""Simulated hints."""

import numpy as np
import tensorflow as tf

from colorization.training.hint_sampling import MAX_POINTS, sample_hints

SEED = tf.constant([3, 4], tf.int64)


def flat_l(ab: tf.Tensor) -> tf.Tensor:
    return tf.zeros((*ab.shape[:3], 1))


def photos(num: int) -> tf.Tensor:
    return tf.random.stateless_uniform((num, 24, 40, 2), (1, 2), -0.5, 0.5)


def test_hints_show_true_colours_and_nothing_elsewhere():
    flat = tf.tile(tf.reshape(tf.linspace(-0.5, 0.5, 8), (8, 1, 1, 1)), (1, 24, 40, 2))
    hints, ab = sample_hints(flat_l(flat), flat, SEED)
    np.testing.assert_array_equal(ab, flat)
    mask = hints.numpy()[..., 2]
    assert set(np.unique(mask)) == {0.0, 1.0} and (mask.sum(axis=(1, 2)) > 0).all()
    np.testing.assert_allclose(hints[..., :2], flat * mask[..., np.newaxis], atol=1e-6)


def test_a_hint_shows_the_mean_of_its_square():
    ab = photos(64)
    hints = sample_hints(flat_l(ab), ab, SEED)[0].numpy()
    squares = 0
    for photo, hint in zip(ab.numpy(), hints, strict=True):
        rows, columns = np.nonzero(hint[..., 2])
        top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        # A photo with a single square, away from the borders.
        if len(rows) == (bottom - top) * (right - left) and bottom - top == right - left <= 9 and top > 0 < left:
            mean = photo[top:bottom, left:right].mean(axis=(0, 1))
            np.testing.assert_allclose(
                hint[top:bottom, left:right, :2],
                np.broadcast_to(mean, (*rows.shape, 2)).reshape(bottom - top, -1, 2),
                atol=1e-5,
            )
            squares += 1
    assert squares >= 3


def test_number_of_points_is_geometric():
    ab = tf.zeros((400, 64, 64, 2))
    covered = sample_hints(flat_l(ab), ab, SEED)[0].numpy()[..., 2].sum(axis=(1, 2))
    # One point in eight photos is alone: at most 9x9 pixels.
    assert 0.08 < np.mean(covered <= 81) < 0.45
    assert covered.max() <= MAX_POINTS * 81


def test_the_same_seed_gives_the_same_hints():
    ab = photos(4)
    first, again = (sample_hints(flat_l(ab), ab, SEED, recoloured_share=0.5) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (sample_hints(flat_l(ab), ab, SEED + 100)[0].numpy() != first[0].numpy()).any()


def test_recolouring_changes_one_colour_and_hints_at_it():
    halves = tf.concat([tf.fill((32, 24, 20, 2), -0.4), tf.fill((32, 24, 20, 2), 0.4)], axis=2)
    hints, ab = sample_hints(flat_l(halves), halves, SEED, recoloured_share=1.0)
    changed = np.abs(ab - halves).max(axis=-1) > 0.02  # (B, H, W)
    left, right = (side.any(axis=(1, 2)) for side in (changed[:, :, :20], changed[:, :, 20:]))
    assert (left != right).all()
    hinted = hints.numpy()[..., 2] > 0
    assert (hinted & changed).any(axis=(1, 2)).all()


def test_recolouring_stops_where_lightness_changes():
    ab = tf.zeros((32, 24, 40, 2))
    l = tf.concat([tf.fill((32, 24, 20, 1), -0.9), tf.fill((32, 24, 20, 1), 0.9)], axis=2)
    _, other = sample_hints(l, ab, SEED, recoloured_share=1.0)
    left, right = (np.abs(side).max(axis=(1, 2, 3)) > 0.02 for side in (other[:, :, :20], other[:, :, 20:]))
    assert (left != right).all()
