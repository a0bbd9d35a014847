"""Networks that are tiny, of known output, and quick to export; several tests share their export."""

import os

_LOG_LEVEL = os.environ.get("TF_CPP_MIN_LOG_LEVEL")

try:
    import jax
except ModuleNotFoundError:  # as in the environment of Apache Beam's tests
    jax = None
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

if jax is not None:
    if _LOG_LEVEL is None:  # JAX has set it; commands that tests start would take it for the user's wish
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]
    jax.config.update("jax_disable_most_optimizations", True)  # compiling takes longest


@pytest.fixture(scope="module", autouse=True)
def environment():
    """What a package leaves in the environment when it is imported, every process started later would take over."""
    before = dict(os.environ) | {"PYTEST_CURRENT_TEST": ""}
    yield
    assert dict(os.environ) | {"PYTEST_CURRENT_TEST": ""} == before


@pytest.fixture(autouse=True)
def seeded():
    """Weights that a test draws are the same in each run, so what it asserts of them holds always or never."""
    keras.utils.set_random_seed(0)


def pytest_collection_modifyitems(items):
    """Puts the tests in the browser last: Playwright keeps an event loop, beside which asyncio cannot run another."""
    items.sort(key=lambda item: item.path.parent.name == "web")


def build_tiny_generator() -> keras.Model:
    """With a normalization that does nothing, and hints as (a, b, mask):

    ab = (0.3 - 0.1 l + 0.1 z0 + 0.5 a + 0.05 mask, -0.2 + 0.05 l + 0.1 z1 + 0.5 b - 0.05 mask).
    """
    l = keras.Input((None, None, 1), name="l")
    z = keras.Input((2,), name="z")
    hints = keras.Input((None, None, 3), name="hints")
    chroma = keras.layers.Conv2D(2, 1, name="chroma")
    mood = keras.layers.Dense(2, use_bias=False, name="mood")
    hinted = keras.layers.Conv2D(2, 1, use_bias=False, name="hinted")
    x = keras.layers.BatchNormalization(epsilon=0.0, name="norm")(chroma(l))
    ab = keras.layers.Add()([x, hinted(hints), keras.layers.Reshape((1, 1, 2))(mood(z))])
    chroma.set_weights([np.full((1, 1, 1, 2), [-0.1, 0.05]), np.array([0.3, -0.2])])
    mood.set_weights([np.eye(2) * 0.1])
    hinted.set_weights([np.array([[[[0.5, 0.0], [0.0, 0.5], [0.05, -0.05]]]])])
    return keras.Model([l, z, hints], ab, name="tiny")


def build_tiny_noise_encoder() -> keras.Model:
    """Mean z = (4 mean(a), 4 mean(b) + mean(l)), log variance 0; it halves the photo first, so one pixel is too few."""
    l = keras.Input((None, None, 1), name="l")
    ab = keras.Input((None, None, 2), name="ab")
    x = keras.layers.AveragePooling2D(2)(keras.layers.Concatenate()([l, ab]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    mean = keras.layers.Dense(2, name="mean")
    log_variance = keras.layers.Dense(2, kernel_initializer="zeros", name="log_variance")
    model = keras.Model([l, ab], [mean(x), log_variance(x)], name="tiny_noise_encoder")
    mean.set_weights([np.array([[0, 1], [4, 0], [0, 4]]), np.zeros(2)])
    return model


@pytest.fixture(scope="session")
def tiny_generator() -> keras.Model:
    """Inputs l (B, H, W, 1), z (B, 2) and hints (B, H, W, 3), output ab (B, H, W, 2): see `build_tiny_generator`."""
    return build_tiny_generator()


@pytest.fixture(scope="session")
def tiny_noise_encoder() -> keras.Model:
    """Inputs l and ab, outputs mean and log variance (B, 2): see `build_tiny_noise_encoder`."""
    return build_tiny_noise_encoder()


@pytest.fixture(scope="session")
def tiny_model_dir(tiny_generator, tiny_noise_encoder, tmp_path_factory):
    """Folder of versions that holds the tiny networks as version 1, with work size 64; don't write into it."""
    from colorization.inference import saved_model

    export_dir = tmp_path_factory.mktemp("colorizer")
    saved_model.export_saved_model(
        tiny_generator,
        export_dir,
        noise_encoder=tiny_noise_encoder,
        work_size=64,
        provenance={"made by": "a test"},
    )
    return export_dir
