import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

ROOT = Path(__file__).parents[1]

# Puts tiny networks in the place of trained ones, so that the test needs no training run.
PROGRAM = """
import sys
import keras
from colorization import cli, export
from colorization.training import checkpoints

def load_generator(run_dir):
    assert str(run_dir) == "runs/one"
    l, z = keras.Input((None, None, 1), name="l"), keras.Input((3,), name="z")
    hints = keras.Input((None, None, 3), name="hints")
    ab = keras.layers.Conv2D(2, 1, name="chroma")(keras.layers.Concatenate()([l, hints]))
    ab = ab + keras.layers.Reshape((1, 1, 2))(keras.layers.Dense(2, name="mood")(z))
    return keras.Model([l, z, hints], ab, name="tiny")

def load_networks(run_dir, *, noise_encoder):
    assert str(run_dir) == "runs/one"
    for variable in noise_encoder.variables:
        variable.assign(variable * 0 + (5 if variable.path == "mean/bias" else 0))

checkpoints.load_generator = load_generator
checkpoints.load_networks = load_networks
flag_values = {"seed": 7, "z_dim": 3, "data_dir": "private/photos"}
checkpoints.read_config = lambda run_dir: {"flags": flag_values, "git_commit": "abc"}
sys.argv[0] = "export"
cli.run(export.main)
"""


def run_export(*args):
    command = [sys.executable, "-m", "colorization.export", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_the_next_version_is_written_with_its_provenance(tmp_path):
    (tmp_path / "4").mkdir()
    args = ["--run_dir=runs/one", f"--export_dir={tmp_path}", "--work_size=96", "--saturation=0.9", "--blue_limit=45"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/5\n"), done.stderr
    assert (tmp_path / "5" / "saved_model.pb").is_file()
    info = json.loads((tmp_path / "5" / "assets.extra" / "colorizer.json").read_text())
    assert info.pop("noise_encoder_weights")[:2] == ["stage_0/kernel", "stage_0/bias"]
    assert info == {
        "z_dim": 3,
        "work_size": 96,
        "saturation": 0.9,
        "blue_limit": 45.0,
        "smoothing": 0,
        "weights": ["mood/kernel", "mood/bias", "chroma/kernel", "chroma/bias"],
        "provenance": {
            "generator": "tiny",
            "training": {"flags": {"seed": 7, "z_dim": 3, "data_dir": "photos"}, "git_commit": "abc"},
        },
    }
    encode_z = tf.saved_model.load(str(tmp_path / "5")).signatures["encode_z"]
    np.testing.assert_array_equal(
        encode_z(l=tf.ones((2, 32, 40, 1)), ab=tf.ones((2, 32, 40, 2)))["z"], np.full((2, 3), 5)
    )


def test_weights_are_averaged_with_those_of_other_versions(tmp_path):
    args = ["--run_dir=runs/one", f"--export_dir={tmp_path}"]
    for more in ([], [f"--average_with={tmp_path / '1'},{tmp_path / '1'}"]):
        program = PROGRAM if not more else PROGRAM.replace("(5 if", "(11 if")
        done = subprocess.run([sys.executable, "-c", program, *args, *more], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    of_both = json.loads((tmp_path / "2" / "assets.extra" / "colorizer.json").read_text())["provenance"]
    of_one = json.loads((tmp_path / "1" / "assets.extra" / "colorizer.json").read_text())["provenance"]
    assert of_both == of_one | {"averaged_with": [of_one, of_one]}
    encode_z = tf.saved_model.load(str(tmp_path / "2")).signatures["encode_z"]
    z = encode_z(l=tf.ones((1, 32, 32, 1)), ab=tf.ones((1, 32, 32, 2)))["z"]
    np.testing.assert_array_equal(z, np.full((1, 3), 7))  # (11 + 5 + 5) / 3


def test_a_missing_version_to_average_with_is_one_line_and_status_2(tmp_path):
    args = ["--run_dir=runs/one", f"--export_dir={tmp_path / 'models'}", f"--average_with={tmp_path / 'none'}"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"export: {tmp_path / 'none'}: ")  # before it, of `import keras`
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()


def test_a_run_without_checkpoint_is_one_line_and_status_2(tmp_path):
    done = run_export(f"--run_dir={tmp_path / 'run'}", f"--export_dir={tmp_path / 'models'}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"export: {tmp_path / 'run'}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_boldness_is_built_into_a_model_with_restraint(tmp_path):
    program = PROGRAM.replace(
        "    return keras.Model(",
        """    from colorization.models.layers import Restrain
    ab = Restrain()(0.0 * ab + keras.ops.array([0.6, 0.0]), 0.0 * l + 0.11)
    return keras.Model(""",
    )
    args = ["--run_dir=runs/one", f"--export_dir={tmp_path}", "--restraint_boldness=0.5", "--other_boldness=2"]
    done = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    ab = tf.saved_model.load(str(tmp_path / "1")).signatures["predict_ab"](l=tf.zeros((1, 32, 32, 1)))["ab"]
    np.testing.assert_allclose(ab, np.full((1, 32, 32, 2), [0.11 + 0.055**2 / 0.11, 0.0]), atol=1e-5)
    info = json.loads((tmp_path / "1" / "assets.extra" / "colorizer.json").read_text())
    assert info["provenance"]["restraint"] == {"boldness": 0.5, "other_boldness": 2.0}


def test_boldness_without_restraint_is_one_line_and_status_2(tmp_path):
    args = ["--run_dir=runs/one", f"--export_dir={tmp_path / 'models'}", "--other_boldness=0.5"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and not (tmp_path / "models").exists()
    assert done.stderr.splitlines()[-1].startswith("export: runs/one: it has no restraint")


def test_run_dir_is_required():
    done = run_export("--export_dir=models")
    assert done.returncode == 2
    assert done.stderr == "export: flag --run_dir=None: Flag --run_dir must have a value other than None.\n"
