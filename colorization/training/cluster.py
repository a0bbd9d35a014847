"""TF_CONFIG: which workers train together, and which of them this process is.

The variable is read as tf.distribute reads it, but for its faults, which come as one line. This file needs no
TensorFlow, for workers must be known before its devices are started.

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

VARIABLE = "TF_CONFIG"
_TYPES = ("chief", "worker")  # in the order in which tf.distribute counts them


class ClusterError(ValueError):
    """TF_CONFIG can't be used; one line that says why."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Attributes:
      num_workers: how many, the chief included.
      index: of this one; the first is the chief, who saves and reports.
    """

    num_workers: int = 1
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process saves and reports for all."""
        return self.index == 0


def read_cluster(environ: Mapping[str, str]) -> Cluster:
    """Reads TF_CONFIG; without it, or without a cluster in it, this process is alone.

    Args:
      environ: the environment.

    Raises:
      ClusterError: it is malformed, or asks for tasks that there are none of here.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text:
        return Cluster()
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ClusterError(f"{VARIABLE} is no JSON: {error}") from error
    cluster = _read_dict(config, VARIABLE).get("cluster")
    if not cluster:
        return Cluster()
    addresses = _read_addresses(cluster)
    task = _read_dict(config.get("task"), f"{VARIABLE}: task")
    kind, index = task.get("type"), task.get("index")
    if kind not in addresses:
        raise ClusterError(f"{VARIABLE}: task.type is {json.dumps(kind)}, and the cluster has {', '.join(addresses)}")
    try:
        index = int(index)  # some launchers write a string
    except (TypeError, ValueError):
        index = -1
    if not 0 <= index < len(addresses[kind]):
        raise ClusterError(
            f"{VARIABLE}: task.index is {json.dumps(task.get('index'))}, but the cluster has {len(addresses[kind])} "
            f"of type {kind}, counted from 0"
        )
    before = len(addresses.get("chief", [])) if kind == "worker" else 0
    return Cluster(sum(map(len, addresses.values())), before + index)


def _read_addresses(cluster: Any) -> dict[str, list[str]]:
    """The addresses by type."""
    for kind, addresses in _read_dict(cluster, f"{VARIABLE}: cluster").items():
        if kind not in _TYPES:
            raise ClusterError(f"{VARIABLE}: tasks of type {kind} are not offered, only chief and worker")
        if not isinstance(addresses, list) or not all(isinstance(a, str) and ":" in a for a in addresses):
            raise ClusterError(f"{VARIABLE}: cluster.{kind} must be a list of addresses HOST:PORT")
    if len(cluster.get("chief", [])) > 1:
        raise ClusterError(f"{VARIABLE}: there can be one chief only")
    return {kind: cluster[kind] for kind in _TYPES if cluster.get(kind)}


def _read_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ClusterError(f"{name} must be an object, not {json.dumps(value)}")
    return value
