"""The discriminator."""

import numpy as np
import tensorflow as tf

from colorization.models.patch_gan import build_patch_gan


def test_one_logit_per_patch():
    discriminator = build_patch_gan(base_filters=4)
    logits = discriminator([tf.zeros((2, 128, 128, 1)), tf.zeros((2, 128, 128, 2))])
    assert logits.shape == (2, 14, 14, 1) and logits.dtype == tf.float32


def test_a_logit_sees_70_by_70_pixels():
    discriminator = build_patch_gan(base_filters=4)
    l = tf.random.stateless_normal((1, 128, 128, 1), (0, 1))
    ab = tf.random.stateless_normal((1, 128, 128, 2), (0, 2))
    with tf.GradientTape() as tape:
        tape.watch(ab)
        logit = discriminator([l, ab])[0, 7, 7, 0]
    touched = tf.reduce_any(tape.gradient(logit, ab)[0] != 0.0, axis=-1).numpy()
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (70, 70)


def test_spectral_normalization_bounds_every_kernel():
    discriminator = build_patch_gan(base_filters=4)
    kernels = [weight for weight in discriminator.trainable_weights if len(weight.shape) == 4]
    assert len(kernels) == 5
    for kernel in kernels:
        kernel.assign(kernel * 50.0)
    photos = [tf.random.stateless_normal((1, 32, 32, c), (0, c)) for c in (1, 2)]
    for _ in range(30):  # one power iteration a call
        discriminator(photos, training=True)
    for kernel in kernels:
        largest = np.linalg.svd(kernel.numpy().reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        np.testing.assert_allclose(largest, 1.0, rtol=0.05)
