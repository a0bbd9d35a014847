"""Shards written by Beam, and read by two workers."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import beam_cluster
from tests.archives.photos import ROOT, read_tree, run_command
from tests.data.sources_test import colour_photo

READ = """
import json, sys
from colorization import cli
cli.start_tensorflow("cpu")
from colorization.data import sources
class Report:
    names = []
    def add(self, name, reason): self.names.append(name)
    def finish(self): pass
pattern, worker = sys.argv[1:]
source = sources.make_record_source(sources.list_records(pattern)[int(worker) :: 2], report=Report())
epochs = []
for _ in range(2):
    Report.names.clear()
    num_read = sum(1 for _ in source)
    assert num_read == len(Report.names)
    epochs.append(sorted(Report.names))
print(json.dumps(epochs))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(23):
        Image.fromarray(colour_photo(index % 12)).save(folder / f"{index}.png")
    Image.fromarray(np.full((24, 32, 3), 77, np.uint8)).save(folder / "grey.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def threads(photos, tmp_path_factory):
    """Shards that `prepare` writes without Beam, and what it says."""
    folder = tmp_path_factory.mktemp("shards")
    done = run_command("prepare", f"--data_dir={photos}", f"--output_dir={folder}", "--photos_per_shard=4")
    assert done.returncode == 1 and len(read_tree(folder)) == 8  # 7 shards and their index
    return read_tree(folder), done.stdout


def test_two_processes_write_the_same_shards_and_two_workers_read_each_photo_once(photos, threads, tmp_path):
    args = [f"--data_dir={photos}", f"--output_dir={tmp_path}", "--photos_per_shard=4"]
    beam = ["--runner=DirectRunner", "--num_workers=2"]
    done = run_command("prepare", *args, *beam)
    assert done.returncode == 1 and done.stderr == ""
    assert read_tree(tmp_path) == threads[0]
    assert done.stdout.splitlines()[1:] == threads[1].splitlines()[1:]  # the first line names the folder
    assert "7 shards written, 0 were there" in done.stdout

    command = [sys.executable, "-c", READ, f"{tmp_path}/photos-*.tfrecord"]
    workers = [
        subprocess.Popen([*command, str(index)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for index in range(2)
    ]
    epochs = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    everything = sorted(f"{index}.png" for index in range(23))
    for first, second in zip(*epochs, strict=True):
        assert first and second and sorted(first + second) == everything

    (tmp_path / "photos-00003-of-00007.tfrecord").unlink()
    done = run_command("prepare", *args, *beam[:1])
    assert "1 shards written, 6 were there" in done.stdout and read_tree(tmp_path) == threads[0]


def test_dask_writes_the_same_shards(photos, threads, tmp_path):
    with beam_cluster.start_dask(2) as (options, _):
        done = run_command(
            "prepare", f"--data_dir={photos}", f"--output_dir={tmp_path}", "--photos_per_shard=4", *options
        )
    assert done.returncode == 1 and read_tree(tmp_path) == threads[0]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--runner=DirectRunner", "--", "--no_such_option"], "--no_such_option: Beam has no such option"),
        (["--runner=DaskRunner"], "--dask_client_address"),
        (["--", "--no_auth"], "--no_auth: unexpected argument"),
    ],
)
def test_wrong_calls_exit_2_with_one_line(photos, tmp_path, args, reason):
    done = run_command("prepare", f"--data_dir={photos}", f"--output_dir={tmp_path}/out", *args)
    assert done.returncode == 2 and reason in done.stderr and done.stderr.count("\n") == 1
