import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]

# Stands in for the model, so that the test needs none: everything comes out in one orange.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import colorization

class OrangeColorizer:
    model_dir = Path(sys.argv.pop(1))

    @classmethod
    def load(cls, model_dir=None):
        if model_dir == "missing":
            raise ValueError("missing: no model")
        return cls()

    def colorize_batch(self, images):
        return [np.zeros_like(image) + np.uint8([200, 120, 40]) for image in images]

colorization.Colorizer = OrangeColorizer
from colorization import cli, evaluate
sys.argv[0] = "evaluate"
cli.run(evaluate.main)
"""


@pytest.fixture
def data_dir(tmp_path):
    rng = np.random.default_rng(0)
    for name, base in {"x/1.png": (200, 120, 40), "x/2.jpg": (60, 90, 160), "y/3.png": (90, 150, 70)}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(-20, 20, (48, 64, 1))
        Image.fromarray((np.array(base) + noise).astype(np.uint8)).save(path)
    return tmp_path / "data"


def run_evaluate(tmp_path, *options):
    model_dir = tmp_path / "model"
    model_dir.mkdir(exist_ok=True)
    (model_dir / "weights").write_bytes(b"orange")
    command = [sys.executable, "-c", PROGRAM, str(model_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_a_run_writes_numbers_rows_and_gallery(tmp_path, data_dir):
    (data_dir / "x/broken.jpg").write_bytes(b"")
    output_dir = tmp_path / "out"
    done = run_evaluate(
        tmp_path,
        f"--data_dir={data_dir}",
        f"--output_dir={output_dir}",
        "--expected_num_photos=4",
        "--inception_weights=none",
        "--batch_size=2",
    )
    assert done.returncode == 1, done.stderr  # because of the broken photo
    assert f"{data_dir}/x/broken.jpg: " in done.stderr and "Traceback" not in done.stderr
    assert "grey baseline" in done.stdout and "PSNR" in done.stdout

    content = json.loads((output_dir / "metrics.json").read_text())
    with (output_dir / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["x/1.png", "x/2.jpg", "y/3.png"]
    assert content["num_photos"] == 3 and len(content["broken"]) == 1
    for group, prefix in (("result", ""), ("grey_baseline", "grey_")):
        for name, mean in content[group].items():
            assert mean == pytest.approx(np.mean([float(row[prefix + name]) for row in rows]), rel=1e-4)
    assert content["gain"]["psnr"] == pytest.approx(content["result"]["psnr"] - content["grey_baseline"]["psnr"])
    assert content["flags"]["batch_size"] == 2 and content["flags"]["data_dir"] == str(data_dir)
    assert "256x256" in content["protocol"] and content["fid_note"] == "not computed"
    assert len(content["model"]["sha256"]) == len(content["file_list_sha256"]) == 64
    assert (output_dir / "gallery/index.html").is_file() and (output_dir / "gallery/contact_sheet.png").is_file()


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        (["--data_dir={missing}", "--output_dir={out}"], "missing: no such folder"),
        (["--data_dir={data}", "--output_dir={out}", "--expected_num_photos=9"], "holds 3 photos, 9 expected"),
        (["--data_dir={data}", "--output_dir={out}", "--inception_weights={missing}"], "missing: no such file"),
        (["--data_dir={data}", "--output_dir={out}", f"--inception_weights={'a' * 300}"], "aaa: no such file"),
        (["--data_dir={data}", "--output_dir={data}/y/3.png"], "3.png"),
        (["--data_dir={data}", "--output_dir={out}", "--model_dir=missing"], "missing: no model"),
        (["--data_dir={data}", "--output_dir={out}", "{missing}"], "unexpected argument"),
        (["--data_dir={data}", "--output_dir={out}", "--batch_size=0"], "batch_size"),
        (["--data_dir={data}"], "output_dir"),
    ],
)
def test_a_wrong_call_exits_2_and_names_the_culprit(tmp_path, data_dir, options, culprit):
    places = {"data": data_dir, "out": tmp_path / "out", "missing": tmp_path / "missing"}
    done = run_evaluate(tmp_path, *(option.format(**places) for option in options))
    assert done.returncode == 2, done.stderr
    assert culprit in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "metrics.json").exists()
