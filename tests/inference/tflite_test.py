import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from colorization import models
from colorization.inference import conversion, saved_model, tflite, version_files

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    """The shipped architecture, thin, with restraint and smoothing, with weights that make every part count."""
    keras.utils.set_random_seed(1)
    generator = models.build_mobilenet_unet(
        z_dim=2, alpha=0.25, decoder_filters=(16, 8, 8, 8), folded=True, restrained=True
    )
    for weight in generator.weights:
        if weight.path.endswith(("_ab/kernel", "_sure/kernel", "project/kernel", "dense_2/kernel", "hint_conv/kernel")):
            weight.assign(RNG.normal(size=weight.shape) * 0.1)  # they start at zero
    return conversion.SourceModel(
        saved_model.export_saved_model(
            generator, tmp_path_factory.mktemp("unet"), work_size=64, blue_limit=40.0, smoothing=3
        )
    )


def draw_photo(height, width):
    """Smooth and colourful: uint8 (H, W, 3)."""
    small = RNG.integers(0, 256, (5, 6, 3)).astype(np.float32)
    return tf.cast(tf.image.resize(small, (height, width), method="bicubic") % 256, tf.uint8).numpy()


def draw_l(height, width):
    return RNG.uniform(-1, 1, (1, height, width, 1)).astype(np.float32)


def run(content, **inputs):
    interpreter = Interpreter(model_content=content, num_threads=1)
    return interpreter.get_signature_runner()(**inputs)


def operations(content):
    """Kind of operation, name and dtype of its output, of every one."""
    model = schema.ModelT.InitFromPackedBuf(content)
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    for operator in model.subgraphs[0].operators:
        tensor = model.subgraphs[0].tensors[operator.outputs[0]]
        yield kinds[model.operatorCodes[operator.opcodeIndex].builtinCode], tensor.name.decode(), tensor.type


@pytest.mark.parametrize(
    "quantization, tolerance", [("float32", 1e-6), ("float16", 2e-4), ("dynamic", 1e-6), ("int8", 5e-3)]
)
def test_chroma_of_known_weights(source, quantization, tolerance):
    """Without noise and hints the tiny network is ab = (0.3 - 0.1 l, -0.2 + 0.05 l)."""
    photos = [draw_photo(40, 40) for _ in range(3)]
    content = tflite.convert(
        source, flavour="chroma", quantization=quantization, image_size=(32, 64), calibration_photos=photos
    )
    l = draw_l(32, 64)
    outputs = run(content, l=l)
    assert set(outputs) == {"ab"} and outputs["ab"].shape == (1, 32, 64, 2)
    np.testing.assert_allclose(outputs["ab"], np.concatenate([0.3 - 0.1 * l, -0.2 + 0.05 * l], axis=-1), atol=tolerance)


