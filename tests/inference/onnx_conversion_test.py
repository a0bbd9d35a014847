import numpy as np
import onnx
import pytest
import tensorflow as tf

from colorization.inference import conversion, onnx_conversion, runtimes

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def call(signature, **inputs):
    return signature(**{name: tf.constant(value) for name, value in inputs.items()})


def test_a_model_that_can_be_steered(source, tmp_path):
    path = tmp_path / "model.onnx"
    onnx_conversion.convert(source, path, flavour="steer", quantization="float32", image_size=None)
    model = onnx.load(path)
    assert [(item.domain, item.version) for item in model.opset_import if item.domain == ""] == [("", 23)]
    assert {tensor.name for tensor in model.graph.input} == {"l", "z", "hints"}
    predict = runtimes.open_model(path, "onnx")
    for height, width in [(32, 64), (96, 32)]:
        hints = np.zeros((1, height, width, 3), np.float32)
        hints[0, 4:8, 5:9] = (0.4, -0.3, 1.0)
        inputs = {"l": draw(1, height, width, 1), "z": draw(1, 2), "hints": hints}
        expected = call(source.signatures["steer_ab"], **inputs)["ab"]
        np.testing.assert_allclose(predict(**inputs)["ab"], expected, atol=1e-5)


def test_the_noise_encoder(source, tmp_path):
    onnx_conversion.convert_encoder(source, tmp_path / "encoder.onnx", quantization="float32", image_size=None)
    inputs = {"l": draw(1, 32, 64, 1), "ab": draw(1, 32, 64, 2)}
    z = runtimes.open_model(tmp_path / "encoder.onnx", "onnx")(**inputs)["z"]
    np.testing.assert_allclose(z, call(source.signatures["encode_z"], **inputs)["z"], atol=1e-5)


@pytest.mark.parametrize("image_size", [(40, 50), (100, 75), None])
def test_rgb_is_what_the_saved_model_does(source, tmp_path, image_size):
    path = tmp_path / "model.onnx"
    onnx_conversion.convert(source, path, flavour="rgb", quantization="float32", image_size=image_size)
    predict = runtimes.open_model(path, "onnx")
    for size in [image_size] if image_size else [(100, 75), (40, 50), (1, 1), (33, 260)]:
        rgb = RNG.integers(0, 256, (1, *size, 3), np.uint8)
        result = predict(rgb=rgb)["colorized_rgb"]
        expected = call(source.signatures["colorize"], rgb=rgb)["rgb"].numpy()
        assert result.dtype == np.uint8 and np.abs(result.astype(int) - expected).max() <= 1


def test_float16_halves_what_is_stored_and_computes_in_float32(source, monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_conversion, "_MIN_HALVED_SIZE", 2)  # the tiny network has no large weights
    path = tmp_path / "model.onnx"
    onnx_conversion.convert(source, path, flavour="chroma", quantization="float16", image_size=None)
    stored = [item.data_type for item in onnx.load(path).graph.initializer]
    assert onnx.TensorProto.FLOAT16 in stored
    l = draw(1, 32, 64, 1)
    ab = runtimes.open_model(path, "onnx")(l=l)["ab"]
    assert ab.dtype == np.float32
    np.testing.assert_allclose(ab, np.concatenate([0.3 - 0.1 * l, -0.2 + 0.05 * l], axis=-1), atol=2e-4)


def test_operations_that_onnx_lacks_are_refused(source, monkeypatch, tmp_path):
    """tf2onnx itself only logs them."""
    monkeypatch.setattr(source, "predict", lambda l, shape: tf.math.igamma(tf.abs(l) + 1.0, tf.concat([l, l], axis=-1)))
    with pytest.raises(conversion.ConversionError) as caught:
        onnx_conversion.convert(
            source, tmp_path / "model.onnx", flavour="chroma", quantization="float32", image_size=(32, 32)
        )
    assert str(caught.value).startswith(f"{source.version_dir}: can't be converted to ONNX: ")
    assert "Igamma" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "model.onnx").exists()
