"""Where photos come from: a folder of image files, a TFDS data set, or TFRecord shards.

Each `make_*_source` returns a tf.data.Dataset of single photos, `rgb` uint8 (H, W, 3) of any size, in a fixed order
and without the broken and the grey ones, which go into the SkipReport. The report is finished with the first pass.
"""

import hashlib
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from colorization import image_io
from colorization.data.skip_report import SkipReport

RECORD_FEATURES = {
    "name": tf.io.FixedLenFeature((), tf.string),
    "image_bytes": tf.io.FixedLenFeature((), tf.string),
}


class PhotoGroup(NamedTuple):
    """Photos that come with a share of their own.

    Attributes:
      photos: dataset of `rgb` uint8 (H, W, 3).
      share: how often one of them comes, relative to the shares of other groups.
    """

    photos: tf.data.Dataset
    share: float


def split_by_hash(root: Path, files: Sequence[Path], *, val_percent: float) -> tuple[list[Path], list[Path]]:
    """Splits files into training and validation by a hash of their path below `root`.

    A photo stays on its side when others come or go, and when the folder moves. Of two files or more, at least one is
    for validation.

    Args:
      root: folder that the names are relative to.
      files: files below it.
      val_percent: share for validation, 0..100.

    Returns:
      (training files, validation files), in the order given.
    """

    def bucket(file: Path) -> int:
        return zlib.crc32(file.relative_to(root).as_posix().encode("utf-8", "surrogateescape")) % 10_000

    val = [file for file in files if bucket(file) < val_percent * 100]
    if not val and len(files) > 1:
        val = [min(files, key=bucket)]
    chosen = set(val)
    return [file for file in files if file not in chosen], val


def shuffle_by_hash(root: Path, files: Sequence[Path], *, seed: int) -> list[Path]:
    """Shuffles files by a hash of the seed and their path below `root`.

    The others stay in the same order when some come or go, and when the folder moves: a run on a folder with broken
    files equals one without them.

    Args:
      root: folder that the names are relative to.
      files: files below it.
      seed: chooses the order.
    """

    def key(file: Path) -> tuple[bytes, str]:
        name = file.relative_to(root).as_posix()
        return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest(), name

    return sorted(files, key=key)


