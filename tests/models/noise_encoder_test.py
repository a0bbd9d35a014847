"""The noise encoder."""

import numpy as np
import tensorflow as tf

from colorization.models.noise_encoder import build_noise_encoder


def test_shapes_and_first_variance():
    mean, log_variance = build_noise_encoder(z_dim=5)([tf.zeros((3, 64, 64, 1)), tf.zeros((3, 64, 64, 2))])
    assert mean.shape == log_variance.shape == (3, 5)
    np.testing.assert_array_equal(log_variance, np.zeros((3, 5)))


def test_z_depends_on_colour_and_hardly_on_place():
    encoder = build_noise_encoder(z_dim=5)
    l = tf.zeros((1, 64, 64, 1))
    blue, red = (tf.constant(ab) * tf.ones((1, 64, 64, 1)) for ab in ((0.1, -0.5), (0.5, 0.3)))
    blue_mean, red_mean = encoder([l, blue])[0], encoder([l, red])[0]
    assert float(tf.reduce_max(tf.abs(blue_mean - red_mean))) > 1e-2
    mixed = tf.concat([blue[:, :32], red[:, 32:]], axis=1)
    straight, mirrored = encoder([l, mixed])[0], encoder([l, mixed[:, :, ::-1]])[0]
    np.testing.assert_allclose(straight, mirrored, atol=0.05)
