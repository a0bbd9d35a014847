"""The photos of a training run: a part of them for validation, the others whole or dealt into shards.

A worker reads the files of its own shards, and no others. Each function returns (make_train, val): `make_train` is
called with the number of a shard, from 0, and returns its photos; `val` holds those for validation. Both are datasets
of `rgb` uint8 (H, W, 3), see `sources.py`; of a folder whose groups have shares, `make_train` returns these groups.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from colorization import image_io
from colorization.data import sources
from colorization.data.skip_report import SkipReport

Sources = tuple[Callable[[int], tf.data.Dataset | Sequence[sources.PhotoGroup]], tf.data.Dataset]


def open_folder(
    data_dir: Path,
    val_data_dir: Path | None,
    *,
    num_shards: int,
    val_percent: float,
    num_val_photos: int,
    max_short_side: int,
    seed: int,
    report_dir: Path,
    group_shares: Mapping[str, float] | None = None,
) -> Sources:
    """Takes image files below a folder; shard i gets every `num_shards`-th of them, from the i-th on.

    Args:
      data_dir: of the photos for training.
      val_data_dir: of those for validation; None for a part of `data_dir`, chosen by a hash.
      num_shards: to deal the photos for training into.
      val_percent: that part, 0..100.
      num_val_photos: photos for validation, at most.
      max_short_side: larger photos are shrunk to this many pixels on their short side.
      seed: chooses the order.
      report_dir: gets the lists of photos that can't be used.
      group_shares: how often photos of a subfolder come, relative to those of others; all that are not named come as
        often as they are many.

    Raises:
      ValueError: if there are no photos, or fewer than shards; or if a share is of no subfolder.
    """
    files = image_io.list_photos([data_dir], recursive=True)
    if val_data_dir is not None:
        val_files = image_io.list_photos([val_data_dir], recursive=True)
    else:
        files, val_files = sources.split_by_hash(data_dir, files, val_percent=val_percent)
    if not files:
        raise ValueError(f"{data_dir}: no training photos found")
    if not val_files:
        raise ValueError(f"{val_data_dir or data_dir}: no validation photos found")
    files = sources.shuffle_by_hash(data_dir, files, seed=seed)
    groups = _split_into_groups(data_dir, files, group_shares or {})
    for folder, group in groups.items():
        if len(group) < num_shards:
            raise ValueError(f"{folder}: {len(group)} training photos can't be dealt into {num_shards} shards")
    # Every k-th file, so that a sorted list of folders is represented evenly.
    val_files = val_files[:: math.ceil(len(val_files) / num_val_photos)]

    def make_photos(shard: int, folder: Path) -> tf.data.Dataset:
        report = _make_report(report_dir, shard, num_shards, "" if folder == data_dir else folder.name)
        return sources.make_file_source(groups[folder][shard::num_shards], max_short_side=max_short_side, report=report)

    def make_train(shard: int) -> tf.data.Dataset | list[sources.PhotoGroup]:
        if not group_shares:
            return make_photos(shard, data_dir)
        shares = {data_dir / name: share for name, share in group_shares.items()}
        rest = len(groups.get(data_dir, [])) / len(files)
        return [sources.PhotoGroup(make_photos(shard, folder), shares.get(folder, rest)) for folder in groups]

    report = SkipReport("validation")
    return make_train, sources.make_file_source(val_files, max_short_side=max_short_side, report=report)


def open_tfds(
    name: str,
    data_dir: str | None,
    *,
    num_shards: int,
    val_percent: float,
    num_val_photos: int,
    max_short_side: int,
    report_dir: Path,
) -> Sources:
    """Takes a TFDS data set; shards are parts of its split, and TFDS reads no files but theirs.

    Args:
      name: see `sources.make_tfds_source`.
      data_dir: see there.
      val_percent: the first so many percent are for validation, in whole percents.
      num_shards: see `open_folder`, as for the others.
    """
    percent = max(1, round(val_percent))

    def make(split: str, report: SkipReport, **part: int) -> tf.data.Dataset:
        return sources.make_tfds_source(
            name, split=split, max_short_side=max_short_side, report=report, data_dir=data_dir, **part
        )

    def make_train(shard: int) -> tf.data.Dataset:
        report = _make_report(report_dir, shard, num_shards)
        return make(f"train[{percent}%:]", report, shard=shard, num_shards=num_shards)

    return make_train, make(f"train[:{percent}%]", SkipReport("validation")).take(num_val_photos)


def open_records(
    pattern: str, *, num_shards: int, num_val_photos: int, report_dir: Path, in_python: bool = True
) -> Sources:
    """Takes TFRecord files. With one shard, the first photos are for validation; with more, photos of the first file.

    Args:
      pattern: see `sources.list_records`.
      num_shards: see `open_folder`, as for the others.
      in_python: whether grey photos are looked for and reported. That is Python code, which the hosts of a TPU can't
        run; `prepare` leaves grey photos out anyway.

    Raises:
      ValueError: if there are no files, or too few for the shards.
    """
    files = sources.list_records(pattern)
    if 1 < num_shards >= len(files):
        raise ValueError(
            f"{pattern}: {len(files)} files, one of them for validation, can't be dealt into {num_shards} shards"
        )

    def make(files: list[str], report: SkipReport) -> tf.data.Dataset:
        return sources.make_record_source(files, report=report if in_python else None)

    def make_train(shard: int) -> tf.data.Dataset:
        report = _make_report(report_dir, shard, num_shards)
        if num_shards == 1:
            return make(files, report).skip(num_val_photos)
        return make(files[1:][shard::num_shards], report)

    val_files = files if num_shards == 1 else files[:1]
    return make_train, make(val_files, SkipReport("validation")).take(num_val_photos)


def _split_into_groups(data_dir: Path, files: Sequence[Path], shares: Mapping[str, float]) -> dict[Path, list[Path]]:
    """Returns the files of each subfolder that has a share, and under `data_dir` itself all others."""
    groups = {}
    for file in files:
        name = file.relative_to(data_dir).parts[0]
        groups.setdefault(data_dir / name if name in shares else data_dir, []).append(file)
    for name in shares:
        if data_dir / name not in groups or not (data_dir / name).is_dir():
            raise ValueError(f"{data_dir / name}: has a share, but no photos for training")
    if data_dir not in groups and not any(shares.values()):
        raise ValueError(f"{data_dir}: the shares of all its photos are 0")
    return groups


def _make_report(folder: Path, shard: int, num_shards: int, group: str = "") -> SkipReport:
    title, name = ("training", "skipped") if not group else (f"training, {group}", f"skipped-{group}")
    if num_shards == 1:
        return SkipReport(title, folder / f"{name}.csv")
    return SkipReport(f"{title}, shard {shard}", folder / f"{name}-{shard:05d}-of-{num_shards:05d}.csv")
