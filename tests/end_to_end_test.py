"""Train, export, colorize, evaluate: each command works on what the one before left."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from colorization.inference import colorizer, saved_model
from tests.data.sources_test import colour_photo

ROOT = Path(__file__).parents[1]


def call(module: str, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"colorization.{module}", *map(str, args)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Starts generators from the model in argv: one that has a layer more, then some that don't fit.
START = """
import sys
import types
import keras
import numpy as np
from colorization import train
from tests.conftest import build_tiny_noise_encoder

model_dir, old_model_dir = sys.argv[1:]

def build(size=1, hinted="hinted"):
    l, hints = keras.Input((None, None, 1), name="l"), keras.Input((None, None, 3), name="hints")
    z = keras.Input((2,), name="z")
    x = keras.layers.Conv2D(2, size, name="chroma")(l)
    x += keras.layers.Conv2D(2, 1, use_bias=False, name=hinted)(hints)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x += keras.layers.Reshape((1, 1, 2))(keras.layers.Dense(2, use_bias=False, name="mood")(z))
    x = keras.layers.Conv2D(2, 1, name="fresh")(x)
    return keras.Model([l, z, hints], x)

def make_gan(**options):
    noise_encoder = build_tiny_noise_encoder()
    noise_encoder.set_weights([0.0 * weight for weight in noise_encoder.get_weights()])
    networks = {"generator": build(**options), "ema_generator": build(**options), "noise_encoder": noise_encoder}
    return types.SimpleNamespace(**networks)

gan = make_gan()
fresh = gan.generator.get_layer("fresh").get_weights()[0]
train._start_from_model(gan, model_dir)
for network in (gan.generator, gan.ema_generator):
    np.testing.assert_array_equal(network.get_layer("fresh").get_weights()[0], fresh)
    np.testing.assert_allclose(network.get_layer("mood").get_weights()[0], 0.1 * np.eye(2))
    np.testing.assert_allclose(network.get_layer("chroma").get_weights()[1], [0.3, -0.2])
np.testing.assert_array_equal(gan.noise_encoder.get_layer("mean").get_weights()[0], [[0, 1], [4, 0], [0, 4]])
for path, options in ((model_dir, {"size": 3}), (model_dir, {"hinted": "other"}), (old_model_dir, {})):
    try:
        train._start_from_model(make_gan(**options), path)
    except ValueError as error:
        print(error)
"""


def test_training_starts_from_a_model_whose_weights_it_knows(tiny_model_dir, tmp_path):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "old")
    info = tmp_path / "old" / "assets.extra" / "colorizer.json"
    info.write_text('{"z_dim": 2, "work_size": 64}')
    (tmp_path / "old" / "assets.extra" / "checksums.json").unlink()
    done = subprocess.run(
        [sys.executable, "-c", START, tiny_model_dir, tmp_path / "old"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{tiny_model_dir}/1: its chroma/kernel has shape (1, 1, 1, 2), the one of the flags (3, 3, 1, 2)",
        f"{tiny_model_dir}/1: the network that the flags describe has no weight hinted/kernel",
        f"{tmp_path}/old: its weights can't be read: it is older than colour hints and does not name its weights",
    ]


def save_photos(folder: Path) -> Path:
    folder.mkdir()
    for index in range(8):
        Image.fromarray(colour_photo(index, 40, 48)).save(folder / f"{index}.png")
    return folder


def test_restraint_is_taught_to_a_model_whose_weights_stay_as_they_are_and_left_out_when_it_is_trained_on(tmp_path):
    shipped, sizes = ROOT / "saved_models" / "colorizer", ["--image_size=32", "--batch_size=2", "--max_steps=2"]
    flags = [f"--data_dir={save_photos(tmp_path / 'photos')}", "--val_percent=20", "--mixed_precision=float32", *sizes]
    restraint = ["--flagfile=flags/train_restraint.flags", *flags, f"--init_model_dir={shipped}"]
    call("train", *restraint, f"--run_dir={tmp_path / 'run'}")
    call("export", f"--run_dir={tmp_path / 'run'}", f"--export_dir={tmp_path / 'models'}")
    before = saved_model.read_weights(colorizer.find_version_dir(shipped), "generator")
    after = saved_model.read_weights(tmp_path / "models" / "1", "generator")
    others = [path for path in before if not path.startswith("restraint_")]
    assert others == [path for path in after if not path.startswith("restraint_")]
    for path in others:
        np.testing.assert_allclose(after[path], before[path], rtol=1e-5, atol=1e-9, err_msg=path)
    sure = "restraint_sure/kernel"
    assert np.any(after[sure] != before.get(sure, 0.0))

    call("train", *flags, "--frozen_until=2", f"--init_model_dir={tmp_path / 'models'}", f"--run_dir={tmp_path / 'on'}")
    call("export", f"--run_dir={tmp_path / 'on'}", f"--export_dir={tmp_path / 'models'}")
    assert saved_model.read_weights(tmp_path / "models" / "2", "generator").keys() == set(others)


def test_from_photos_to_scores(tmp_path):
    photos = save_photos(tmp_path / "photos")
    flags = ["--encoder_weights=none", "--image_size=32", "--batch_size=2", "--max_steps=2", "--validation_steps=2"]
    flags += ["--mixed_precision=float32", "--val_percent=20"]
    call("train", f"--data_dir={photos}", f"--run_dir={tmp_path / 'run'}", *flags)
    models = tmp_path / "models"
    assert call("export", f"--run_dir={tmp_path / 'run'}", f"--export_dir={models}", "--work_size=64").strip() == str(
        models / "1"
    )
    call("colorize", photos, f"--output_dir={tmp_path / 'out'}", f"--model_dir={models}")
    for index in range(8):
        assert np.asarray(Image.open(tmp_path / "out" / f"{index}.png")).shape == (40, 48, 3)
    hints = tmp_path / "hints.json"
    hints.write_text('[{"x": 20, "y": 10, "color": "#ff0000"}]')
    options = [f"--model_dir={models}", f"--hints={hints}", f"--reference={photos / '1.png'}"]
    call("colorize", photos / "0.png", f"--output_dir={tmp_path / 'asked'}", *options)
    assert np.asarray(Image.open(tmp_path / "asked" / "0.png")).shape == (40, 48, 3)
    scores = tmp_path / "scores"
    call(
        "evaluate",
        f"--data_dir={photos}",
        f"--model_dir={models}",
        f"--output_dir={scores}",
        "--inception_weights=none",
    )
    assert json.loads((scores / "metrics.json").read_text())["num_photos"] == 8
