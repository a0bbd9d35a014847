"""Strategies by name, and how batches and shards are spread. What several devices do is in `replicas_test.py`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from colorization.training import strategies
from colorization.training.cluster import Cluster

ROOT = Path(__file__).parents[2]


class FakeStrategy:
    """As many replicas as wanted, on as many workers."""

    def __init__(self, num_replicas: int):
        self.num_replicas_in_sync = num_replicas


def plan(num_replicas: int, num_workers: int = 1, **settings) -> strategies.Layout:
    return strategies.Layout(FakeStrategy(num_replicas), Cluster(num_workers), **({"batch_size": 32} | settings))


def test_auto_takes_what_there_is():
    assert strategies.make_strategy("auto", Cluster(), {}) is tf.distribute.get_strategy()
    with pytest.raises(strategies.StrategyError, match="TPU_NAME=no_such_tpu"):
        strategies.make_strategy("auto", Cluster(), {"TPU_NAME": "no_such_tpu"})


@pytest.mark.parametrize(
    ("name", "num_workers", "culprit"),
    [
        ("mirrored", 1, "two GPUs"),
        ("multi_worker", 1, "TF_CONFIG names no other worker"),
        ("one_device", 2, "TF_CONFIG names 2 workers"),
        ("tpu", 1, "TPU_NAME is not set"),
        ("parameter_server", 1, "choose from auto, one_device, mirrored, multi_worker, tpu"),
    ],
)
def test_what_is_not_there_is_one_line(name, num_workers, culprit):
    with pytest.raises(strategies.StrategyError) as error:
        strategies.make_strategy(name, Cluster(num_workers), {})
    assert culprit in str(error.value) and "\n" not in str(error.value)


def test_shards_are_dealt_in_order():
    layout = plan(4, 2, num_shards=8)
    assert [list(layout.shards_of(worker, 2)) for worker in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert list(plan(1).shards_of(0, 1)) == [0]
    assert plan(4, 4).num_shards == 4


@pytest.mark.parametrize(
    ("num_replicas", "num_workers", "settings", "culprit"),
    [
        (3, 1, {}, "batch_size=32: 3 devices"),
        (2, 2, {"num_shards": 1}, "num_data_shards=1"),
        (2, 2, {"num_shards": 64}, "num_data_shards=64"),
        (1, 1, {"num_shards": 5}, "num_data_shards=5"),
    ],
)
def test_what_cannot_be_spread_evenly_is_refused(num_replicas, num_workers, settings, culprit):
    with pytest.raises(strategies.StrategyError, match=culprit):
        plan(num_replicas, num_workers, **settings)


@pytest.mark.parametrize(
    ("num_photos", "num_replicas", "planned"),
    [(256, 8, (32, 8)), (300, 8, (24, 12)), (5, 4, (4, 1)), (33, 2, (16, 2)), (20, 2, (20, 1))],
)
def test_validation_batches_have_one_size_and_leave_few_photos_out(num_photos, num_replicas, planned):
    size, num = plan(num_replicas).plan_validation(num_photos)
    assert (size, num) == planned
    assert size % num_replicas == 0 and size <= 32 and size * num <= num_photos


def test_fewer_photos_for_validation_than_devices_are_refused():
    with pytest.raises(strategies.StrategyError, match="3 photos for validation"):
        plan(4).plan_validation(3)


def test_alone_a_worker_agrees_with_itself_and_gets_the_batches_as_they_are():
    layout = strategies.Layout(tf.distribute.get_strategy(), Cluster(), batch_size=4)
    assert layout.agree([True, False]) == [True, False]
    layout.check_same_step(7)
    batches = layout.distribute(lambda worker, num: tf.data.Dataset.from_tensors([worker, num, 7, 8]))
    np.testing.assert_array_equal(next(iter(batches)), [0, 1, 7, 8])


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_lost_worker_is_named_if_there_was_one(num_workers):
    error = tf.errors.UnavailableError(None, None, "Graph execution error:\nCollective ops is aborted by: gone\nmore")
    expected = strategies.WorkerLostError if num_workers > 1 else tf.errors.UnavailableError
    with pytest.raises(expected) as caught, strategies.lost_workers_named(Cluster(num_workers)):
        raise error
    if num_workers > 1:
        assert str(caught.value) == "another worker is gone (gone); start all again to go on"


@pytest.mark.parametrize(
    ("config", "flag", "culprit"),
    [
        ("{", "auto", "TF_CONFIG is no JSON"),
        ("", "parameter_server", "--strategy=parameter_server"),
        ("", "multi_worker", "TF_CONFIG names no other worker"),
        (json.dumps({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}), "auto", "type ps"),
    ],
)
def test_train_refuses_in_one_line_with_status_2(tmp_path, config, flag, culprit):
    command = [
        sys.executable,
        "-m",
        "colorization.train",
        f"--strategy={flag}",
        "--data_dir=x",
        f"--run_dir={tmp_path}",
    ]
    environ = {"PATH": "/usr/bin", "TF_CONFIG": config}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 2 and culprit in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
