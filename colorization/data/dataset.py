"""Batches of (l, ab) for training and validation.

Order of the training pipeline, after big_vision's: list, shuffle, decode (`sources.py`), cache raw, shuffle, repeat,
augment, batch, prefetch. The cache holds photos, not crops, so no two epochs see the same crop.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from colorization import color
from colorization.data import augment
from colorization.data.sources import PhotoGroup

# XLA fuses the many small steps of the conversion: 2.3 times as fast on a CPU.
_rgb_to_l_ab = tf.function(color.rgb_to_l_ab, jit_compile=True)


def make_train_dataset(
    photos: tf.data.Dataset | Sequence[PhotoGroup],
    *,
    image_size: int,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    min_area: float = 0.3,
    aged_share: float = 0.5,
    cache: str = "memory",
    shuffle_buffer: int = 50_000,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Turns photos into endless training batches.

    The same photos and seed give the same batches. Batch number n doesn't depend on when it is asked for: a run that
    resumes with `first_step=n` sees what the uninterrupted run would have seen.

    Args:
      photos: `rgb` uint8 (H, W, 3), any sizes; or groups of them: each photo is then of one drawn by its share, and
        in each the photos take turns.
      image_size: side of the square crops in pixels.
      batch_size: photos per batch.
      seed: of order and augmentation.
      first_step: batches that were consumed before.
      min_area: smallest part of a photo's area that a crop takes, in (0, 1].
      aged_share: share of photos whose lightness is aged (`augment.age_lightness`).
      cache: "memory", "none", or a file name prefix for a cache on disk.
      shuffle_buffer: photos to shuffle among; a data set larger than this is shuffled by windows.
      shard: which shard of the data the photos are, from 0; each draws its own random numbers.
      num_shards: how many there are.

    Returns:
      Dataset of (l, ab): float32 (B, S, S, 1) and (B, S, S, 2) in [-1, 1].
    """

    def take_turns(photos: tf.data.Dataset, suffix: str = "") -> tf.data.Dataset:
        if cache != "none":
            suffix = suffix if num_shards == 1 else f"-{shard}{suffix}"
            photos = photos.cache("" if cache == "memory" else cache + suffix)
        return photos.shuffle(shuffle_buffer, seed=seed + shard, reshuffle_each_iteration=True).repeat()

    if isinstance(photos, tf.data.Dataset):
        stream = take_turns(photos)
    else:
        shares = [group.share for group in photos]
        stream = tf.data.Dataset.sample_from_datasets(
            [take_turns(group.photos, f"-group{index}") for index, group in enumerate(photos)],
            [share / sum(shares) for share in shares],
            seed=seed + shard,
        )
    stream = stream.enumerate().skip(first_step * batch_size)

    def crop(index: tf.Tensor, rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # 16 seeds apart, so that no two photos share one.
        index = index * num_shards + shard
        photo_seed = tf.stack([tf.constant(seed, tf.int64), index * 16])
        return index, augment.random_crop_and_flip(rgb, photo_seed, size=image_size, min_area=min_area)

    def convert(index: tf.Tensor, rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        l, ab = _rgb_to_l_ab(rgb)
        batch_seed = tf.stack([tf.constant(seed + 1, tf.int64), index[0] * 16])
        return augment.age_lightness(l, batch_seed, share=aged_share), ab

    return (
        stream.map(crop, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder=True)
        .map(convert, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def make_sharded_train_dataset(
    make_photos: Callable[[int], tf.data.Dataset | Sequence[PhotoGroup]],
    *,
    shards: Sequence[int],
    num_shards: int,
    batch_size: int,
    cache: str = "memory",
    **settings,
) -> tf.data.Dataset:
    """Turns shards of photos into the part of endless global batches that comes of them.

    Each global batch has as many photos of each shard, those of shard 0 first. Whether one worker reads all shards or
    several share them, the global batches are the same.

    Args:
      make_photos: called with the number of a shard; returns its photos, as `make_train_dataset` takes them.
      shards: those to read, in order.
      num_shards: how many there are in all.
      batch_size: photos per global batch, a multiple of `num_shards`.
      cache: as for `make_train_dataset`.
      **settings: the others of `make_train_dataset`.

    Returns:
      Dataset of (l, ab): float32 (B, S, S, 1) and (B, S, S, 2) in [-1, 1], B = batch_size * len(shards) / num_shards.
    """
    batches = [
        make_train_dataset(
            make_photos(shard),
            batch_size=batch_size // num_shards,
            shard=shard,
            num_shards=num_shards,
            cache=cache,
            **settings,
        )
        for shard in shards
    ]
    if len(batches) == 1:
        return batches[0]

    def join(*parts: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        l, ab = (tf.concat(tensors, axis=0) for tensors in zip(*parts, strict=True))
        return l, ab

    return tf.data.Dataset.zip(tuple(batches)).map(join).prefetch(tf.data.AUTOTUNE)


def make_val_dataset(photos: tf.data.Dataset, *, image_size: int, batch_size: int) -> tf.data.Dataset:
    """Turns photos into validation batches: centre square, resized, never augmented, in order, each photo once.

    Args:
      photos: `rgb` uint8 (H, W, 3), any sizes.
      image_size: side of the square in pixels.
      batch_size: photos per batch; the last one may be smaller.

    Returns:
      Dataset of (l, ab): float32 (B, S, S, 1) and (B, S, S, 2) in [-1, 1], cached in memory.
    """

    def convert(rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        side = tf.reduce_min(tf.shape(rgb)[:2])
        square = tf.image.resize_with_crop_or_pad(rgb, side, side)
        square = tf.image.resize(square, (image_size, image_size), antialias=True)
        return color.rgb_to_l_ab(tf.clip_by_value(square / 255.0, 0.0, 1.0))

    batches = photos.map(convert, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(batch_size).cache()
    # Filtered photos have no known number; Keras warns of "running out of data" unless it is told.
    return batches.apply(tf.data.experimental.assert_cardinality(sum(1 for _ in batches)))


def split_val_batches(val: tf.data.Dataset, part: int, num_parts: int, batch_size: int) -> tf.data.Dataset:
    """A worker's part of endlessly repeated validation batches of equal size; photos beyond the last are left out.

    Args:
      val: as `make_val_dataset` returns it.
      part: number of the part, from 0.
      num_parts: parts of a batch.
      batch_size: of the batches to be split, a multiple of `num_parts`.
    """
    size = batch_size // num_parts
    photos = val.unbatch().batch(batch_size, drop_remainder=True).repeat()
    return photos.map(lambda l, ab: (l[part * size : (part + 1) * size], ab[part * size : (part + 1) * size]))