def make_file_source(files: Sequence[Path], *, max_short_side: int, report: SkipReport) -> tf.data.Dataset:
    """Reads image files, in the order given.

    Args:
      files: image files (JPEG, PNG, WebP, BMP, TIFF, GIF's first frame).
      max_short_side: larger photos are shrunk to this many pixels on their short side.
      report: receives each file, used or skipped.

    Returns:
      Dataset of `rgb` uint8 (H, W, 3).
    """

    def read(path: bytes) -> tuple[np.ndarray, bool]:
        name = path.decode("utf-8", "surrogateescape")
        try:
            rgb = image_io.read_rgb(name, max_short_side=max_short_side)
            reason = "grey" if image_io.is_grey(rgb) else None
        except image_io.ImageError as error:
            rgb, reason = np.zeros((1, 1, 3), np.uint8), str(error)
        report.add(name, reason)
        return rgb, reason is None

    def read_op(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rgb, usable = tf.numpy_function(read, [path], (tf.uint8, tf.bool), stateful=True)
        return tf.ensure_shape(rgb, (None, None, 3)), tf.ensure_shape(usable, ())

    paths = [str(file).encode("utf-8", "surrogateescape") for file in files]
    dataset = tf.data.Dataset.from_tensor_slices(np.array(paths, dtype=object))
    dataset = dataset.map(read_op, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _usable_only(dataset, report)


def list_records(pattern: str) -> list[str]:
    """Lists TFRecord shards, in order.

    Args:
      pattern: glob of shards, local or in a bucket (`gs://bucket/photos-*.tfrecord`).

    Raises:
      ValueError: if no shard matches.
    """
    shards = sorted(tf.io.gfile.glob(pattern))
    if not shards:
        raise ValueError(f"{pattern}: no TFRecord shard matches")
    return shards


def make_record_source(shards: Sequence[str], *, report: SkipReport | None) -> tf.data.Dataset:
    """Reads TFRecord shards as `python -m colorization.prepare` writes them.

    Args:
      shards: files, as `list_records` lists them.
      report: receives each photo; without it, no Python code runs in the dataset, and grey photos stay in.

    Returns:
      Dataset of `rgb` uint8 (H, W, 3).
    """

    def decode(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(record, RECORD_FEATURES)
        rgb = tf.io.decode_jpeg(example["image_bytes"], channels=3, dct_method="INTEGER_ACCURATE")
        return example["name"], rgb

    records = tf.data.TFRecordDataset(shards, num_parallel_reads=None)
    named = records.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return named.map(lambda name, rgb: rgb) if report is None else _without_grey(named, report)


def make_tfds_source(
    name: str,
    *,
    split: str,
    max_short_side: int,
    report: SkipReport,
    data_dir: str | None = None,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Reads the images of a TensorFlow Datasets data set.

    Args:
      name: TFDS name, with config and version if wanted (`imagenette/160px-v2`).
      split: TFDS split expression (`train`, `train[:95%]`).
      max_short_side: larger photos are shrunk to this many pixels on their short side.
      report: receives each photo.
      data_dir: where TFDS keeps its data; None is its default (~/tensorflow_datasets).
      shard: number of the part of the split to take, from 0.
      num_shards: number of parts of even size.

    Returns:
      Dataset of `rgb` uint8 (H, W, 3).

    Raises:
      ValueError: if the data set is unknown, has no images, or is neither on disk nor downloadable.
    """
    import tensorflow_datasets as tfds  # slow to import, and only this source needs it

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if not builder.is_prepared():
            # Offline, the download itself would be tried again and again for minutes, with a line each time.
            socket.getaddrinfo("storage.googleapis.com", 443)
            builder.download_and_prepare()
        parts = tfds.even_splits(split, num_shards) if num_shards > 1 else [split]
        dataset = builder.as_dataset(split=parts[shard], shuffle_files=False)
    except Exception as error:  # TFDS raises a zoo of types for "unknown", "not there" and "no network"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"--tfds={name}: can't be used: {reason.rstrip('.')}. If there is no network here, prepare it on a "
            f"machine with one (`tfds build {name}`), copy ~/tensorflow_datasets and pass "
            "--tfds_data_dir; or use --data_dir"
        ) from error
    if "image" not in builder.info.features:
        raise ValueError(f"--tfds={name}: has no 'image' feature")

    def shrink(index: tf.Tensor, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        rgb = example["image"]
        if rgb.shape[-1] == 1:
            rgb = tf.image.grayscale_to_rgb(rgb)
        short_side = tf.reduce_min(tf.shape(rgb)[:2])
        factor = tf.minimum(max_short_side / short_side, 1.0)
        size = tf.cast(tf.math.ceil(tf.cast(tf.shape(rgb)[:2], tf.float64) * factor), tf.int32)
        small = tf.cast(tf.clip_by_value(tf.round(tf.image.resize(rgb, size, antialias=True)), 0, 255), tf.uint8)
        return tf.strings.format(f"{name}[{{}}]", index), tf.cond(factor < 1.0, lambda: small, lambda: rgb)

    return _without_grey(
        dataset.enumerate().map(shrink, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True), report
    )


def _without_grey(named: tf.data.Dataset, report: SkipReport) -> tf.data.Dataset:
    """Reports each (name, rgb) and keeps the `rgb` that has colour."""

    def check(name: bytes, rgb: np.ndarray) -> bool:
        grey = image_io.is_grey(rgb)
        report.add(name.decode("utf-8", "replace"), "grey" if grey else None)
        return not grey

    def check_op(name: tf.Tensor, rgb: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rgb, tf.ensure_shape(tf.numpy_function(check, [name, rgb], tf.bool, stateful=True), ())

    return _usable_only(named.map(check_op), report)


def _usable_only(flagged: tf.data.Dataset, report: SkipReport) -> tf.data.Dataset:
    """Keeps the `rgb` of the pairs (rgb, usable) that are usable, and finishes the report behind the last one."""

    def finish(_: int) -> tuple[np.ndarray, bool]:
        report.finish()
        return np.zeros((1, 1, 3), np.uint8), False

    def finish_op(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rgb, usable = tf.numpy_function(finish, [index], (tf.uint8, tf.bool), stateful=True)
        return tf.ensure_shape(rgb, (None, None, 3)), tf.ensure_shape(usable, ())

    def is_usable(rgb: tf.Tensor, usable: tf.Tensor) -> tf.Tensor:
        return usable

    def take_rgb(rgb: tf.Tensor, usable: tf.Tensor) -> tf.Tensor:
        return rgb

    end = tf.data.Dataset.from_tensors(0).map(finish_op)
    return flagged.concatenate(end).filter(is_usable).map(take_rgb)
