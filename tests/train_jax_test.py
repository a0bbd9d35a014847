"""The train_jax command, as a user calls it; its run is then exported and gone on from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization import Colorizer, models
from colorization.jax_training import run_files
from tests.data.sources_test import colour_photo

ROOT = Path(__file__).parents[1]
TINY = [
    "--image_size=32",
    "--val_image_size=32",
    "--batch_size=4",
    "--max_steps=2",
    "--log_steps=1",
    "--validation_steps=2",
    "--mixed_precision=float32",
    "--aged_share=0",
    "--noise_fraction=0",
    "--hint_fraction=0",
    "--colorfulness_weight=0",
    "--z_dim=2",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for index in range(33):
        Image.fromarray(colour_photo(index % 12, 36, 40 + index)).save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def run(name: str, *args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"colorization.{name}", *map(str, args)]
    quick_to_compile = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    return subprocess.run(command, cwd=ROOT, env=os.environ | quick_to_compile, capture_output=True, text=True)


def assert_refused(done: subprocess.CompletedProcess, message: str) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"train_jax: {message}\n")


@pytest.fixture(scope="module")
def earlier_run(tmp_path_factory) -> Path:
    """A folder with random weights, as a run of the command leaves them."""
    folder = tmp_path_factory.mktemp("earlier")
    networks = {
        "generator": models.build_mobilenet_unet(z_dim=2, encoder_weights=None, frozen_until=2, folded=True),
        "noise_encoder": models.build_noise_encoder(z_dim=2),
    }
    weights = {f"{name}/{v.path}": v.numpy() for name, network in networks.items() for v in network.variables}
    run_files.write_weights(folder, weights)
    return folder


@pytest.fixture(scope="module")
def finished_run(photos, earlier_run, tmp_path_factory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "mine"
    flags = [
        f"--data_dir={photos}",
        f"--val_data_dir={photos}",
        f"--init_run_dir={earlier_run}",
        f"--run_dir={run_dir}",
    ]
    done = run("train_jax", *flags, *TINY)
    assert done.returncode == 0, done.stderr
    assert "33 photos, 1 files skipped" in done.stdout
    assert done.stdout.endswith(f"{run_dir}: done at step 2 of 2\n")
    return run_dir


def test_a_run_leaves_config_log_weights_and_what_was_skipped(photos, earlier_run, finished_run):
    config = json.loads((finished_run / "config.json").read_text())
    assert config["flags"]["data_dir"] == str(photos) and config["flags"]["max_steps"] == 2
    assert "jax" in config["versions"]
    log = [json.loads(line) for line in (finished_run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2]
    assert "val_psnr" not in log[0] and log[1]["val_psnr"] > 5.0 and np.isfinite(log[1]["loss"])
    assert (finished_run / "skipped.txt").read_text().startswith(f"{photos / 'broken.png'}: ")
    before, after = run_files.read_weights(earlier_run), run_files.read_weights(finished_run)
    assert before.keys() == after.keys()
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert any(name.startswith("generator/") and "decoder" in name for name in changed)
    assert not any("conv1/" in name for name in changed), "the encoder's first blocks don't train"


def test_a_run_is_exported_and_gone_on_from(photos, finished_run, tmp_path):
    done = run("export", f"--run_dir={finished_run}", f"--export_dir={tmp_path / 'model'}", "--work_size=32")
    assert done.returncode == 0, done.stderr
    result = Colorizer.load(tmp_path / "model").colorize(colour_photo(1, 36, 40))
    assert result.shape == (36, 40, 3) and result.dtype == np.uint8
    tiny = ["--image_size=32", "--batch_size=2", "--max_steps=1", "--mixed_precision=float32", "--z_dim=2"]
    gone_on = tmp_path / "gone_on"
    flags = [f"--data_dir={photos}", f"--init_run_dir={finished_run}", f"--run_dir={gone_on}", "--encoder_weights=none"]
    done = run("train", *flags, *tiny)
    assert done.returncode == 2 and str(finished_run) in done.stderr, (
        "its encoder has batch norms, and this one has none"
    )


@pytest.mark.parametrize(
    "flags, message",
    [
        ([], "--data_dir is missing"),
        (["--data_dir=photos"], "--run_dir is missing"),
        (["--data_dir=a", "--run_dir=b", "c"], "c: unexpected argument; photos come from --data_dir"),
        (["--data_dir=a", "--run_dir=b", "--image_size=100"], "--image_size=100: must be a multiple of 32"),
        (
            ["--data_dir=a", "--run_dir=b", "--group_shares=dogs"],
            "--group_shares=dogs: expected pairs like flowers=0.2",
        ),
        (
            ["--data_dir=a", "--run_dir=b", "--group_shares=dogs=-1"],
            "--group_shares=dogs=-1: a share is a number of at least 0",
        ),
    ],
)
def test_a_wrong_call_is_one_line(flags, message, tmp_path):
    assert_refused(run("train_jax", *flags), message)


def test_what_cannot_be_started_from_is_named(photos, tmp_path):
    (tmp_path / "weights.npz").write_bytes(b"no weights")
    done = run("train_jax", f"--data_dir={photos}", f"--run_dir={tmp_path / 'new'}", f"--init_run_dir={tmp_path}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"train_jax: {tmp_path / 'weights.npz'}: not the weights of a run: ")


def test_a_share_of_no_group_is_named(photos, earlier_run, tmp_path):
    flags = [f"--data_dir={photos}", f"--run_dir={tmp_path / 'new'}", f"--init_run_dir={earlier_run}", "--z_dim=2"]
    done = run("train_jax", *flags, "--group_shares=cats=1")
    assert (done.returncode, done.stderr) == (2, "train_jax: 'cats' is no subfolder with photos; there are none\n")


def test_a_folder_without_photos_to_look_at_is_named_before_anything_is_written(photos, tmp_path):
    val, run_dir = tmp_path / "val", tmp_path / "new"
    val.mkdir()
    (val / "broken.png").write_bytes(b"no image")
    flags = [f"--data_dir={photos}", f"--run_dir={run_dir}", f"--val_data_dir={val}", "--encoder_weights=missing.h5"]
    assert_refused(run("train_jax", *flags), f"{val}: no photos in colour found")
    assert list(run_dir.iterdir()) == []
