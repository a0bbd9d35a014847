"""The train command, as a user calls it: starts, resumes, stops, refuses; and what it leaves behind."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.faults import checkpoint_values, small_networks
from tests.data.sources_test import colour_photo

ROOT = Path(__file__).parents[1]
TINY = [
    "--generator=pix2pix_unet",
    "--image_size=32",
    "--batch_size=2",
    "--validation_steps=2",
    "--checkpoint_steps=2",
    "--mixed_precision=float32",
    "--device=cpu",
    "--z_dim=2",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Twelve photos, of which the hash keeps some for validation, one grey and one broken."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(12):
        Image.fromarray(colour_photo(index, 40, 48)).save(folder / f"{index}.png")
    Image.fromarray(np.full((40, 48, 3), 77, np.uint8)).save(folder / "grey.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "colorization.train", *map(str, args)]


def train(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*args), cwd=ROOT, capture_output=True, text=True)


def test_trains_records_resumes_and_feeds_the_adversarial_phase(photos, tmp_path):
    flags = [f"--data_dir={photos}", "--val_percent=20", *TINY]
    generator = [*flags, f"--run_dir={tmp_path / 'generator'}"]
    done = train(*generator, "--max_steps=2")
    assert done.returncode == 0, done.stderr
    assert "done at step 2 of 2" in done.stdout and "val_psnr" in done.stdout
    config = json.loads((tmp_path / "generator" / "config.json").read_text())
    assert config["flags"]["image_size"] == 32 and config["flags"]["data_dir"] == str(photos)
    skipped = (tmp_path / "generator" / "skipped.csv").read_text()
    assert "grey.png,grey" in skipped and "broken.png" in skipped

    resumed = train(*generator, "--max_steps=4")
    assert resumed.returncode == 0, resumed.stderr
    assert "step 4: " in resumed.stdout and "step 2: " not in resumed.stdout
    assert "already at step 4" in train(*generator, "--max_steps=4").stdout

    adversarial = [f"--init_run_dir={tmp_path / 'generator'}", "--adversarial_weight=0.1", "--max_steps=2"]
    done = train(*flags, f"--run_dir={tmp_path / 'gan'}", *adversarial)
    assert done.returncode == 0, done.stderr
    assert "discriminator_loss" in done.stdout


def test_sigterm_saves_and_exits_0(photos, tmp_path):
    process = subprocess.Popen(
        command(f"--data_dir={photos}", *TINY, f"--run_dir={tmp_path}", "--max_steps=100000", "--validation_steps=5"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoints/*.index")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    step = int(stdout.split("stopped by SIGTERM at step ")[1].split(" ")[0])
    assert (tmp_path / "checkpoints" / f"ckpt-{step}.index").exists()


@pytest.mark.parametrize(
    ("args", "culprit"),
    [
        (["--data_dir=x"], "--run_dir"),
        (["--run_dir=x"], "--data_dir"),
        (["--run_dir=x", "--data_dir=x", "--tfds=y"], "one of"),
        (["--run_dir=RUN", "--data_dir=no_such_folder"], "no_such_folder"),
        (["--run_dir=RUN", "--data_dir=EMPTY"], "EMPTY"),
        (["--run_dir=RUN", "--records=no-*.tfrecord"], "no-*.tfrecord"),
        (["--run_dir=RUN", "--data_dir=PHOTOS", "--encoder_weights=gone.weights.h5"], "gone.weights.h5"),
        (["--run_dir=RUN", "--data_dir=PHOTOS", "--init_run_dir=no_such_run", *TINY], "no_such_run"),
        (["--run_dir=x", "--batch_size=0"], "batch_size"),
        (["--run_dir=x", "--tfds=y", "--group_shares=dogs=1"], "--group_shares is about subfolders of --data_dir"),
        (["--run_dir=x", "--data_dir=x", "--group_shares=dogs=nan"], "--group_shares=dogs=nan: a share is a number"),
        (["--run_dir=RUN", "--data_dir=PHOTOS", "--group_shares=dogs=1"], "PHOTOS/dogs: has a share, but no photos"),
        (["--learning_rat=1"], "learning_rat"),
    ],
)
def test_wrong_calls_exit_2_with_one_line(photos, tmp_path, args, culprit):
    empty = tmp_path / "empty"
    empty.mkdir()
    names = {"RUN": str(tmp_path / "run"), "EMPTY": str(empty), "PHOTOS": str(photos)}
    for name, path in names.items():
        args = [arg.replace(name, path) for arg in args]
        culprit = culprit.replace(name, path)
    done = train(*args)
    assert done.returncode == 2 and culprit in done.stderr, done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr


SMALL = """
import os, runpy, signal, sys
from benchmarks.faults import small_networks
small_networks.use()
{more}
sys.argv[0] = "train.py"
runpy.run_module("colorization.train", run_name="__main__")
"""
KILL_IN_SAVE = """
from colorization.training import checkpoint_files
write = checkpoint_files._write_manifest
def write_and_die(prefix):
    if prefix.endswith("-4"):
        os.kill(os.getpid(), signal.SIGKILL)
    write(prefix)
