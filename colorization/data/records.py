"""TFRecord shards of photos: one file per few thousand photos, for training from a bucket or a slow disk.

Each record is a tf.train.Example of `name` (the photo's path below its folder) and `image_bytes` (a JPEG, upright,
sRGB, short side at most what was asked for).
"""

import dataclasses
import io
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from PIL import Image

from colorization import image_io, unfinished
from colorization.data.skip_report import SkipReport
from colorization.data.sources import RECORD_FEATURES

INDEX_NAME = "index.json"


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """Which photo goes into which shard; the same folder and settings always give the same plan.

    Attributes:
      root: folder of the photos.
      names: photo paths below it, shuffled, so that each shard is a fair sample.
      photos_per_shard: photos in each shard but the last.
      max_short_side: larger photos are shrunk to this many pixels on their short side.
      jpeg_quality: 1..100.
    """

    root: Path
    names: tuple[str, ...]
    photos_per_shard: int
    max_short_side: int
    jpeg_quality: int

    @property
    def num_shards(self) -> int:
        """Number of shard files."""
        return -(-len(self.names) // self.photos_per_shard)

    def shard_name(self, index: int) -> str:
        """File name of a shard, in TensorFlow's usual form."""
        return f"photos-{index:05d}-of-{self.num_shards:05d}.tfrecord"

    def shard_photos(self, index: int) -> tuple[str, ...]:
        """Names of the photos of a shard."""
        return self.names[index * self.photos_per_shard : (index + 1) * self.photos_per_shard]


def make_plan(
    root: Path, files: Sequence[Path], *, photos_per_shard: int, max_short_side: int, jpeg_quality: int, seed: int
) -> ShardPlan:
    """Plans the shards of the files below `root`; arguments as in `ShardPlan`."""
    names = sorted(file.relative_to(root).as_posix() for file in files)
    random.Random(seed).shuffle(names)
    return ShardPlan(root, tuple(names), photos_per_shard, max_short_side, jpeg_quality)


def write_index(plan: ShardPlan, output_dir: Path) -> None:
    """Writes the plan beside the shards, or checks that shards already there belong to the same plan.

    Raises:
      ValueError: if they belong to another one.
    """
    path = output_dir / INDEX_NAME
    index = {key: value for key, value in dataclasses.asdict(plan).items() if key != "root"}
    text = json.dumps(index, indent=1, default=list)
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            raise ValueError(f"{path}: these shards were made of other photos or settings; choose another folder")
        return
    _write_atomically(path, text.encode("utf-8", "surrogateescape"))


def write_shard(plan: ShardPlan, index: int, output_dir: Path, report: SkipReport) -> bool:
    """Writes one shard, whole or not at all.

    Args:
      plan: what goes where.
      index: number of the shard, from 0.
      output_dir: existing folder.
      report: receives each photo; broken and grey ones are left out.

    Returns:
      False if the shard was there already, and nothing was read.
    """
    path = output_dir / plan.shard_name(index)
    if path.exists():
        return False
    temporary = unfinished.make_path(output_dir)  # of its own, should two workers be given the same shard
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for name in plan.shard_photos(index):
                try:
                    rgb = image_io.read_rgb(plan.root / name, max_short_side=plan.max_short_side)
                except image_io.ImageError as error:
                    report.add(name, str(error))
                    continue
                grey = image_io.is_grey(rgb)
                report.add(name, "grey" if grey else None)
                if not grey:
                    writer.write(_make_record(name, rgb, plan.jpeg_quality))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def _make_record(name: str, rgb, jpeg_quality: int) -> bytes:
    """Serializes one photo, `rgb` uint8 (H, W, 3), to the features in `sources.RECORD_FEATURES`."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=jpeg_quality, subsampling=0)
    values = {"name": name.encode("utf-8", "surrogateescape"), "image_bytes": buffer.getvalue()}
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[values[key]])) for key in RECORD_FEATURES}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)  # else each process has an order of its own


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
