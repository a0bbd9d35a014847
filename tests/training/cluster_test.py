"""TF_CONFIG: what is read, and what is refused in one line."""

import json

import pytest

from colorization.training.cluster import Cluster, ClusterError, read_cluster

TWO = ["a:1", "b:1"]


def read(cluster: object, task: object = None) -> Cluster:
    return read_cluster({"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})})


@pytest.mark.parametrize("environ", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, {"TF_CONFIG": '{"cluster": {}}'}])
def test_without_a_cluster_a_process_is_alone(environ):
    assert read_cluster(environ) == Cluster(1, 0) and read_cluster(environ).is_chief


def test_workers_are_counted_and_the_first_is_the_chief():
    assert read({"worker": TWO}, {"type": "worker", "index": 0}) == Cluster(2, 0)
    assert read({"worker": TWO}, {"type": "worker", "index": "1"}) == Cluster(2, 1)
    assert not read({"worker": TWO}, {"type": "worker", "index": 1}).is_chief


def test_a_chief_comes_before_the_workers():
    cluster = {"worker": TWO, "chief": ["c:1"]}
    assert read(cluster, {"type": "chief", "index": 0}) == Cluster(3, 0)
    assert read(cluster, {"type": "worker", "index": 1}) == Cluster(3, 2)


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("{", "no JSON"),
        ("[]", "TF_CONFIG must be an object"),
        ('{"cluster": 3}', "cluster must be an object"),
        ('{"cluster": {"worker": "a:1"}}', "list of addresses"),
        ('{"cluster": {"worker": ["a"]}}', "HOST:PORT"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}}', "type ps are not offered"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}}', "one chief only"),
        ('{"cluster": {"worker": ["a:1"]}}', "task must be an object"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "evaluator", "index": 0}}', 'task.type is "evaluator"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "task.index is 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', "task.index is null"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}', "task.index is -1"),
    ],
)
def test_what_is_malformed_is_one_line(text, culprit):
    with pytest.raises(ClusterError) as error:
        read_cluster({"TF_CONFIG": text})
    assert culprit in str(error.value) and "\n" not in str(error.value)
