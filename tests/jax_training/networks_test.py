"""The networks on JAX are those on TensorFlow: with the same weights, outputs and gradients are the same."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization import models
from colorization.jax_training import networks, run_files
from colorization.training import checkpoints

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("jax")
    rng = np.random.default_rng(5)
    shapes = {"l": (2, 64, 32, 1), "ab": (2, 64, 32, 2), "z": (2, 3), "hints": (2, 64, 32, 3)}
    inputs = {name: rng.uniform(-0.8, 0.8, shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez(folder / "inputs.npz", **inputs)
    done = subprocess.run(
        [sys.executable, "-m", "tests.jax_training.networks_on_jax", str(folder)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def outputs(folder) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "outputs.npz"))


@pytest.fixture(scope="module")
def twins(folder) -> tuple[keras.Model, keras.Model]:
    """Generator and noise encoder on TensorFlow, with the weights of the others."""
    generator = models.build_mobilenet_unet(z_dim=3, encoder_weights=None, frozen_until=4, folded=True)
    noise_encoder = models.build_noise_encoder(z_dim=3)
    checkpoints.load_networks(folder, ema_generator=generator, noise_encoder=noise_encoder)
    return generator, noise_encoder


def assert_close(actual: np.ndarray, expected: tf.Tensor, tolerance: float, name: str = "") -> None:
    """Tolerance is relative to the largest value, for with random weights it may be anything."""
    expected = tf.convert_to_tensor(expected).numpy()
    largest = np.abs(expected).max()
    assert largest > 0.0, name
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * largest, err_msg=name)


def test_outputs_and_gradients_are_those_on_tensorflow(folder, outputs, twins):
    generator, noise_encoder = twins
    inputs = dict(np.load(folder / "inputs.npz"))
    with tf.GradientTape() as tape:
        ab = generator([inputs["l"], inputs["z"], inputs["hints"]], training=True)
        error = tf.reduce_mean(tf.square(ab - inputs["ab"]))
    assert_close(outputs["ab"], ab, 1e-5)
    gradients = tape.gradient(error, [variable.value for variable in generator.trainable_variables])
    names = [f"gradient generator/{variable.path}" for variable in generator.trainable_variables]
    assert sorted(names) == sorted(name for name in outputs if name.startswith("gradient "))
    for name, gradient in zip(names, gradients, strict=True):
        assert_close(outputs[name], gradient, 1e-3, name)
    mean, log_variance = noise_encoder([inputs["l"], inputs["ab"]])
    assert_close(outputs["mean"], mean, 1e-5)
    assert_close(outputs["log_variance"], log_variance, 1e-5)


def test_encoder_names_are_those_of_its_trained_variables(outputs, twins):
    encoder = twins[0].get_layer("encoder")
    assert outputs["encoder_names"].tolist() == sorted(f"generator/{v.path}" for v in encoder.trainable_variables)


def test_weights_that_do_not_fit_are_refused(folder, outputs):
    first = next(iter(run_files.read_weights(folder)))
    assert outputs["missing"] == f"elsewhere: not the weights of these networks: {first} is in one of them only"
    assert str(outputs["odd"]).startswith(f"elsewhere: {first} has shape (1, 2), not (")


def test_another_backend_is_refused():
    with pytest.raises(RuntimeError, match="Keras runs on tensorflow, not on JAX"):
        networks.build_networks(z_dim=3, encoder_weights=None, frozen_until=4, mixed_precision=False)


@pytest.mark.parametrize("size, stride, padding", [(7, 1, "same"), (8, 2, "same"), (7, 2, "same"), (9, 2, "valid")])
def test_depthwise_convolution(size, stride, padding):
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(2, size, size + 2, 5)), rng.normal(size=(3, 3, 5))
    expected = tf.nn.depthwise_conv2d(x, kernel[..., None], [1, stride, stride, 1], padding.upper())
    actual = networks.depthwise_conv(jnp.asarray(x), jnp.asarray(kernel), stride, padding)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
