"""The command, on the tiny model: what it prints, writes and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
# Version 1 of the shipped model was made before hints; it goes on working without them.
OLD_MODEL = ROOT / "saved_models" / "colorizer" / "1"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, base in {"1.png": (200, 120, 40), "2.png": (60, 90, 160), "x/3.png": (90, 150, 70)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        noise = np.repeat(np.repeat(rng.integers(-40, 40, (8, 8, 1)), 8, 0), 8, 1)
        Image.fromarray((np.array(base) + noise).astype(np.uint8)).save(folder / name)
    return folder


def run_quality(*options):
    command = [sys.executable, "-m", "benchmarks.quality", "--device=cpu", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_every_demand_has_its_number(data_dir, tiny_model_dir, tmp_path):
    output = tmp_path / "new" / "quality.json"
    done = run_quality(
        f"--data_dir={data_dir}",
        f"--model_dir={tiny_model_dir}",
        f"--output={output}",
        "--saturation=1,0",
        "--num_samples=3",
    )
    assert done.returncode == 0, done.stderr
    numbers = json.loads(output.read_text(encoding="utf-8"))
    assert numbers["num_photos"] == 3 and numbers["broken"] == [] and len(numbers["model"]["sha256"]) == 64
    assert numbers["flags"]["num_samples"] == 3
    assert [row["saturation"] for row in numbers["automatic"]] == [1.0, 0.0]
    grey = numbers["automatic"][1]
    assert grey["psnr_gain"] == pytest.approx(0.0, abs=0.05) and grey["colorfulness"] == 0.0
    blotches = numbers["blotches"]
    assert blotches["share"] == pytest.approx(len(blotches["area"]) / 3)
    assert 5.0 < numbers["noise"]["distance_mean"] < 60.0
    assert list(numbers["hints"]["psnr_gain"]) == ["1", "3", "10", "30", "100"]
    # The tiny network moves only hinted pixels; what is around them follows for 6 of its pixels, 24 of the photo's.
    assert numbers["hints"]["wrong_error"]["mean"] < numbers["hints"]["wrong_error"]["asked"]
    assert numbers["hints"]["reach"]["rings"]["0-8"] > 5.0 and numbers["hints"]["reach"]["rings"]["32-64"] < 1.0
    assert numbers["reference"]["other_distance"] > 1.0
    assert [row["num_photos"] for row in numbers["old"]["kinds"].values()] == [1, 1, 1]
    psnr = numbers["automatic"][0]["psnr"]
    for line in (
        f"saturation 1    {psnr:8.2f}",
        f"blotches: {blotches['share']:.1%} of the photos",
        "noise: 3 samples",
        "hints: ",
        "reference, another photo",
        "old photos",
    ):
        assert line in done.stdout
    assert "nan" not in done.stdout.lower()


def test_a_model_without_hints_says_so_and_the_rest_is_measured(data_dir, tmp_path):
    output = tmp_path / "quality.json"
    done = run_quality(
        f"--data_dir={data_dir}",
        f"--model_dir={OLD_MODEL}",
        "--num_photos=1",
        "--parts=automatic,hints,reference",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    assert "hints: this model takes none" in done.stdout and "reference: this model takes none" in done.stdout
    numbers = json.loads(output.read_text(encoding="utf-8"))
    assert numbers["num_photos"] == 1 and "automatic" in numbers and "hints" not in numbers


def test_a_broken_photo_is_named_and_the_others_are_measured(tmp_path, data_dir, tiny_model_dir):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "1.png").write_bytes((data_dir / "1.png").read_bytes())
    done = run_quality(f"--data_dir={tmp_path}", f"--model_dir={tiny_model_dir}", "--parts=automatic")
    assert done.returncode == 1 and "broken.jpg: " in done.stderr
    assert done.stdout.startswith("1 photos of ")


@pytest.mark.parametrize(
    "options, message",
    [
        (["--data_dir=nowhere"], "nowhere: no such folder"),
        (["--parts=automatic,colour"], "--parts: colour is none of automatic, blotches, noise, hints, reference, old"),
        (["--saturation=1,x"], "--saturation=1,x: must be numbers"),
        (["--saturation=nan"], "--saturation=nan: must be numbers"),
        (["more"], "more: unexpected argument"),
        (["--model_dir=nowhere"], "nowhere: no model found"),
    ],
)
def test_a_wrong_call_is_one_line(data_dir, options, message):
    done = run_quality(f"--data_dir={data_dir}", "--num_photos=1", *options)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
