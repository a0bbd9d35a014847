"""The ablation as a command: it refuses wrong calls, names what failed, and writes the table of what is there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ablation_plan as plan

ROOT = Path(__file__).parents[2]
RATE = {"images_per_second": 80.0, "load_average_before": 0.1}


def ablation(*args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.ablation", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def write_row(run_dir: Path, number: int, *, minutes: float = 4.0) -> None:
    """A row's folder as it is left when all is done."""
    _, record = plan.make_plan(number, [RATE] * len(plan.ROWS[number].phases), minutes=minutes, setting=plan.Setting())
    values = {"DATA_DIR": "/home/me/train", "VAL_DIR": "/home/me/val", "ENCODER_WEIGHTS": "imagenet"}
    metrics = {
        "num_photos": 2,
        "result": {"psnr": 20.0 + number, "ciede2000": 11.0},
        "grey_baseline": {"psnr": 21.5, "ciede2000": 13.0},
        "original": {"colorfulness": 42.0},
        "colorfulness_delta": 16.0,
        "broken": [],
        "flags": {"data_dir": "/home/me/val"},
        "model": {"dir": "/home/me/model/1", "sha256": "5ha"},
    }
    files = {
        "plan.json": record | {"values": values},
        "train_0/config.json": {"git_commit": "abc123"},
        "evaluation/metrics.json": metrics,
    }
    for name, content in files.items():
        path = run_dir / f"row_{number}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("args", "culprit"),
    [
        (["FOLDER"], "unexpected argument"),
        (["--data_dir=FOLDER"], "--val_dir"),
        (["--data_dir=FOLDER/gone", "--val_dir=FOLDER"], "gone"),
        (
            ["--data_dir=FOLDER", "--val_dir=FOLDER", f"--rows=3,{max(plan.ROWS) + 1}"],
            f"--rows=3,{max(plan.ROWS) + 1}: rows are",
        ),
        (["--data_dir=FOLDER", "--val_dir=FOLDER", "--run_dir=FOLDER/run"], "no photos"),
        (["--minutes=0"], "minutes"),
    ],
)
def test_wrong_calls_exit_2_with_one_line(tmp_path, args, culprit):
    done = ablation(*(arg.replace("FOLDER", str(tmp_path)) for arg in args))
    assert done.returncode == 2 and culprit in done.stderr, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("load average")][1:] == []


def test_table_holds_the_rows_that_are_done_and_no_folders(tmp_path):
    for number in (2, 3):
        write_row(tmp_path, number)
    output = tmp_path / "new" / "ablation.md"
    done = ablation("--phase=table", f"--run_dir={tmp_path}", f"--output={output}", "--rows=4,3,2")
    assert done.returncode == 1
    assert done.stderr == f"row 4: not done yet, {tmp_path / 'row_4' / 'plan.json'} is missing\n"
    assert "22.00 (21.50)" in done.stdout and "23.00 (21.50)" in output.read_text()
    text = output.with_suffix(".json").read_text()
    assert "/home/me" not in text
    first, second = json.loads(text)["rows"]
    assert (first["row"], second["row"], second["setting"]["seed"], second["git_commit"]) == (2, 3, 0, "abc123")
    assert first["model_sha256"] == "5ha" and first["metrics"]["result"]["psnr"] == 22.0
    assert second["commands"][0].startswith("python -m colorization.train --flagfile=flags/train_generator.flags ")
    assert second["values"] == {"DATA_DIR": "train", "VAL_DIR": "val", "ENCODER_WEIGHTS": "imagenet"}


def test_table_of_unequal_times_is_refused(tmp_path):
    write_row(tmp_path, 2)
    write_row(tmp_path, 3, minutes=8.0)
    done = ablation("--phase=table", f"--run_dir={tmp_path}", f"--output={tmp_path / 'a.md'}", "--rows=2,3")
    assert done.returncode == 2 and "minutes" in done.stderr
    assert not (tmp_path / "a.md").exists()


def test_failure_names_row_and_log_and_other_flags_need_another_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    key = " ".join(plan.rate_words(plan.train_words(plan.BASE, plan.Setting())))
    (tmp_path / "rates.json").write_text(json.dumps({key: RATE}))
    call = [f"--{name}={tmp_path / 'empty'}" for name in ("data_dir", "val_dir")]
    call += [f"--run_dir={tmp_path}", "--phase=train"]

    done = ablation(*call, "--rows=3,5")
    assert done.returncode == 1
    rateless, failed = done.stderr.splitlines()
    assert rateless.startswith("row 5: no rate in ")
    log_path = tmp_path / "row_3" / "log.txt"
    assert failed.startswith(f"row 3, training 1, failed with exit status 2, see {log_path}: train: {tmp_path}")
    assert failed.endswith("no training photos found")
    assert "--max_steps=600" in log_path.read_text()

    done = ablation(*call, "--rows=3", "--minutes=5")
    assert done.returncode == 2 and "plan.json" in done.stderr
