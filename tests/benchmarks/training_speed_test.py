"""The speed benchmark builds what training builds; its numbers are not tested."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_prints_pipeline_and_both_phases():
    flags = ["--image_size=32", "--batch_size=4", "--num_repeats=3", "--num_photos=64"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training_speed", *flags], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    starts = ("convolution peak, bfloat16", "pipeline alone", "warm-up step, bfloat16", "adversarial step, float32")
    for start in starts:
        assert any(line.startswith(start) for line in lines), done.stdout
