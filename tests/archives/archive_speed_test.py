"""The benchmark of archives: that it counts right, and a small run of it."""

import os
import subprocess
import sys

from benchmarks import archive_speed
from tests.archives.photos import ROOT


def test_results_are_counted_as_they_appear(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with archive_speed.count_results(folders) as counts:
        for folder, name in [("a", "1.jpg"), ("b", "1.jpg"), ("a", "größe.jpg"), ("a", "1.jpg")]:
            (tmp_path / "temporary").touch()
            os.replace(tmp_path / "temporary", tmp_path / folder / name)
        (tmp_path / "a" / "2.jpg").touch()
    assert counts == {
        f"{tmp_path}/a/1.jpg": 2,
        f"{tmp_path}/a/größe.jpg": 1,
        f"{tmp_path}/b/1.jpg": 1,
    }


def test_two_processes_lose_nothing_and_do_nothing_twice(tiny_model_dir):
    command = [sys.executable, "-m", "benchmarks.archive_speed", "--num_photos=60", "--systems=colorize,direct"]
    done = subprocess.run(
        [*command, f"--model_dir={tiny_model_dir}"], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["colorize", "direct"]
    for row in rows:
        assert float(row[2]) > 0.0 and row[3:] == ["0", "0", "0", "2 of 2"]
