import hashlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization import color
from colorization.inference import processing, saved_model

SHIPPED_DIR = Path(__file__).parents[2] / "saved_models" / "colorizer"

# Loads the model where this project cannot be imported, and answers full and empty batches on all signatures.
LOAD = """
import importlib.util, sys
import numpy as np
import tensorflow as tf
assert importlib.util.find_spec("colorization") is None
path, inputs, outputs = sys.argv[1:]
data = np.load(inputs)
signatures = tf.saved_model.load(path).signatures
png = tf.io.encode_png(data["rgb"][0])[tf.newaxis]
feeds = {"serving_default": {"image_bytes": png}, "colorize": {"rgb": data["rgb"]}, "predict_ab": {"l": data["l"]},
         "sample_ab": {key: data[key] for key in ["l", "z"]}, "encode_z": {key: data[key] for key in ["l", "ab"]},
         "steer_ab": {key: data[key] for key in ["l", "z", "hints"]}}
assert set(signatures) == set(feeds), set(signatures)
answers = {}
for name, feed in feeds.items():
    for suffix, some in (("", slice(None)), ("/empty", slice(0))):
        feed_some = {key: tf.constant(value)[some] for key, value in feed.items()}
        for key, value in signatures[name](**feed_some).items():
            answers[f"{name}/{key}{suffix}"] = value.numpy()
answers["serving_default/image_bytes"] = tf.io.decode_png(answers["serving_default/image_bytes"][0]).numpy()[None]
answers["serving_default/image_bytes/empty"] = np.zeros(answers["serving_default/image_bytes/empty"].shape)
np.savez(outputs, **answers)
"""

# What `saved_model_cli run` runs: TensorFlow's C++ loader and a session, without the Python object graph.
SAVED_MODEL_CLI = """
import sys
import numpy as np
from tensorflow.python.tools import saved_model_cli
path, inputs, output_dir = sys.argv[1:]
data = dict(np.load(inputs))
with open(inputs + ".png", "rb") as file:
    data["image_bytes"] = np.array([file.read()], object)
for name, keys in {"serving_default": ["image_bytes"], "colorize": ["rgb"], "predict_ab": ["l"],
                   "sample_ab": ["l", "z"], "steer_ab": ["l", "z", "hints"], "encode_z": ["l", "ab"]}.items():
    for folder, some in ((name, slice(None)), (name + "_empty", slice(0))):
        feed = {key: data[key][some] for key in keys}
        saved_model_cli.run_saved_model_with_feed_dict(
            path, "serve", name, feed, f"{output_dir}/{folder}", overwrite_flag=True)
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Path of an .npz with `rgb` (2, 40, 56, 3), `l` (2, 33, 47, 1), `z` (2, 2), `hints` (2, 33, 47, 3) and `ab`
    (2, 33, 47, 2); beside it rgb[0] as .png."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    rgb = rng.integers(0, 256, (2, 40, 56, 3), np.uint8)
    l = rng.uniform(-1, 1, (2, 33, 47, 1)).astype(np.float32)
    ab = rng.uniform(-1, 1, (2, 33, 47, 2)).astype(np.float32)
    mask = rng.integers(0, 2, (2, 33, 47, 1)).astype(np.float32)
    hints = np.concatenate([ab * mask, mask], axis=-1)
    np.savez(path, rgb=rgb, l=l, z=np.array([[1, 0], [0, -1]], np.float32), hints=hints, ab=ab)
    Image.fromarray(rgb[0]).save(f"{path}.png")
    return path


def tiny_ab(l, z=(0.0, 0.0), hints=(0.0, 0.0, 0.0)):
    """What conftest's generator computes of what it is shown."""
    l = processing.stretch_contrast(tf.constant(l, tf.float32)).numpy()
    z, hints = np.asarray(z, np.float32).reshape(-1, 1, 1, 2), np.asarray(hints)
    automatic = np.array([0.3, -0.2]) + l * np.array([-0.1, 0.05])
    return automatic + 0.1 * z + 0.5 * hints[..., :2] + hints[..., 2:] * np.array([0.05, -0.05])


