"""The encoder and the folding of its batch norms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.models import encoder


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    """A small MobileNet whose batch norms have statistics unlike their initial ones."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, input_shape=(None, None, 3))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([rng.uniform(0.5, 1.5, shape) for _ in range(4)])
    return model


@pytest.fixture(scope="module")
def weights_path(backbone, tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5")
    backbone.save_weights(path)
    return path


def test_folding_keeps_every_tap(backbone, weights_path):
    folded = encoder.build_mobilenet_encoder(weights_path, alpha=0.25)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    plain = keras.Model(backbone.input, [backbone.get_layer(f"conv_pw_{i}_relu").output for i in encoder.TAPS])
    rgb = tf.random.stateless_uniform((1, 64, 96, 3), (0, 1), -1.0, 1.0)
    for stride, expected, tap in zip((2, 4, 8, 16, 32), plain(rgb, training=False), folded(rgb), strict=True):
        assert tap.shape[1:3] == (64 // stride, 96 // stride)
        np.testing.assert_allclose(tap, expected, atol=1e-3)
        assert float(tf.reduce_max(tap)) > 0.1


@pytest.mark.parametrize(("frozen_until", "frozen"), [(0, 0), (5, 11), (12, 25)])
def test_blocks_up_to_the_given_one_are_frozen(weights_path, frozen_until, frozen):
    model = encoder.build_mobilenet_encoder(weights_path, alpha=0.25, frozen_until=frozen_until)
    convolutions = [layer for layer in model.layers if layer.weights]
    assert len(convolutions) == 25
    assert [layer.trainable for layer in convolutions] == [False] * frozen + [True] * (25 - frozen)


def test_without_weights_batch_norms_stay_and_train():
    model = encoder.build_mobilenet_encoder(None, alpha=0.25)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 25 and all(norm.trainable for norm in norms)


def test_folded_structure_takes_the_weights_of_a_pretrained_one(weights_path):
    pretrained = encoder.build_mobilenet_encoder(weights_path, alpha=0.25)
    restored = encoder.build_folded_encoder(alpha=0.25)
    restored.set_weights(pretrained.get_weights())
    rgb = tf.random.stateless_uniform((1, 32, 32, 3), (3, 1), -1.0, 1.0)
    np.testing.assert_array_equal(restored(rgb)[-1], pretrained(rgb)[-1])


@pytest.mark.parametrize("weights", ["imagnet", "missing.weights.h5"])
def test_unusable_weights_are_named(weights):
    with pytest.raises(ValueError, match=weights):
        encoder.build_mobilenet_encoder(weights, alpha=0.25)


def test_a_file_of_weights_that_holds_a_model_runs_none_of_its_code(tmp_path):
    inputs = keras.Input((4,))
    target = tmp_path / "written by a model"
    outputs = keras.layers.Lambda(lambda x, path=str(target): (open(path, "w").close(), x)[1])(inputs)
    keras.Model(inputs, keras.layers.Dense(2)(outputs)).save(tmp_path / "model.h5")
    target.unlink(missing_ok=True)  # building the model runs it, too
    with pytest.raises(ValueError, match="can't be used"):
        encoder.build_mobilenet_encoder(str(tmp_path / "model.h5"))
    with pytest.raises(ValueError, match="expected 'imagenet' or a .weights.h5 file"):
        encoder.build_mobilenet_encoder(str(tmp_path / "model.keras"))
    assert not target.exists()
