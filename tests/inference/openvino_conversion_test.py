import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import conversion, onnx_conversion, openvino_conversion, runtimes

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def call(signature, **inputs):
    return signature(**{name: tf.constant(value) for name, value in inputs.items()})


@pytest.mark.parametrize("quantization, tolerance", [("float32", 1e-5), ("float16", 5e-4)])
def test_a_model_that_can_be_steered(source, tmp_path, quantization, tolerance):
    path = tmp_path / "model.xml"
    openvino_conversion.convert(source, path, flavour="steer", quantization=quantization, image_size=None)
    assert path.with_suffix(".bin").is_file()
    predict = runtimes.open_model(path, "openvino")
    for height, width in [(32, 64), (96, 32)]:
        hints = np.zeros((1, height, width, 3), np.float32)
        hints[0, 4:8, 5:9] = (0.4, -0.3, 1.0)
        inputs = {"l": draw(1, height, width, 1), "z": draw(1, 2), "hints": hints}
        expected = call(source.signatures["steer_ab"], **inputs)["ab"]
        np.testing.assert_allclose(predict(**inputs)["ab"], expected, atol=tolerance)


def test_the_noise_encoder(source, tmp_path):
    openvino_conversion.convert_encoder(source, tmp_path / "encoder.xml", quantization="float32", image_size=None)
    inputs = {"l": draw(1, 32, 64, 1), "ab": draw(1, 32, 64, 2)}
    z = runtimes.open_model(tmp_path / "encoder.xml", "openvino")(**inputs)["z"]
    np.testing.assert_allclose(z, call(source.signatures["encode_z"], **inputs)["z"], atol=1e-5)


def test_rgb_of_fixed_size_is_what_the_saved_model_does(source, tmp_path):
    path = tmp_path / "model.xml"
    options = {"flavour": "rgb", "quantization": "float32"}
    openvino_conversion.convert(source, path, **options, image_size=(100, 75))
    rgb = RNG.integers(0, 256, (1, 100, 75, 3), np.uint8)
    (result,) = runtimes.open_model(path, "openvino")(rgb=rgb).values()
    expected = call(source.signatures["colorize"], rgb=rgb)["rgb"].numpy()
    assert np.abs(result.astype(int) - expected).max() <= 1
    with pytest.raises(conversion.ConversionError, match="^OpenVINO can't run rgb of any size; give it one$"):
        openvino_conversion.convert(source, path, **options, image_size=None)


def test_what_openvino_cannot_read_is_one_line(source, monkeypatch, tmp_path):
    def write_garbage(source, path, **options):
        path.write_bytes(b"garbage")

    monkeypatch.setattr(onnx_conversion, "convert", write_garbage)
    with pytest.raises(conversion.ConversionError) as caught:
        openvino_conversion.convert(
            source, tmp_path / "model.xml", flavour="chroma", quantization="float32", image_size=(32, 32)
        )
    assert str(caught.value).startswith(f"{source.version_dir}: can't be converted to OpenVINO: ")
    assert "\n" not in str(caught.value)
