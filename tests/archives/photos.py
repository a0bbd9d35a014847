"""Photos, records and calls that several tests of archives share."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

ROOT = Path(__file__).parents[2]


def save_photo(path: Path, seed: int = 0, *, size: tuple[int, int] = (70, 50)) -> bytes:
    """Writes a grey photo of noise, in the format of its suffix, and returns the file's content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)).save(path)
    return path.read_bytes()


def make_example(name: bytes | None, image_bytes: bytes) -> bytes:
    """Serializes a record as `prepare` writes it; without a name if that is None."""
    values = {"image_bytes": image_bytes} | ({} if name is None else {"name": name})
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_records(path: Path, examples: list[bytes]) -> None:
    """Writes a TFRecord file with TensorFlow's own writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example)


def run_command(command: str, *args: object, **options) -> subprocess.CompletedProcess:
    """Runs a command of the project as a user would."""
    words = [sys.executable, "-m", f"colorization.{command}", *map(str, args)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


def read_tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder by their path there; the list of errors, leftovers and folders left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "errors.tsv"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