def tiny_z(l, ab):
    """What conftest's noise encoder computes; an odd last row and column are left out by its pooling."""
    l, ab = (x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2].mean(axis=(1, 2)) for x in (l, ab))
    return 4 * ab + l * np.array([0, 1])


def colorize_directly(rgb, work_size=64):
    """The steps of `colorize`, one by one, with the known chroma."""
    l = processing.to_l(rgb)
    small = processing.shrink_l(l, processing.work_shape(*rgb.shape[1:3], work_size))
    ab = processing.upsample_ab(tf.constant(tiny_ab(small.numpy()), tf.float32), rgb.shape[1:3])
    return processing.recolor(l, ab, 1.0, tf.uint8).numpy().astype(int)


def assert_answers(answers, inputs):
    """Checks all signatures' answers; keys are "signature/output" and "signature/output/empty"."""
    data = np.load(inputs)
    expected_rgb = colorize_directly(data["rgb"])
    assert answers["colorize/rgb"].dtype == np.uint8
    np.testing.assert_allclose(answers["colorize/rgb"].astype(int), expected_rgb, atol=1)
    np.testing.assert_allclose(answers["serving_default/image_bytes"].astype(int), expected_rgb[:1], atol=1)
    np.testing.assert_allclose(answers["predict_ab/ab"], tiny_ab(data["l"]), atol=1e-5)
    np.testing.assert_allclose(answers["sample_ab/ab"], tiny_ab(data["l"], data["z"]), atol=1e-5)
    steered = processing.obey_hints(tf.cast(tiny_ab(data["l"], data["z"], data["hints"]), tf.float32), data["hints"])
    np.testing.assert_allclose(answers["steer_ab/ab"], steered, atol=1e-5)
    np.testing.assert_allclose(answers["encode_z/z"], tiny_z(data["l"], data["ab"]), atol=1e-5)
    assert answers["colorize/rgb/empty"].shape == (0, 40, 56, 3)
    for name in ("predict_ab", "sample_ab", "steer_ab"):
        assert answers[f"{name}/ab/empty"].shape == (0, 33, 47, 2)
    assert answers["encode_z/z/empty"].shape == (0, 2)
    assert answers["serving_default/image_bytes/empty"].shape == (0,)


def test_it_runs_where_this_project_is_not_installed(tiny_model_dir, inputs, tmp_path):
    command = [sys.executable, "-I", "-c", LOAD, str(tiny_model_dir / "1"), str(inputs), str(tmp_path / "out.npz")]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert_answers(dict(np.load(tmp_path / "out.npz")), inputs)


def test_saved_model_cli_runs_every_signature(tiny_model_dir, inputs, tmp_path):
    command = [sys.executable, "-I", "-c", SAVED_MODEL_CLI, str(tiny_model_dir / "1"), str(inputs), str(tmp_path)]
    subprocess.run(command, check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
    answers = {}
    for path in tmp_path.glob("*/*.npy"):
        folder = path.parent.name
        name = f"{folder.removesuffix('_empty')}/{path.stem}" + ("/empty" if folder.endswith("_empty") else "")
        answers[name] = np.load(path, allow_pickle=True)
    png = answers["serving_default/image_bytes"][0]
    answers["serving_default/image_bytes"] = np.array(Image.open(io.BytesIO(png)))[None]
    assert_answers(answers, inputs)


def test_serving_default_takes_a_mix_of_formats_and_sizes(tiny_model_dir):
    rng = np.random.default_rng(0)
    photos = [
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)),
        Image.fromarray(rng.integers(0, 256, (50, 20), np.uint8)),
        Image.fromarray(rng.integers(0, 256, (7, 9, 4), np.uint8)),
    ]
    encoded = []
    for photo, name in zip(photos, ["PNG", "JPEG", "PNG"], strict=True):
        file = io.BytesIO()
        photo.save(file, name)
        encoded.append(file.getvalue())
    serve = tf.saved_model.load(str(tiny_model_dir / "1")).signatures["serving_default"]
    answers = serve(image_bytes=tf.constant(encoded))["image_bytes"].numpy()
    for photo, answer in zip(photos, answers, strict=True):
        result = Image.open(io.BytesIO(answer))
        assert (result.format, result.mode, result.size) == ("PNG", "RGB", photo.size)
    expected = colorize_directly(np.array(photos[0])[None])[0]
    np.testing.assert_allclose(np.array(Image.open(io.BytesIO(answers[0]))).astype(int), expected, atol=1)