@pytest.mark.parametrize("quantization, tolerance", [("float32", 1), ("float16", 2), ("int8", 5)])
@pytest.mark.parametrize("image_size", [(100, 75), (40, 50), None])
def test_rgb_is_what_the_saved_model_does(source, quantization, tolerance, image_size):
    """Photos larger and smaller than the work size of 64."""
    calibration_photos = [draw_photo(*(image_size or (80, 80))) for _ in range(3)]
    content = tflite.convert(
        source,
        flavour="rgb",
        quantization=quantization,
        image_size=image_size,
        calibration_photos=calibration_photos,
    )
    for size in [image_size] if image_size else [(100, 75), (40, 50), (1, 1), (33, 260)]:
        rgb = draw_photo(*size)[np.newaxis]
        result = run(content, rgb=rgb)["rgb"]
        expected = source.signatures["colorize"](rgb=tf.constant(rgb))["rgb"].numpy()
        assert result.dtype == np.uint8 and result.shape == expected.shape
        assert np.abs(result.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("image_size", [(64, 96), None])
def test_the_shipped_architecture_converts(unet, image_size):
    content = tflite.convert(unet, flavour="chroma", quantization="float32", image_size=image_size)
    for size in [image_size] if image_size else [(64, 96), (33, 70)]:
        l = draw_l(*size)
        expected = unet.signatures["predict_ab"](l=tf.constant(l))["ab"].numpy()
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(run(content, l=l)["ab"], expected, atol=1e-4 * np.abs(expected).max())
    assert {"SOFTMAX", "BATCH_MATMUL", "RSQRT"} <= {kind for kind, _, _ in operations(content)}  # nothing left out


@pytest.mark.parametrize("quantization, tolerance", [("float32", 1e-5), ("float16", 3e-3), ("dynamic", 0.05)])
def test_noise_and_hints_reach_the_network(unet, quantization, tolerance):
    content = tflite.convert(unet, flavour="steer", quantization=quantization, image_size=None)
    names = [entry["name"] for entry in Interpreter(model_content=content).get_input_details()]
    assert [name.removeprefix("serving_default_").partition(":")[0] for name in names] == ["l", "z", "hints"]
    hints = np.zeros((1, 32, 64, 3), np.float32)
    hints[0, 4:8, 5:9] = (0.4, -0.3, 1.0)
    inputs = {"l": draw_l(32, 64), "z": np.float32([[1.0, -2.0]]), "hints": hints}
    expected = unet.signatures["steer_ab"](**{name: tf.constant(value) for name, value in inputs.items()})["ab"].numpy()
    np.testing.assert_allclose(run(content, **inputs)["ab"], expected, atol=tolerance * np.abs(expected).max())
    for name in ("z", "hints"):
        other = run(content, **inputs | {name: 0 * inputs[name]})["ab"]
        assert np.abs(other - expected).max() > 0.1 * np.abs(expected).max()


def test_the_noise_encoder_converts(source):
    content = tflite.convert_encoder(source, quantization="float32", image_size=None)
    inputs = {"l": draw_l(32, 64), "ab": RNG.uniform(-1, 1, (1, 32, 64, 2)).astype(np.float32)}
    expected = source.signatures["encode_z"](**{name: tf.constant(value) for name, value in inputs.items()})["z"]
    np.testing.assert_allclose(run(content, **inputs)["z"], expected, atol=1e-5)


def test_int8_keeps_float32_where_it_matters(unet):
    photos = [draw_photo(96, 96) for _ in range(3)]
    content = tflite.convert(unet, flavour="rgb", quantization="int8", image_size=(96, 96), calibration_photos=photos)
    dtypes, restraint, blue, smoothing = {}, set(), set(), set()
    for kind, name, dtype in operations(content):
        restraint |= {dtype} if "/restraint_ab" in name else set()
        blue |= {dtype} if "limit_blue/" in name else set()
        smoothing |= {dtype} if "smooth_ab/" in name else set()
        dtypes.setdefault(kind, []).append(dtype)
    assert restraint == blue == smoothing == {schema.TensorType.FLOAT32}
    assert set(dtypes["CONV_2D"]) == {schema.TensorType.INT8}
    first, *others = dtypes["DEPTHWISE_CONV_2D"]
    assert first == schema.TensorType.FLOAT32 and set(others) == {schema.TensorType.INT8}
    kinds = ("RSQRT", "SQUARED_DIFFERENCE", "POW", "SQRT", "DIV")
    assert {dtype for kind in kinds for dtype in dtypes[kind]} == {schema.TensorType.FLOAT32}


def test_a_model_without_hints_converts(tmp_path):
    """As those exported before there were hints."""
    module = tf.Module()
    module.v = [tf.Variable(0.5)]
    specs = [tf.TensorSpec([None, None, None, 1]), tf.TensorSpec([None, 3])]
    module.predict = tf.function(
        lambda l, z: tf.concat([l * module.v[0], -l], -1) + tf.reduce_sum(z), input_signature=specs
    )
    tf.saved_model.save(module, str(tmp_path))
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / version_files.INFO_PATH).write_text(json.dumps({"work_size": 32, "z_dim": 3}))
    content = tflite.convert(
        conversion.SourceModel(tmp_path), flavour="chroma", quantization="float32", image_size=(4, 4)
    )
    l = draw_l(4, 4)
    np.testing.assert_allclose(run(content, l=l)["ab"], np.concatenate([0.5 * l, -l], axis=-1), atol=1e-6)


def test_a_file_without_weights_is_refused(source):
    content = tflite.convert(source, flavour="chroma", quantization="float32", image_size=(32, 32))
    tflite.check_content(content, min_bytes=len(content))
    with pytest.raises(conversion.ConversionError, match="lacks weights"):
        tflite.check_content(content, min_bytes=len(content) + 1)


def test_custom_operations_are_refused():
    class Shuffle(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([4])])
        def __call__(self, x):
            return tf.random.shuffle(x)

    module = Shuffle()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    with pytest.raises(conversion.ConversionError, match="not built in: FlexRandomShuffle"):
        tflite.check_content(converter.convert(), min_bytes=0)


def test_what_cannot_be_converted_is_one_line(source, monkeypatch):
    def predict(l, shape):
        return tf.random.shuffle(tf.concat([l, l], axis=-1))

    monkeypatch.setattr(source, "predict", predict)
    with pytest.raises(conversion.ConversionError) as caught:
        tflite.convert(source, flavour="chroma", quantization="float32", image_size=(32, 32))
    assert str(caught.value).startswith(f"{source.version_dir}: can't be converted: ")
    assert "\n" not in str(caught.value)
