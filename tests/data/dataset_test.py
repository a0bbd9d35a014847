"""Batches of (l, ab)."""

import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.data import dataset
from colorization.data.sources import PhotoGroup

SOLID = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 40), (20, 90, 160)]


def solid_photos() -> tf.data.Dataset:
    """Photos of one colour each, of different sizes."""

    def generate():
        for index, rgb in enumerate(SOLID):
            yield np.full((20 + index, 30 - index, 3), rgb, np.uint8)

    return tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec((None, None, 3), tf.uint8))


def make(**changes) -> tf.data.Dataset:
    settings = {"image_size": 16, "batch_size": 2, "seed": 3, "aged_share": 0.0} | changes
    return dataset.make_train_dataset(solid_photos(), **settings)


def take(batches: tf.data.Dataset, num: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(batches.take(num).as_numpy_iterator())


def test_batches_hold_the_photos_in_lab():
    seen = set()
    for l, ab in take(make(), 5):
        assert l.shape == (2, 16, 16, 1) and ab.shape == (2, 16, 16, 2) and l.dtype == ab.dtype == np.float32
        rgb = np.round(color.l_ab_to_rgb(l, ab).numpy() * 255).astype(int)
        assert (rgb == rgb[:, :1, :1]).all()
        seen |= {tuple(photo[0, 0]) for photo in rgb}
    assert seen == set(SOLID), "two epochs show every photo"


def test_same_seed_same_batches_other_seed_other_batches():
    aged = {"aged_share": 1.0}
    first, again, other = take(make(**aged), 4), take(make(**aged), 4), take(make(seed=4, **aged), 4)
    for (l, ab), (l_again, ab_again) in zip(first, again, strict=True):
        np.testing.assert_array_equal(l, l_again)
        np.testing.assert_array_equal(ab, ab_again)
    assert any((l != l_other).any() for (l, _), (l_other, _) in zip(first, other, strict=True))


@pytest.mark.parametrize("first_step", [1, 4])
def test_a_resumed_run_sees_what_the_uninterrupted_one_would(first_step):
    whole = take(make(aged_share=1.0), 7)
    resumed = take(make(aged_share=1.0, first_step=first_step), 7 - first_step)
    for (l, ab), (l_resumed, ab_resumed) in zip(whole[first_step:], resumed, strict=True):
        np.testing.assert_array_equal(l, l_resumed)
        np.testing.assert_array_equal(ab, ab_resumed)


def make_groups(**changes) -> tf.data.Dataset:
    """The first two solid photos and the other three, as groups: one drawn in four is of the first."""
    groups = [PhotoGroup(solid_photos().take(2), 2.0), PhotoGroup(solid_photos().skip(2), 6.0)]
    settings = {"image_size": 8, "batch_size": 8, "seed": 3, "aged_share": 0.0} | changes
    return dataset.make_train_dataset(groups, **settings)


def test_groups_come_by_their_shares_and_the_photos_of_one_take_turns():
    batches = take(make_groups(), 100)
    rgb = np.concatenate([color.l_ab_to_rgb(l, ab).numpy()[:, 0, 0] for l, ab in batches])
    drawn = [SOLID.index(tuple(photo)) for photo in np.round(rgb * 255).astype(int)]
    counts = np.bincount(drawn, minlength=5)
    assert counts[:2].sum() / 800 == pytest.approx(0.25, abs=0.04)
    assert np.ptp(counts[:2]) <= 1 and np.ptp(counts[2:]) <= 1


def test_groups_are_drawn_the_same_again_and_after_a_stop(tmp_path):
    whole, resumed = take(make_groups(), 5), take(make_groups(first_step=3, cache=str(tmp_path / "cache")), 2)
    for (l, ab), (l_resumed, ab_resumed) in zip(whole[3:], resumed, strict=True):
        np.testing.assert_array_equal(l, l_resumed)
        np.testing.assert_array_equal(ab, ab_resumed)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(whole[0][1], take(make_groups(seed=4), 1)[0][1])


def test_photos_are_cached_but_crops_are_not():
    reads = []

    def generate():
        reads.append(1)
        yield np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)

    photos = tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec((None, None, 3), tf.uint8))
    batches = take(dataset.make_train_dataset(photos, image_size=16, batch_size=1, seed=0), 6)
    assert len(reads) == 1
    assert len({ab.tobytes() for _, ab in batches}) == 6


