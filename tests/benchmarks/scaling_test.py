import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]


def test_measures_prints_and_draws(tiny_model_dir, tmp_path):
    options = ["--num_photos=2", "--megapixels=0.1,0.2", "--num_photos_per_size=1", "--num_repeats=1"]
    command = [sys.executable, "-m", "benchmarks.scaling", *options, "--batch_sizes=1,2"]
    command += [f"--model_dir={tiny_model_dir}", f"--plot={tmp_path / 'plot.png'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[:2] for row in rows[2:5]] == [["2", "0.3"], ["1", "0.1"], ["1", "0.2"]]
    assert [row[0] for row in rows[-2:]] == ["1", "2"]
    assert all(0.2 < float(row[-1]) < 5 for row in rows[2:5] + rows[-2:])  # GB
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.width > 1000 and len(plot.convert("RGB").getcolors(1 << 20)) > 100


def test_wrong_calls_are_one_line():
    command = [sys.executable, "-m", "benchmarks.scaling", "--num_photos=many"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("scaling: a list of numbers is none: ") and done.stderr.count("\n") == 1
