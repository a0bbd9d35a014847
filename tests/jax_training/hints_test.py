"""Simulated hints: what `tests/training/hint_sampling_test.py` asks of TensorFlow's."""

import jax
import jax.numpy as jnp
import numpy as np

from colorization.jax_training.hints import MAX_POINTS, sample_hints

KEY = jax.random.key(7)


def flat_l(ab: jax.Array) -> jax.Array:
    return jnp.zeros((*ab.shape[:3], 1))


def photos(num: int) -> jax.Array:
    return jax.random.uniform(jax.random.key(1), (num, 24, 40, 2), minval=-0.5, maxval=0.5)


def test_hints_show_true_colours_and_nothing_elsewhere():
    flat = jnp.tile(jnp.linspace(-0.5, 0.5, 8).reshape(8, 1, 1, 1), (1, 24, 40, 2))
    hints, ab = sample_hints(KEY, flat_l(flat), flat, recoloured_share=0.0)
    np.testing.assert_array_equal(ab, flat)
    mask = np.asarray(hints)[..., 2]
    assert set(np.unique(mask)) == {0.0, 1.0} and (mask.sum(axis=(1, 2)) > 0).all()
    np.testing.assert_allclose(hints[..., :2], flat * mask[..., np.newaxis], atol=1e-6)


def test_a_hint_shows_the_mean_of_its_square():
    ab = photos(64)
    hints = np.asarray(sample_hints(KEY, flat_l(ab), ab, recoloured_share=0.0)[0])
    squares = 0
    for photo, hint in zip(np.asarray(ab), hints, strict=True):
        rows, columns = np.nonzero(hint[..., 2])
        top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        # A photo with a single square, away from the borders.
        if len(rows) == (bottom - top) * (right - left) and bottom - top == right - left <= 9 and top > 0 < left:
            square = np.s_[top:bottom, left:right]
            mean = photo[square].mean(axis=(0, 1))
            np.testing.assert_allclose(hint[square][..., :2], np.broadcast_to(mean, photo[square].shape), atol=1e-5)
            squares += 1
    assert squares >= 3


def test_number_of_points_is_geometric():
    ab = jnp.zeros((400, 64, 64, 2))
    covered = np.asarray(sample_hints(KEY, flat_l(ab), ab, recoloured_share=0.0)[0])[..., 2].sum(axis=(1, 2))
    # One point in eight photos is alone: at most 9x9 pixels.
    assert 0.08 < np.mean(covered <= 81) < 0.45
    assert covered.max() <= MAX_POINTS * 81


def test_the_same_key_gives_the_same_hints():
    ab = photos(4)
    first, again = (sample_hints(KEY, flat_l(ab), ab, recoloured_share=0.5) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    other = sample_hints(jax.random.key(8), flat_l(ab), ab, recoloured_share=0.5)
    assert (np.asarray(other[0]) != np.asarray(first[0])).any()


def test_recolouring_changes_one_colour_and_hints_at_it():
    halves = jnp.concatenate([jnp.full((32, 24, 20, 2), -0.4), jnp.full((32, 24, 20, 2), 0.4)], axis=2)
    hints, ab = sample_hints(KEY, flat_l(halves), halves, recoloured_share=1.0)
    changed = np.abs(ab - halves).max(axis=-1) > 0.02  # (B, H, W)
    left, right = (side.any(axis=(1, 2)) for side in (changed[:, :, :20], changed[:, :, 20:]))
    assert (left != right).all()
    hinted = np.asarray(hints)[..., 2] > 0
    assert (hinted & changed).any(axis=(1, 2)).all()


def test_recolouring_stops_where_lightness_changes():
    ab = jnp.zeros((32, 24, 40, 2))
    l = jnp.concatenate([jnp.full((32, 24, 20, 1), -0.9), jnp.full((32, 24, 20, 1), 0.9)], axis=2)
    _, other = sample_hints(KEY, l, ab, recoloured_share=1.0)
    left, right = (np.abs(side).max(axis=(1, 2, 3)) > 0.02 for side in (other[:, :, :20], other[:, :, 20:]))
    assert (left != right).all()


def test_the_given_share_of_photos_is_recoloured():
    ab = jnp.zeros((400, 24, 40, 2))
    _, other = sample_hints(KEY, flat_l(ab), ab, recoloured_share=0.3)
    assert 0.22 < np.any(np.asarray(other), axis=(1, 2, 3)).mean() < 0.38