def test_aging_changes_lightness_only():
    (l, ab), (aged_l, aged_ab) = take(make(), 1)[0], take(make(aged_share=1.0), 1)[0]
    np.testing.assert_array_equal(ab, aged_ab)
    assert (l != aged_l).any()


def test_validation_takes_the_centre_square_of_each_photo_once():
    def generate():
        photo = np.zeros((10, 30, 3), np.uint8)
        photo[:, 10:20] = (200, 150, 40)
        for _ in range(3):
            yield photo

    photos = tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec((None, None, 3), tf.uint8))
    batches = dataset.make_val_dataset(photos, image_size=8, batch_size=2)
    assert int(batches.cardinality()) == 2
    for _ in range(2):
        pairs = list(batches.as_numpy_iterator())
        assert [len(l) for l, _ in pairs] == [2, 1]
        expected_l, expected_ab = color.rgb_to_l_ab(tf.constant([[[200, 150, 40]]], tf.float32) / 255.0)
        for l, ab in pairs:
            np.testing.assert_allclose(l, np.broadcast_to(expected_l, l.shape), atol=1e-3)
            np.testing.assert_allclose(ab, np.broadcast_to(expected_ab, ab.shape), atol=1e-3)


def make_shards(shards: list[int], num_shards: int, **changes) -> tf.data.Dataset:
    """Shards of the solid photos, dealt one by one."""
    settings = {"image_size": 8, "seed": 3, "aged_share": 0.5, "batch_size": 4} | changes
    return dataset.make_sharded_train_dataset(
        lambda shard: solid_photos().shard(num_shards, shard), shards=shards, num_shards=num_shards, **settings
    )


def test_workers_with_shards_of_their_own_make_up_the_batches_of_one_with_all():
    whole = take(make_shards([0, 1], 2), 3)
    parts = [take(make_shards([shard], 2), 3) for shard in (0, 1)]
    for step, (l, ab) in enumerate(whole):
        np.testing.assert_array_equal(l, np.concatenate([part[step][0] for part in parts]))
        np.testing.assert_array_equal(ab, np.concatenate([part[step][1] for part in parts]))
    resumed = take(make_shards([0, 1], 2, first_step=2), 1)
    np.testing.assert_array_equal(resumed[0][0], whole[2][0])


def test_no_dynamic_shape_reaches_the_training_step():
    val = dataset.make_val_dataset(solid_photos(), image_size=8, batch_size=4)
    for batches, size in (
        (make(image_size=8), 2),
        (make_shards([0], 2), 2),
        (make_shards([0, 1], 2), 4),
        (make_shards([0, 1], 2).rebatch(2, drop_remainder=True), 2),
        (dataset.split_val_batches(val, 1, 2, 4), 2),
    ):
        l, ab = batches.element_spec
        assert l.shape.as_list() == [size, 8, 8, 1] and ab.shape.as_list() == [size, 8, 8, 2]


def test_parts_of_validation_batches_make_up_the_batches_again_and_again():
    val = dataset.make_val_dataset(solid_photos(), image_size=8, batch_size=3)
    photos = np.concatenate([ab for _, ab in val.as_numpy_iterator()])
    assert len(photos) == 5
    parts = [[ab for _, ab in take(dataset.split_val_batches(val, part, 2, 4), 2)] for part in range(2)]
    for repeat in range(2):
        np.testing.assert_array_equal(np.concatenate([part[repeat] for part in parts]), photos[:4])
