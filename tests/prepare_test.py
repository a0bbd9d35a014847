"""The prepare command, as a user calls it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.sources_test import colour_photo

ROOT = Path(__file__).parents[1]


def prepare(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "colorization.prepare", *map(str, args)], cwd=ROOT, capture_output=True, text=True
    )


def test_writes_shards_names_the_broken_and_resumes(tmp_path):
    photos, shards = tmp_path / "photos", tmp_path / "shards"
    photos.mkdir()
    for index in range(4):
        Image.fromarray(colour_photo(index)).save(photos / f"{index}.png")
    Image.fromarray(np.full((24, 32, 3), 77, np.uint8)).save(photos / "grey.png")
    flags = [f"--data_dir={photos}", f"--output_dir={shards}", "--photos_per_shard=2"]
    done = prepare(*flags)
    assert done.returncode == 0, done.stderr
    assert "3 shards written, 0 were there" in done.stdout
    assert "prepared: 4 of 5 photos used, 1 skipped\n  grey.png: grey" in done.stdout
    (shards / "photos-00001-of-00003.tfrecord").unlink()
    assert "1 shards written, 2 were there" in prepare(*flags).stdout
    other = prepare(*flags, "--jpeg_quality=50")
    assert other.returncode == 2 and other.stderr.count("\n") == 1 and "index.json" in other.stderr


def test_a_broken_photo_is_named_and_the_rest_are_done(tmp_path):
    Image.fromarray(colour_photo(1)).save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    done = prepare(f"--data_dir={tmp_path}", f"--output_dir={tmp_path / 'shards'}")
    assert done.returncode == 1
    assert "1 of 2 photos used" in done.stdout and "broken.png" in done.stdout


def test_wrong_calls_exit_2_with_one_line(tmp_path):
    for args, culprit in [
        ([f"--data_dir={tmp_path}", f"--output_dir={tmp_path}"], str(tmp_path)),
        ([f"--data_dir={tmp_path}"], "--output_dir"),
        (["--data_dir=x", "--output_dir=y", "--jpeg_quality=101"], "jpeg_quality"),
        (["--no_such_flag"], "no_such_flag"),
    ]:
        done = prepare(*args)
        assert done.returncode == 2 and culprit in done.stderr and done.stderr.count("\n") == 1, done.stderr
