"""Numbers are compared in `numpy_backend_test.py`, whole photos in `colorizer_test.py`."""

import inspect

import numpy as np
import tensorflow as tf

from colorization.inference import numpy_backend, tensorflow_backend


def test_both_backends_have_the_functions_that_a_colorizer_calls():
    for name in ("shrink_l", "shrink_reference", "recolor"):
        functions = [getattr(backend, name) for backend in (tensorflow_backend, numpy_backend)]
        first, second = (list(inspect.signature(function).parameters) for function in functions)
        assert first == second
    for backend, kind in ((tensorflow_backend, tf.Tensor), (numpy_backend, np.ndarray)):
        assert isinstance(backend.to_tensor(np.zeros(2, np.float32)), kind)


def test_signatures_are_those_of_the_saved_model(tiny_model_dir):
    signatures = tensorflow_backend.load_signatures(tiny_model_dir / "1")
    ab = signatures["sample_ab"](l=tf.zeros([1, 32, 32, 1]), z=tf.zeros([1, 2]))["ab"]
    np.testing.assert_allclose(ab, np.broadcast_to(np.float32([0.3, -0.2]), (1, 32, 32, 2)), atol=1e-6)