def test_lightness_stays(tiny_model_dir):
    rgb = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1), np.uint8).repeat(3, axis=-1)
    colorize = tf.saved_model.load(str(tiny_model_dir / "1")).signatures["colorize"]
    result = colorize(rgb=tf.constant(rgb))["rgb"].numpy()
    assert (result.max(axis=-1).astype(int) - result.min(axis=-1)).mean() > 20  # coloured
    shift = np.abs(processing.to_l(result) - processing.to_l(rgb)) * color.L_SCALE
    assert shift.mean() < 0.5


def test_the_bare_network_is_there_for_converters(tiny_model_dir, inputs):
    data = np.load(inputs)
    restored = tf.saved_model.load(str(tiny_model_dir / "1"))
    ab = restored.predict(*(tf.constant(data[key]) for key in ("l", "z", "hints")))
    np.testing.assert_allclose(ab, tiny_ab(data["l"], data["z"], data["hints"]), atol=1e-5)


@pytest.mark.parametrize(
    "signature, feeds, message",
    [
        ("steer_ab", {"z": (1, 2), "hints": (1, 8, 9, 3)}, "steer_ab: hints must have N, H and W of l"),
        ("steer_ab", {"z": (1, 2), "hints": (2, 8, 8, 3)}, "steer_ab: hints must have N, H and W of l"),
        ("encode_z", {"ab": (1, 4, 8, 2)}, "encode_z: ab must have N, H and W of l"),
    ],
)
def test_inputs_of_other_sizes_are_refused(tiny_model_dir, signature, feeds, message):
    function = tf.saved_model.load(str(tiny_model_dir / "1")).signatures[signature]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        function(l=tf.zeros((1, 8, 8, 1)), **{name: tf.zeros(shape) for name, shape in feeds.items()})


def test_a_photo_too_small_to_have_a_mood_is_refused(tiny_model_dir):
    encode_z = tf.saved_model.load(str(tiny_model_dir / "1")).signatures["encode_z"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="encode_z: the photo is too small"):
        encode_z(l=tf.zeros((1, 1, 1, 1)), ab=tf.zeros((1, 1, 1, 2)))


