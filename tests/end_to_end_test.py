"""Train, export, colorize, evaluate: each command works on what the one before left."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data.sources_test import colour_photo

ROOT = Path(__file__).parents[1]


def call(module: str, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"colorization.{module}", *map(str, args)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_photos_to_scores(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(8):
        Image.fromarray(colour_photo(index, 40, 48)).save(photos / f"{index}.png")
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
    scores = tmp_path / "scores"
    call(
        "evaluate",
        f"--data_dir={photos}",
        f"--model_dir={models}",
        f"--output_dir={scores}",
        "--inception_weights=none",
    )
    assert json.loads((scores / "metrics.json").read_text())["num_photos"] == 8
