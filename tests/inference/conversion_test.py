import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import conversion, processing

RNG = np.random.default_rng(0)


def draw(*shape):
    return tf.constant(RNG.uniform(-1, 1, shape), tf.float32)


def test_what_is_converted_is_what_the_signatures_do(source):
    l, z, ab = draw(1, 32, 64, 1), draw(1, 2), draw(1, 32, 64, 2)
    hints = np.zeros((1, 32, 64, 3), np.float32)
    hints[0, 4:8, 5:9] = (0.4, -0.3, 1.0)
    steer = conversion.make_function(source, "steer", None)
    assert [spec.name for spec in steer.input_signature] == ["l", "z", "hints"]
    for name, actual in {
        "predict_ab": conversion.make_function(source, "chroma", None)(l=l),
        "steer_ab": steer(l=l, z=z, hints=tf.constant(hints)),
        "encode_z": conversion.make_encoder_function(source, None)(l=l, ab=ab),
    }.items():
        inputs = {"predict_ab": {}, "steer_ab": {"z": z, "hints": tf.constant(hints)}, "encode_z": {"ab": ab}}[name]
        for key, expected in source.signatures[name](l=l, **inputs).items():
            np.testing.assert_allclose(actual[key], expected, atol=1e-6)


def test_a_fixed_size_is_a_fixed_size(source):
    function = conversion.make_function(source, "steer", (32, 64))
    assert [spec.shape.as_list() for spec in function.input_signature] == [[1, 32, 64, 1], [1, 2], [1, 32, 64, 3]]


def test_an_old_model_cannot_be_steered(source, monkeypatch):
    monkeypatch.setattr(source, "takes_hints", False)
    with pytest.raises(conversion.ConversionError, match="this model takes no hints, so it can't be steered$"):
        conversion.make_function(source, "steer", None)


def test_weights_are_those_of_the_generator(source):
    assert conversion.count_weights(source) == 2 + 2 + 4 * 2 + 4 + 6  # conv, batch norm, dense, hints
    assert source.has_encoder and source.takes_hints


@pytest.mark.parametrize("size, small_size", [(100, 64), (300, 32), (20, 64), (64, 64), (1, 32)])
def test_resize_matrix_is_the_antialiased_resize(size, small_size):
    l = draw(1, size, 3, 1)
    small = tf.matmul(conversion._make_resize_matrix(size, small_size), l[0, :, :, 0])
    np.testing.assert_allclose(small, processing.shrink_l(l, [small_size, 3])[0, :, :, 0], atol=1e-5)


def test_default_sizes(source):
    assert conversion.default_size(source, "rgb") == (256, 256)
    assert conversion.default_size(source, "chroma") == (64, 64)


def test_a_missing_model_is_one_line(tmp_path):
    with pytest.raises(conversion.ConversionError) as caught:
        conversion.SourceModel(tmp_path / "7")
    assert str(caught.value).startswith(f"{tmp_path / '7'}: not a model that can be loaded: ")
    assert "\n" not in str(caught.value)
