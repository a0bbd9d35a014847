"""A model that is tiny, of known output, and quick to export; several tests share its export."""

import keras
import numpy as np
import pytest


def build_tiny_generator() -> keras.Model:
    """ab = (0.3 - 0.1 l + 0.1 z0, -0.2 + 0.05 l + 0.1 z1), with a normalization that does nothing."""
    l = keras.Input((None, None, 1), name="l")
    z = keras.Input((2,), name="z")
    chroma = keras.layers.Conv2D(2, 1, name="chroma")
    mood = keras.layers.Dense(2, use_bias=False, name="mood")
    x = keras.layers.BatchNormalization(epsilon=0.0, name="norm")(chroma(l))
    ab = keras.layers.Add()([x, keras.layers.Reshape((1, 1, 2))(mood(z))])
    chroma.set_weights([np.full((1, 1, 1, 2), [-0.1, 0.05]), np.array([0.3, -0.2])])
    mood.set_weights([np.eye(2) * 0.1])
    return keras.Model([l, z], ab, name="tiny")


@pytest.fixture(scope="session")
def tiny_generator() -> keras.Model:
    """Inputs l (B, H, W, 1) and z (B, 2), output ab (B, H, W, 2): see `build_tiny_generator`."""
    return build_tiny_generator()


@pytest.fixture(scope="session")
def tiny_model_dir(tiny_generator, tmp_path_factory):
    """Folder of versions that holds the tiny generator as version 1, with work size 64; don't write into it."""
    from colorization.inference import saved_model

    export_dir = tmp_path_factory.mktemp("colorizer")
    saved_model.export_saved_model(tiny_generator, export_dir, work_size=64, provenance={"made by": "a test"})
    return export_dir