def test_variables_are_stored_once(tiny_model_dir, tiny_generator, tiny_noise_encoder):
    stored = dict(tf.train.list_variables(str(tiny_model_dir / "1" / "variables" / "variables")))
    for prefix, network in (("v/", tiny_generator), ("noise_encoder_v/", tiny_noise_encoder)):
        names = [name for name in stored if name.startswith(prefix)]
        assert sum(np.prod(stored.pop(name), dtype=int) for name in names) == network.count_params()
    assert set(stored) <= {"_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}


def test_info_lies_beside_it(tiny_model_dir):
    info = json.loads((tiny_model_dir / "1" / "assets.extra" / "colorizer.json").read_text())
    weights = {"chroma/kernel", "chroma/bias", "mood/kernel", "hinted/kernel"}
    weights |= {f"norm/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    assert set(info.pop("weights")) == weights
    assert set(info.pop("noise_encoder_weights")) == {
        f"{n}/{w}" for n in ("mean", "log_variance") for w in ("kernel", "bias")
    }
    provenance = {"made by": "a test"}
    assert info == {
        "z_dim": 2,
        "work_size": 64,
        "saturation": 1.0,
        "blue_limit": None,
        "smoothing": 0,
        "provenance": provenance,
    }


def test_checksums_name_every_other_file(tiny_model_dir):
    manifest = json.loads((tiny_model_dir / "1" / "assets.extra" / "checksums.json").read_text())
    files = {
        path.relative_to(tiny_model_dir / "1").as_posix()
        for path in (tiny_model_dir / "1").rglob("*")
        if path.is_file()
    }
    assert set(manifest) == files - {"assets.extra/checksums.json"} and len(manifest) == 5
    info = (tiny_model_dir / "1" / "assets.extra" / "colorizer.json").read_bytes()
    assert manifest["assets.extra/colorizer.json"]["sha256"] == hashlib.sha256(info).hexdigest()


def test_saturation_is_built_into_every_signature(tiny_generator, tmp_path):
    l = np.linspace(-0.5, 0.5, 2 * 32 * 32, dtype=np.float32).reshape(2, 32, 32, 1)
    plain, strong = (
        saved_model.export_saved_model(tiny_generator, tmp_path, work_size=32, saturation=factor) for factor in (1, 1.5)
    )
    for name, others in (("predict_ab", {}), ("sample_ab", {"z": np.ones((2, 2), np.float32)})):
        ab, more = (tf.saved_model.load(str(path)).signatures[name](l=l, **others)["ab"] for path in (plain, strong))
        np.testing.assert_allclose(more, 1.5 * ab, rtol=1e-5)


def test_blues_are_limited_after_the_factor_for_chroma(tiny_generator, tmp_path):
    l = np.random.default_rng(0).uniform(-1, 1, (1, 32, 40, 1)).astype(np.float32)
    versions = [
        saved_model.export_saved_model(tiny_generator, tmp_path, work_size=32, saturation=3.0, blue_limit=limit)
        for limit in (None, 8.0)
    ]
    plain, limited = (
        tf.saved_model.load(str(version)).signatures["predict_ab"](l=l)["ab"].numpy() for version in versions
    )
    np.testing.assert_allclose(limited, processing.limit_blue(plain, 8.0), atol=1e-6)
    assert np.abs(limited - plain).max() > 1e-3


def test_smoothing_is_built_in_and_hints_stay_exact(tiny_generator, tmp_path):
    l = np.random.default_rng(0).uniform(-1, 1, (1, 32, 40, 1)).astype(np.float32)
    versions = [
        saved_model.export_saved_model(tiny_generator, tmp_path, work_size=32, smoothing=radius) for radius in (0, 2)
    ]
    plain, smooth = (tf.saved_model.load(str(version)) for version in versions)
    expected = processing.smooth_ab(l, plain.signatures["predict_ab"](l=l)["ab"], 2)
    np.testing.assert_allclose(smooth.signatures["predict_ab"](l=l)["ab"], expected, atol=1e-5)
    hints = np.zeros((1, 32, 40, 3), np.float32)
    hints[0, 20, 10] = (0.5, -0.5, 1.0)
    steered = smooth.signatures["steer_ab"](l=l, z=np.zeros((1, 2), np.float32), hints=hints)["ab"]
    np.testing.assert_allclose(steered[0, 20, 10], (0.5, -0.5), atol=1e-6)


def test_without_a_noise_encoder_there_is_no_encode_z(tiny_generator, tmp_path, inputs):
    version_dir = saved_model.export_saved_model(tiny_generator, tmp_path)
    signatures = tf.saved_model.load(str(version_dir)).signatures
    assert set(signatures) == {"serving_default", "colorize", "predict_ab", "sample_ab", "steer_ab"}
    l = np.load(inputs)["l"]
    np.testing.assert_allclose(signatures["predict_ab"](l=tf.constant(l))["ab"], tiny_ab(l), atol=1e-5)


def test_next_version_follows_the_highest_number(tiny_generator, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda module, path, **_: tf.io.gfile.makedirs(path))
    assert saved_model.export_saved_model(tiny_generator, tmp_path / "new") == tmp_path / "new" / "1"
    for name in ("2", "10", "backup"):
        (tmp_path / "new" / name).mkdir()
    assert saved_model.export_saved_model(tiny_generator, tmp_path / "new") == tmp_path / "new" / "11"


def test_a_failed_export_leaves_nothing(tiny_generator, tmp_path, monkeypatch):
    def fail(module, path, **_):
        tf.io.gfile.makedirs(path)
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        saved_model.export_saved_model(tiny_generator, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_no_version_and_goes_with_a_later_export(tiny_generator, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda module, path, **_: tf.io.gfile.makedirs(path))
    for age in (10, 4000):  # seconds
        leftover = tmp_path / f".{age:016x}.tmp"
        leftover.mkdir()
        (leftover / "saved_model.pb").write_bytes(b"half")
        for path in (leftover / "saved_model.pb", leftover):
            os.utime(path, (time.time() - age,) * 2)
    assert saved_model.export_saved_model(tiny_generator, tmp_path) == tmp_path / "1"
    assert {path.name for path in tmp_path.iterdir()} == {"1", f".{10:016x}.tmp"}
    assert saved_model.list_versions(tmp_path) == [tmp_path / "1"]


@pytest.mark.parametrize("work_size", [0, -32, 100])
def test_work_size_must_fit_the_stride(tiny_generator, tmp_path, work_size):
    with pytest.raises(ValueError, match=f"work size {work_size}: must be a positive multiple of 32"):
        saved_model.export_saved_model(tiny_generator, tmp_path, work_size=work_size)


def make_network(outputs=1, **inputs):
    """A network named "other" that turns its inputs, of so many channels each, into sums over all."""
    tensors = [keras.Input((None, None, channels), name=name) for name, channels in inputs.items()]
    joined = keras.layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]
    pooled = keras.layers.GlobalAveragePooling2D()(joined)
    return keras.Model(tensors, [keras.layers.Dense(2)(pooled) for _ in range(outputs)], name="other")


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"rgb": 3}, r"generator other: inputs are \['rgb'\], not \['l', 'z', 'hints'\]"),
        ({"l": 1, "z": 2}, r"generator other: inputs are \['l', 'z'\], not \['l', 'z', 'hints'\]"),
    ],
)
def test_another_network_is_refused(tmp_path, inputs, message):
    with pytest.raises(ValueError, match=message):
        saved_model.export_saved_model(make_network(**inputs), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({"outputs": 2, "rgb": 3}, r"noise encoder other: inputs are \['rgb'\], not \['l', 'ab'\]"),
        ({"outputs": 1, "l": 1, "ab": 2}, "noise encoder other: outputs are not mean and log variance of 2"),
    ],
)
def test_another_noise_encoder_is_refused(tiny_generator, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        saved_model.export_saved_model(tiny_generator, tmp_path, noise_encoder=make_network(**options))


def test_weights_of_one_name_are_refused(tmp_path):
    """Layers of networks inside a network have the names that they have there."""
    tensors = [
        keras.Input((None, None, channels), name=name) for name, channels in {"l": 1, "z": 2, "hints": 3}.items()
    ]
    parts = []
    for tensor in tensors:
        inner = keras.Input(tensor.shape[1:])
        parts.append(keras.Model(inner, keras.layers.Conv2D(2, 1, name="twin")(inner))(tensor))
    generator = keras.Model(tensors, keras.layers.Add()(parts), name="other")
    with pytest.raises(ValueError, match="generator other: twin/kernel is the name of several weights"):
        saved_model.export_saved_model(generator, tmp_path)
