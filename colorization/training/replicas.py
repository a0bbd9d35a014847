"""One batch on several devices: what a replica needs to know of the others, so that they train as one would.

A global batch is split evenly: each replica gets as many photos, in order. Losses are *shares*: what a replica's photos
contribute to the mean over the global batch, so that the sum over replicas is the loss of the global batch, and the
sum of their gradients its gradient. Where a loss needs a statistic of the batch, that is the global batch's. Random
numbers are drawn for the global batch on every replica, which then takes its own rows: they are few, and so one replica
and many draw the same.

All functions are for the inside of `tf.distribute.Strategy.run`; with one replica, and outside of it, they do nothing.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def num_replicas() -> int:
    """Number of replicas that a global batch is split among."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Sums each of some tensors over the replicas, all in one exchange; no gradient of its own is meant to pass."""
    if num_replicas() == 1:
        return list(tensors)
    return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, list(tensors)))


def global_mean(values: tf.Tensor) -> tf.Tensor:
    """Mean of `values` over all replicas, a scalar without gradient, the same on each."""
    return sum_over_replicas([share_of_mean(tf.stop_gradient(values))])[0]


def share_of_mean(values: tf.Tensor) -> tf.Tensor:
    """What this replica's `values` contribute to their mean over all replicas, which have as many each; scalar."""
    return tf.reduce_mean(values) / num_replicas()


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of the global batch that a replica has.

    Attributes:
      first: int32 scalar, position of the first one.
      num: how many.
      total: size of the global batch.
    """

    first: tf.Tensor
    num: int
    total: int

    @classmethod
    def of(cls, batch: tf.Tensor) -> "Rows":
        """Rows of this replica, whose photos `batch` (B, ...) holds; B must be static."""
        num = batch.shape[0]
        context = tf.distribute.get_replica_context()
        return cls(tf.cast(context.replica_id_in_sync_group * num, tf.int32), num, num * num_replicas())

    def take(self, values: tf.Tensor) -> tf.Tensor:
        """These rows of the global batch's `values` (total, ...)."""
        begin = tf.stack([self.first, *[0] * (values.shape.rank - 1)])
        return tf.slice(values, begin, [self.num, *values.shape[1:]])

    def uniform(self, shape: Sequence[int], seed: tf.Tensor, low=0.0, high=1.0, dtype=tf.float32) -> tf.Tensor:
        """Draws (num, *shape) from [low, high); the same row comes out the same on any number of replicas."""
        return self.take(tf.random.stateless_uniform((self.total, *shape), seed, low, high, dtype))

    def normal(self, shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
        """Draws (num, *shape) from N(0, 1), likewise."""
        return self.take(tf.random.stateless_normal((self.total, *shape), seed))


def cond(predicate: tf.Tensor, if_true: Callable, if_false: Callable, args: Sequence[Any]) -> None:
    """Calls one of two functions that update variables, as tf.cond does.

    On mirrored replicas, which are threads that meet where an optimizer updates variables, they can't meet inside a
    branch. So they meet before it, and run the branch from there: as keras.optimizers.LossScaleOptimizer does.

    Args:
      predicate: bool scalar, the same on all replicas.
      if_true: called with `args`.
      if_false: called with `args`.
      args: tensors, or lists of them, of this replica. The functions must not use other ones that differ by replica.
    """

    def branch_of_all(strategy: tf.distribute.Strategy, predicate: tf.Tensor, *args: Any) -> None:
        def run(branch: Callable) -> tf.Tensor:
            strategy.run(branch, args=args)
            return tf.constant(True)

        first = strategy.experimental_local_results(predicate)[0]
        tf.cond(first, lambda: run(if_true), lambda: run(if_false))

    if isinstance(tf.distribute.get_strategy(), MIRRORED):
        tf.distribute.get_replica_context().merge_call(branch_of_all, args=(predicate, *args))
        return

    def run(branch: Callable) -> tf.Tensor:
        branch(*args)
        return tf.constant(True)

    tf.cond(predicate, lambda: run(if_true), lambda: run(if_false))


MIRRORED = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