checkpoint_files._write_manifest = write_and_die
"""


def train_small(photos: Path, run_dir: Path, *args: str, more: str = "") -> subprocess.CompletedProcess:
    """Trains small networks for six steps, in a process that first runs `more`."""
    flags = [f"--data_dir={photos}", f"--run_dir={run_dir}", "--checkpoint_steps=2", "--max_steps=6", *args]
    command = [sys.executable, "-c", SMALL.format(more=more), *small_networks.FLAGS, *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def undisturbed(photos, tmp_path_factory):
    """The folder of photos without the grey and the broken one, and all variables after a run on it."""
    root = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(photos, root / "photos", ignore=shutil.ignore_patterns("grey.png", "broken.png"))
    done = train_small(root / "photos", root / "run")
    assert done.returncode == 0, done.stderr
    return root / "photos", checkpoint_values.read_variables(root / "run", 6)


def test_broken_files_change_nothing_but_the_list_of_skipped_ones(photos, undisturbed, tmp_path):
    done = train_small(photos, tmp_path)
    assert done.returncode == 0, done.stderr
    skipped = (tmp_path / "skipped.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in skipped] == ["photo", str(photos / "broken.png"), str(photos / "grey.png")]
    variables = checkpoint_values.read_variables(tmp_path, 6)
    assert checkpoint_values.find_differing(variables, undisturbed[1]) == []


def test_a_run_takes_shares_and_lists_what_it_skips_by_subfolder(undisturbed, tmp_path):
    shutil.copytree(undisturbed[0], tmp_path / "photos")
    (tmp_path / "photos" / "few").mkdir()
    for index in range(3):
        shutil.move(tmp_path / "photos" / f"{index}.png", tmp_path / "photos" / "few")
    done = train_small(tmp_path / "photos", tmp_path / "run", "--group_shares=few=1")
    assert done.returncode == 0 and re.search(r"training, few: [23] of [23] photos used, 0 skipped", done.stderr)
    assert {path.name for path in (tmp_path / "run").glob("*.csv")} == {"skipped.csv", "skipped-few.csv"}


def test_killed_in_a_save_a_run_goes_on_from_the_one_before_bit_for_bit(undisturbed, tmp_path):
    killed = train_small(undisturbed[0], tmp_path, more=KILL_IN_SAVE)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = train_small(undisturbed[0], tmp_path)
    assert resumed.returncode == 0 and "ckpt-4 is damaged" in resumed.stderr, resumed.stderr
    assert "going on from ckpt-2" in resumed.stderr
    variables = checkpoint_values.read_variables(tmp_path, 6)
    assert checkpoint_values.find_differing(variables, undisturbed[1]) == []


def test_nothing_to_train_or_validate_on_is_one_line(photos, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (broken / name).write_bytes(b"no image")
    done = train_small(broken, tmp_path / "no_training", f"--val_data_dir={photos}")
    assert done.returncode == 1 and "of the photos for training none can be used" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    done = train_small(photos, tmp_path / "no_validation", f"--val_data_dir={broken}")
    assert done.returncode == 1 and "of the photos for validation none can be used" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
