"""What Keras does with a model of several replicas; equality on two devices is tested in `replicas_test.py`."""

import numpy as np
import tensorflow as tf

from colorization.training.replicated_model import ReplicatedModel
from tests.training.tiny_gan import build_tiny_gan


class Counter(ReplicatedModel):
    """Adds up what it is given."""

    def __init__(self):
        super().__init__()
        self.total = tf.Variable(0.0)

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": self.total.assign_add(tf.reduce_sum(data))}

    def test_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"half": self.total / 2.0}


def test_fit_takes_each_batch_once_and_returns_what_the_steps_do():
    model = Counter()
    model.compile()
    batches = tf.data.Dataset.from_tensor_slices([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    history = model.fit(batches, validation_data=batches.take(1), epochs=1, verbose=0).history
    assert history["total"] == [21.0] and history["val_half"] == [10.5]


def test_alone_batch_norms_and_optimizers_stay_as_keras_has_them():
    gan = build_tiny_gan()
    norms = [layer for layer in gan.generator.layers if hasattr(layer, "synchronized")]
    assert norms and not any(layer.synchronized for layer in norms)
    assert gan.decoder_optimizer._all_reduce_sum_gradients([(1, 2)]) == [(1, 2)]


def test_gradients_are_clipped():
    model = Counter()
    model.clip_norm = 1.0
    variable = tf.Variable([3.0, 4.0])
    variable.value = variable
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(variable))
    gradients, norm = model._clipped_gradients(tape, loss, [variable])
    assert float(norm) == 10.0
    np.testing.assert_allclose(gradients[0], [0.6, 0.8], rtol=1e-5)
