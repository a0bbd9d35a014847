"""Two workers do what one process does; one is killed, and they go on. The whole takes the benchmark minutes."""

import signal

import numpy as np
import pytest

from benchmarks import distributed_processes
from benchmarks.distributed_processes import Training, compare, read_weights
from benchmarks.faults import synthetic_photos

# A low rate, for Adam makes a step of its size of any gradient, however near zero, and so of its rounding.
FLAGS = ("--num_data_shards=2", "--learning_rate=1e-5", "--discriminator_learning_rate=1e-5", "--max_steps=20")
FLAGS += ("--validation_steps=10", "--checkpoint_steps=2")


def test_a_killed_worker_is_noticed_and_started_again_all_end_where_one_process_does(tmp_path):
    photos = tmp_path / "photos"
    synthetic_photos.write_photos(photos, 24)
    workers = Training(photos, tmp_path / "workers", *FLAGS, num_workers=2)
    workers.kill_after(2, worker=1)
    statuses = workers.wait()
    assert statuses == [1, -signal.SIGKILL], workers.read_log(0)
    assert "another worker is gone" in workers.read_log(0).splitlines()[-1]
    assert "Traceback" not in workers.read_log(0)

    alone = Training(photos, tmp_path / "alone", *FLAGS)
    assert alone.wait() == [0], alone.read_log(0)
    again = Training(photos, tmp_path / "workers", *FLAGS, num_workers=2)
    assert again.wait() == [0, 0], again.read_log(0)
    assert "step 20: " in again.read_log(0) and "step 20: " not in again.read_log(1)
    relative, largest, name = compare(read_weights(tmp_path / "workers", 20), read_weights(tmp_path / "alone", 20))
    assert relative < 1e-4 and largest < 1e-3, name
    assert sorted(path.name for path in (tmp_path / "workers").iterdir()) == [
        "checkpoints",
        "config.json",
        "skipped-00000-of-00002.csv",
        "skipped-00001-of-00002.csv",
        "tensorboard",
    ]


def test_differences_are_measured():
    weights = {"generator/a": np.array([3.0, 4.0]), "generator/b": np.array([0.0])}
    others = weights | {"generator/a": np.array([3.0, 4.5])}
    relative, largest, name = compare(others, weights)
    assert (relative, largest, name) == (pytest.approx(0.1), 0.5, "generator/a")


def test_addresses_differ():
    assert len(set(distributed_processes._find_addresses(3))) == 3
