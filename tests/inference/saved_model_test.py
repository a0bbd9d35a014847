import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization import color
from colorization.inference import processing, saved_model

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
         "sample_ab": {"l": data["l"], "z": data["z"]}}
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
                   "sample_ab": ["l", "z"]}.items():
    for folder, some in ((name, slice(None)), (name + "_empty", slice(0))):
        feed = {key: data[key][some] for key in keys}
        saved_model_cli.run_saved_model_with_feed_dict(
            path, "serve", name, feed, f"{output_dir}/{folder}", overwrite_flag=True)
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Path of an .npz with `rgb` (2, 40, 56, 3), `l` (2, 33, 47, 1), `z` (2, 2), and beside it rgb[0] as .png."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    rgb = rng.integers(0, 256, (2, 40, 56, 3), np.uint8)
    l = rng.uniform(-1, 1, (2, 33, 47, 1)).astype(np.float32)
    np.savez(path, rgb=rgb, l=l, z=np.array([[1, 0], [0, -1]], np.float32))
    Image.fromarray(rgb[0]).save(f"{path}.png")
    return path


def tiny_ab(l, z=(0.0, 0.0)):
    """What conftest's generator computes."""
    z = np.asarray(z, np.float32).reshape(-1, 1, 1, 2)
    return np.array([0.3, -0.2]) + l * np.array([-0.1, 0.05]) + 0.1 * z


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
    assert answers["colorize/rgb/empty"].shape == (0, 40, 56, 3)
    assert answers["predict_ab/ab/empty"].shape == answers["sample_ab/ab/empty"].shape == (0, 33, 47, 2)
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


def test_variables_are_stored_once(tiny_model_dir, tiny_generator):
    stored = tf.train.list_variables(str(tiny_model_dir / "1" / "variables" / "variables"))
    sizes = [np.prod(shape, dtype=int) for name, shape in stored if name.startswith("v/")]
    assert sum(sizes) == tiny_generator.count_params()
    assert {name for name, _ in stored if not name.startswith("v/")} <= {
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "save_counter/.ATTRIBUTES/VARIABLE_VALUE",
    }


def test_info_lies_beside_it(tiny_model_dir):
    info = json.loads((tiny_model_dir / "1" / "assets.extra" / "colorizer.json").read_text())
    assert info == {"z_dim": 2, "work_size": 64, "provenance": {"made by": "a test"}}


def test_next_version_follows_the_highest_number(tiny_generator, tmp_path, monkeypatch):
    monkeypatch.setattr(tf.saved_model, "save", lambda module, path, **_: tf.io.gfile.makedirs(path))
    assert saved_model.export_saved_model(tiny_generator, tmp_path / "new") == tmp_path / "new" / "1"
    for name in ("2", "10", "backup"):
        (tmp_path / "new" / name).mkdir()
    assert saved_model.export_saved_model(tiny_generator, tmp_path / "new") == tmp_path / "new" / "11"
    assert [path.name for path in saved_model.list_versions(tmp_path / "new")] == ["1", "2", "10", "11"]
    assert saved_model.list_versions(tmp_path / "missing") == []


def test_a_failed_export_leaves_nothing(tiny_generator, tmp_path, monkeypatch):
    def fail(module, path, **_):
        tf.io.gfile.makedirs(path)
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        saved_model.export_saved_model(tiny_generator, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("work_size", [0, -32, 100])
def test_work_size_must_fit_the_stride(tiny_generator, tmp_path, work_size):
    with pytest.raises(ValueError, match=f"work size {work_size}: must be a positive multiple of 32"):
        saved_model.export_saved_model(tiny_generator, tmp_path, work_size=work_size)


def test_another_network_is_refused(tmp_path):
    rgb = keras.Input((None, None, 3), name="rgb")
    with pytest.raises(ValueError, match=r"generator other: inputs are \['rgb'\], not \['l', 'z'\]"):
        saved_model.export_saved_model(keras.Model(rgb, keras.layers.ReLU()(rgb), name="other"), tmp_path)
