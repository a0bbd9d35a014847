"""What every generator has to do, whatever its design."""

import numpy as np
import tensorflow as tf


def assert_is_generator(generator, *, z_dim: int) -> None:
    """Checks inputs, output, sizes and the noise of a generator whose last layer has non-zero weights."""
    assert [tensor.name.split(":")[0] for tensor in generator.inputs] == ["l", "z", "hints"]
    assert generator.inputs[1].shape == (None, z_dim)
    for height, width in ((64, 64), (45, 70), (1, 33)):
        ab = generator([tf.zeros((2, height, width, 1)), tf.zeros((2, z_dim)), tf.zeros((2, height, width, 3))])
        assert ab.shape == (2, height, width, 2) and ab.dtype == tf.float32
    traced = tf.function(
        lambda l, z, hints: generator([l, z, hints], training=False),
        input_signature=[
            tf.TensorSpec((None, None, None, 1)),
            tf.TensorSpec((None, z_dim)),
            tf.TensorSpec((None, None, None, 3)),
        ],
    )
    l = tf.random.stateless_uniform((1, 45, 70, 1), (5, 6), -1.0, 1.0)
    no_z, no_hints = tf.zeros((1, z_dim)), tf.zeros((1, 45, 70, 3))
    automatic = generator([l, no_z, no_hints], training=False)
    np.testing.assert_allclose(traced(l, no_z, no_hints), automatic, atol=1e-4)
    for z, hints in ((tf.fill((1, z_dim), 3.0), no_hints), (no_z, tf.ones((1, 45, 70, 3)))):
        other = generator([l, z, hints], training=False)
        assert float(tf.reduce_max(tf.abs(other - automatic))) > 1e-5


def randomize_output(generator, layer_name: str) -> None:
    """Gives a convolution that starts at zero weights, so that its output shows what comes in."""
    layer = generator.get_layer(layer_name)
    kernel, *bias = layer.get_weights()
    layer.set_weights([np.random.default_rng(0).normal(0, 0.1, kernel.shape), *bias])
