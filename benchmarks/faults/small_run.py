"""A small run and a model made of it by the commands, for faults to be made in."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from colorization import cli

ROOT = Path(__file__).parents[2]
STEPS = (2, 4, 6)  # of the run's checkpoints
TRAIN_FLAGS = (
    "--encoder_weights=none",
    "--image_size=32",
    "--batch_size=2",
    "--val_percent=20",
    "--validation_steps=2",
    "--checkpoint_steps=2",
    "--mixed_precision=float32",
    "--device=cpu",
    "--z_dim=2",
)


def call(module: str, *args: str) -> subprocess.CompletedProcess:
    """Runs a command of this project."""
    command = [sys.executable, "-m", f"colorization.{module}", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def train(root: Path, run_dir: Path, max_steps: int) -> subprocess.CompletedProcess:
    """Trains on the photos in `root`; at most to step 10, where the schedule of the learning rate ends."""
    return call(
        "train", f"--data_dir={root / 'photos'}", f"--run_dir={run_dir}", f"--max_steps={max_steps}", *TRAIN_FLAGS
    )


def make_state(root: Path) -> None:
    """Trains and exports: `root` gets photos/, run/ with three checkpoints, and models/1."""
    rng = np.random.default_rng(0)
    (root / "photos").mkdir()
    for index in range(12):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        small.resize((48, 40), Image.Resampling.BICUBIC).save(root / "photos" / f"{index}.png")
    for done in (
        train(root, root / "run", STEPS[-1]),
        call("export", f"--run_dir={root / 'run'}", f"--export_dir={root / 'models'}", "--work_size=32"),
    ):
        if done.returncode:
            raise cli.CommandError(f"can't make what to damage: {done.stderr.strip()}")
