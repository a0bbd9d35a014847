"""A keras.Model whose train_step runs on every replica of a tf.distribute strategy, and makes all of them alike."""

from collections.abc import Callable

import keras
import tensorflow as tf

from colorization.training import replicas


class ReplicatedModel(keras.Model):
    """Base of models whose train_step and test_step return what is true of the global batch, the same on each replica.

    Build it, and its optimizers, within the strategy's scope.

    Attributes:
      clip_norm: largest global norm of a network's gradient.
    """

    clip_norm: float

    def make_train_function(self, force: bool = False) -> Callable:
        """As Keras' own, which would average over the replicas what each of them has already."""
        if self.train_function is None or force:
            self.train_function = self._make_function(self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable:
        """The same for test_step."""
        if self.test_function is None or force:
            self.test_function = self._make_function(self.test_step)
        return self.test_function

    def _make_function(self, step: Callable) -> Callable:
        strategy = self.distribute_strategy
        if self.jit_compile:
            step = tf.function(step, jit_compile=True)

        def run(iterator) -> dict[str, tf.Tensor]:
            results = strategy.run(step, args=(next(iterator),))
            return {name: strategy.experimental_local_results(result)[0] for name, result in results.items()}

        return run if self.run_eagerly else tf.function(run)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        """Nothing: the networks are built, and Keras' look at the first batch would start the data over."""

    def synchronize(self, *networks: keras.Model, optimizers: list[keras.optimizers.Optimizer]) -> None:
        """Readies networks for training on several replicas, and optimizers for gradients that are sums over them.

        Batch norms take the statistics of the global batch. Optimizers take gradients as they come: Keras would sum
        them over the replicas behind its clipping, which so would see a replica's part only.

        Args:
          *networks: all that are trained.
          optimizers: all that train them.
        """
        if replicas.num_replicas() == 1:
            return
        for network in networks:
            for layer in network._flatten_layers():
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True
        for optimizer in optimizers:
            optimizer._all_reduce_sum_gradients = list

    def _clipped_gradients(
        self, tape: tf.GradientTape, loss: tf.Tensor, variables: list[keras.Variable]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Differentiates the global batch's loss, of which `loss` is this replica's share.

        Returns:
          The gradients, the same on each replica and of a global norm of at most `clip_norm`; their norm before.
        """
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        return tf.clip_by_global_norm(replicas.sum_over_replicas(gradients), self.clip_norm)
