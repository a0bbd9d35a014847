"""tf.distribute strategies by name, how they are fed, and what workers agree on.

| name           | devices                                                        |
|----------------|----------------------------------------------------------------|
| `one_device`   | the first GPU, or the CPU                                      |
| `mirrored`     | all GPUs of this machine (all logical CPUs where there is none) |
| `multi_worker` | those of all workers that TF_CONFIG names, see `cluster.py`    |
| `tpu`          | the TPU that TPU_NAME names, on a TPU VM "local"               |
| `auto`         | the first of the others, from below, that there is             |

Training is synchronous in all of them: with the same global batch they take the same steps. There are no parameter
servers: their workers don't wait for each other, so there is no global batch.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf

from colorization.training.cluster import VARIABLE, Cluster

NAMES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class StrategyError(ValueError):
    """A strategy can't be had here; one line that says why."""


class WorkerLostError(RuntimeError):
    """Another worker ended before the work was done."""


@contextlib.contextmanager
def lost_workers_named(cluster: Cluster) -> Iterator[None]:
    """Makes WorkerLostError of what TensorFlow raises when another worker is gone."""
    try:
        yield
    except LOST_WORKER_ERRORS as error:
        if cluster.num_workers == 1:
            raise
        reason = re.search(r"aborted by: (.*)", str(error))
        reason = reason[1] if reason else type(error).__name__
        raise WorkerLostError(f"another worker is gone ({reason}); start all again to go on") from error


def make_strategy(name: str, cluster: Cluster, environ: Mapping[str, str] = os.environ) -> tf.distribute.Strategy:
    """Makes a strategy. With several workers it must be called before TensorFlow's devices are used, and waits for all.

    Args:
      name: one of NAMES.
      cluster: as TF_CONFIG describes it.
      environ: the environment.

    Raises:
      StrategyError: if what it needs is not here.
    """
    if name == "auto":
        name = _choose(cluster, environ)
    if cluster.num_workers > 1 and name != "multi_worker":
        raise StrategyError(
            f"--strategy={name}: {VARIABLE} names {cluster.num_workers} workers; unset it, or take multi_worker"
        )
    if name == "multi_worker":
        if cluster.num_workers == 1:
            raise StrategyError(f"--strategy=multi_worker: {VARIABLE} names no other worker")
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _make_tpu_strategy(environ)
    if name == "mirrored":
        return _make_mirrored_strategy()
    if name != "one_device":
        raise StrategyError(f"--strategy={name}: not offered; choose from {', '.join(NAMES)}")
    return tf.distribute.get_strategy()


def _choose(cluster: Cluster, environ: Mapping[str, str]) -> str:
    if cluster.num_workers > 1:
        return "multi_worker"
    if environ.get("TPU_NAME"):
        return "tpu"
    return "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one_device"


def _make_mirrored_strategy() -> tf.distribute.Strategy:
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(gpus or cpus) < 2:
        raise StrategyError("--strategy=mirrored: it takes two GPUs, and TensorFlow sees fewer on this machine")
    # Virtual CPUs are for tests; in a process with two strategies TensorFlow's ring of them confused their exchanges.
    operations = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(gpus or cpus, cross_device_ops=operations)


def _make_tpu_strategy(environ: Mapping[str, str]) -> tf.distribute.Strategy:
    name = environ.get("TPU_NAME")
    if not name:
        raise StrategyError("--strategy=tpu: TPU_NAME is not set; on a TPU VM set it to local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError, OSError) as error:
        raise StrategyError(f"--strategy=tpu: TPU_NAME={name}: {str(error).strip().splitlines()[0]}") from error


class Layout:
    """How a run's batches and photos are spread over devices and workers, and what its workers agree on.

    Attributes:
      cluster: the processes that train together.
      num_replicas: devices that share a batch.
      num_workers: processes that train together.
      num_shards: parts that the photos are dealt into; each worker reads as many.
      is_chief: whether this process saves and reports for all.
      is_tpu: whether the devices are those of a TPU.
      is_distributed: whether batches are spread at all; then, all of them have the same static shape.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, cluster: Cluster, *, batch_size: int, num_shards: int | None = None
    ):
        """Plans it.

        Args:
          strategy: made by `make_strategy`.
          cluster: that it was made for.
          batch_size: photos of a global batch.
          num_shards: see the attributes; None for one a worker.

        Raises:
          StrategyError: if batches or shards can't be spread evenly.
        """
        self.strategy, self.cluster, self.batch_size = strategy, cluster, batch_size
        self.num_replicas, self.num_workers = strategy.num_replicas_in_sync, cluster.num_workers
        self.is_chief = cluster.is_chief
        self.is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        self.is_distributed = self.is_tpu or self.num_replicas > 1
        num_readers = strategy.extended.num_hosts if self.is_tpu else cluster.num_workers
        self.num_shards = num_readers if num_shards is None else num_shards
        if batch_size % self.num_replicas:
            raise StrategyError(f"--batch_size={batch_size}: {self.num_replicas} devices can't share that evenly")
        if self.num_shards % num_readers or batch_size % self.num_shards:
            raise StrategyError(
                f"--num_data_shards={self.num_shards}: must be a multiple of the {num_readers} workers, and divide "
                f"--batch_size={batch_size}"
            )

    def shards_of(self, worker: int, num_workers: int) -> range:
        """The shards that a worker reads, those of the first worker first, as their parts lie in the global batch."""
        num = self.num_shards // num_workers
        return range(worker * num, (worker + 1) * num)

    def distribute(
        self, make_batches: Callable[[int, int], tf.data.Dataset], batch_size: int | None = None
    ) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Feeds each replica its part of every global batch.

        Args:
          make_batches: called on each worker (on a TPU, for each host) with its number and how many there are;
            returns its parts of the global batches, one after the other.
          batch_size: of the global batches, if it is not that of training.
        """

        def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
            batches = make_batches(context.input_pipeline_id, context.num_input_pipelines)
            if self.num_replicas == context.num_input_pipelines:
                return batches
            size = context.get_per_replica_batch_size(batch_size or self.batch_size)
            return batches.rebatch(size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)

        return self.strategy.distribute_datasets_from_function(make)

    def plan_validation(self, num_photos: int) -> tuple[int, int]:
        """The size of validation batches that replicas can share, at most that of training, and their number.

        With several replicas, up to one photo a replica and batch is left out, so that all have as many.
        """
        batch = self.num_replicas * max(1, num_photos // (-(-num_photos // self.batch_size) * self.num_replicas))
        if num_photos < batch:
            raise StrategyError(f"{num_photos} photos for validation are fewer than the {self.num_replicas} devices")
        return batch, num_photos // batch

    def agree(self, flags: Sequence[bool]) -> list[bool]:
        """Tells for each flag whether any worker has it set; all workers must call this at the same point."""
        return [total > 0 for total in self._sum_over_workers([int(flag) for flag in flags])]

    def check_same_step(self, step: int) -> None:
        """Raises StrategyError unless all workers are at the same step; all must call this at the same point."""
        (total,) = self._sum_over_workers([step])
        if total != step * self.num_workers:
            raise StrategyError(f"the workers start from different steps, this one from {step}: share the run folder")

    def _sum_over_workers(self, values: Sequence[int]) -> list[int]:
        if self.num_workers == 1:
            return list(values)
        num_local = self.num_replicas // self.num_workers
        per_replica = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(values) * int(context.replica_id_in_sync_group % num_local == 0)
        )
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None).numpy().tolist()
