"""What each part of the recipe is worth: ways to train, with equal time on the same photos.

    python -m benchmarks.ablation --data_dir=PHOTOS --val_dir=OTHER_PHOTOS

Time is made equal by counting, so that other work on the machine spoils nothing but the wait. Three phases:

rates: runs each row's own training command on a few photos and takes the median of the images/s that it reports. Only
  this phase needs the machine to itself. What is measured stays in --run_dir (delete rates.json to measure anew).
train: gives each row the steps that fit into --minutes at its rate, trains, exports and evaluates it, one after
  another, each in its own folder. Run the same command again to go on where it stopped.
table: writes the Markdown table, and beside it a JSON file with the commands, commit, seed and all metrics.

Exit status: 0 all rows done; 1 some failed (named with their log; the others are done); 2 the call is wrong.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import ablation_plan as plan
from colorization import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos to train on.")
_VAL_DIR = flags.DEFINE_string("val_dir", None, "Folder of colour photos to measure on; none of them in --data_dir.")
_ENCODER_WEIGHTS = flags.DEFINE_string("encoder_weights", "imagenet", "MobileNet weights: 'imagenet' or a file.")
_RUN_DIR = flags.DEFINE_string("run_dir", "runs/ablation", "Folder for rates, runs, logs and models.")
_OUTPUT = flags.DEFINE_string("output", "out/ablation.md", "Markdown file for the table; a JSON file goes beside it.")
_MINUTES = flags.DEFINE_float("minutes", 4.0, "Training time of each row on a machine of its own.", 0.001)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of every run.")
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 128, "Side in pixels at which networks learn and are measured.", 32, 512
)
_MIXED_PRECISION = flags.DEFINE_enum(
    "mixed_precision", "bfloat16", ["bfloat16", "float32"], "Arithmetic; float32 where the processor has no bfloat16."
)
_ROWS = flags.DEFINE_list("rows", [str(number) for number in plan.ROWS], "Rows, by number.")
_PHASE = flags.DEFINE_enum("phase", "all", ["all", "rates", "train", "table"], "What to do.")

ROOT = Path(__file__).parents[1]
NUM_RATE_PHOTOS = 256


def main(argv: list[str]) -> int:
    """Runs the phases; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; photos come from --data_dir")
    wrong = [number for number in _ROWS.value if number not in map(str, plan.ROWS)]
    if wrong or not _ROWS.value:
        raise cli.UsageError(f"--rows={','.join(_ROWS.value)}: rows are {min(plan.ROWS)} to {max(plan.ROWS)}")
    numbers = sorted({int(number) for number in _ROWS.value})
    for holder in (_DATA_DIR, _VAL_DIR):
        if _PHASE.value != "table" and (holder.value is None or not Path(holder.value).is_dir()):
            raise cli.UsageError(f"--{holder.name}={holder.value or ''}: no such folder")
    # Like Ctrl-C: the running command is told to end, and a training run saves first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_dir = Path(_RUN_DIR.value).resolve()
    failures: list[str] = []
    if _PHASE.value in ("all", "rates"):
        measure_rates(numbers, run_dir, failures)
    if _PHASE.value in ("all", "train"):
        train_rows(numbers, run_dir, failures)
    if _PHASE.value in ("all", "table"):
        write_table(numbers, run_dir, failures)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def setting() -> plan.Setting:
    """What all rows share, from the flags."""
    return plan.Setting(_IMAGE_SIZE.value, _MIXED_PRECISION.value, _SEED.value)


def encoder_weights() -> str:
    """The flag's value as it is for a command that runs elsewhere."""
    weights = _ENCODER_WEIGHTS.value
    return weights if weights in ("imagenet", "none") else str(Path(weights).resolve())


def run_logged(words: Sequence[str], log_path: Path, name: str) -> None:
    """Runs a command of this project with its output in a log.

    Raises:
      cli.CommandError: it failed; names the row and the log, and gives the log's last line.
    """
    with log_path.open("a", encoding="utf-8") as log:
        print(f"$ {' '.join(words)}", file=log, flush=True)
        command = [sys.executable, *words[1:]]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status:
        last_line = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-1]
        raise cli.CommandError(f"{name} failed with exit status {status}, see {log_path}: {last_line}")


def read_rates(run_dir: Path) -> dict[str, Any]:
    """What was measured so far, by command; empty if nothing was."""
    path = run_dir / "rates.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_json(path: Path, content: Any) -> None:
    """Writes strict JSON, all or nothing."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def rate_commands(number: int) -> list[tuple[str, ...]]:
    """The commands that measure a row's phases; equal phases of two rows have equal commands."""
    return [plan.rate_words(plan.train_words(phase, setting())) for phase in plan.ROWS[number].phases]


def measure_rates(numbers: Sequence[int], run_dir: Path, failures: list[str]) -> None:
    """Measures what is not yet in rates.json, and adds it there."""
    from colorization import image_io

    rates = read_rates(run_dir)
    missing = {}
    for number in numbers:
        for words in rate_commands(number):
            if " ".join(words) not in rates:
                missing.setdefault(words, number)
    if not missing:
        return
    load = os.getloadavg()[0]
    if load > plan.IDLE_LOAD:
        print(f"load average {load:.1f}: other work is running, the rates will be too low", file=sys.stderr)
    photos = image_io.list_photos([Path(_DATA_DIR.value).resolve()], recursive=True)
    if not photos:
        raise cli.UsageError(f"{_DATA_DIR.value}: no photos found")
    (run_dir / "rates").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        photo_dir = Path(name) / "photos"
        photo_dir.mkdir()
        for index, photo in enumerate(photos[:: -(-len(photos) // NUM_RATE_PHOTOS)]):
            (photo_dir / f"{index}{photo.suffix}").symlink_to(photo)
        for index, (words, number) in enumerate(missing.items()):
            values = {"PHOTOS": str(photo_dir), "RUN_DIR": f"{name}/run_{index}", "ENCODER_WEIGHTS": encoder_weights()}
            try:
                log_path = run_dir / "rates" / f"row_{number}.log"
                run_logged(plan.fill_words(words, values), log_path, f"row {number}, measuring its rate,")
            except cli.CommandError as error:
                failures.append(str(error))
                continue
            measured = read_images_per_second(Path(name) / f"run_{index}" / "tensorboard")
            rate = statistics.median(measured)
            print(f"row {number}: {rate:.1f} images/s ({min(measured):.1f} to {max(measured):.1f})", flush=True)
            rates[" ".join(words)] = {
                "images_per_second": rate,
                "measured": measured,
                "load_average_before": load,
                "num_cores": os.cpu_count(),
            }
            write_json(run_dir / "rates.json", rates)


def read_images_per_second(log_dir: Path) -> list[float]:
    """The readings that count of a run of `rate_words`, from its TensorBoard log."""
    cli.start_tensorflow("cpu")
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    (path,) = log_dir.glob("events*")
    readings = [
        float(tf.make_ndarray(value.tensor))
        for event in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in Event.FromString(event).summary.value
        if value.tag == "steps_per_second"
    ]
    # The first holds the reading of the photos and the tracing of the step, the last one a checkpoint.
    return [plan.BATCH_SIZE * steps for steps in readings[1:-1]]


def train_rows(numbers: Sequence[int], run_dir: Path, failures: list[str]) -> None:
    """Trains, exports and evaluates what is not yet done."""
    rates = read_rates(run_dir)
    values = {
        "DATA_DIR": str(Path(_DATA_DIR.value).resolve()),
        "VAL_DIR": str(Path(_VAL_DIR.value).resolve()),
        "ENCODER_WEIGHTS": encoder_weights(),
    }
    todo = []
    for number in numbers:
        keys = [" ".join(words) for words in rate_commands(number)]
        if not all(key in rates for key in keys):
            if _PHASE.value == "train":
                failures.append(f"row {number}: no rate in {run_dir / 'rates.json'}; measure it with --phase=rates")
            continue
        phase_rates = [rates[key] for key in keys]
        steps, record = plan.make_plan(number, phase_rates, minutes=_MINUTES.value, setting=setting())
        row_dir = run_dir / f"row_{number}"
        claim_folder(row_dir, record | {"values": values})
        todo.append((number, row_dir, steps))
    for number, row_dir, steps in todo:
        try:
            for step in steps:
                run_step(number, row_dir, step, {"RUN_DIR": str(row_dir), **values})
        except cli.CommandError as error:
            failures.append(str(error))


def claim_folder(row_dir: Path, record: dict[str, Any]) -> None:
    """Writes what a row's folder is for.

    Raises:
      cli.UsageError: it was made for something else.
    """
    path = row_dir / "plan.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != record:
        raise cli.UsageError(f"{path}: made with other flags, photos or rates; delete the folder or change --run_dir")
    row_dir.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def run_step(number: int, row_dir: Path, step: plan.Step, values: dict[str, str]) -> None:
    """Runs one command of a row, if its result is not there yet."""
    name = f"row {number}, {step.name},"
    if any(row_dir.glob(step.result)):
        return
    print(f"{name} {plan.ROWS[number].name}", flush=True)
    run_logged(plan.fill_words(step.words, values), row_dir / "log.txt", name)
    if not any(row_dir.glob(step.result)):  # training that was asked to stop exits with 0
        raise cli.CommandError(f"{name} ended without {row_dir / step.result}, see {row_dir / 'log.txt'}")


def write_table(numbers: Sequence[int], run_dir: Path, failures: list[str]) -> None:
    """Writes and prints the table of the rows that are done."""
    records = []
    for number in numbers:
        try:
            records.append(read_row(run_dir / f"row_{number}"))
        except FileNotFoundError as error:
            if not any(failure.startswith(f"row {number}") for failure in failures):
                failures.append(f"row {number}: not done yet, {error.filename} is missing")
    if not records:
        return
    for name in ("minutes", "setting", "values"):
        if any(record[name] != records[0][name] for record in records):
            raise cli.UsageError(f"{run_dir}: its rows don't share their {name}, see plan.json of each")
    for record in records:
        # Folders are this machine's: only their names are of use to others.
        record["values"] = {name: Path(value).name for name, value in record["values"].items()}
    output = Path(_OUTPUT.value)
    output.parent.mkdir(parents=True, exist_ok=True)
    table = plan.format_table(records)
    output.write_text(table, encoding="utf-8")
    write_json(output.with_suffix(".json"), {"rows": records})
    print(f"{table}\nwrote {output} and {output.with_suffix('.json').name}")


def read_row(row_dir: Path) -> dict[str, Any]:
    """The record of a row that is done: its plan, what made it, and its metrics.

    Raises:
      FileNotFoundError: it is not done.
    """
    names = ("plan.json", "train_0/config.json", "evaluation/metrics.json")
    record, config, metrics = (json.loads((row_dir / name).read_text(encoding="utf-8")) for name in names)
    kept = {name: value for name, value in metrics.items() if name not in ("flags", "model", "broken")}
    return record | {
        "git_commit": config["git_commit"],
        "model_sha256": metrics["model"]["sha256"],
        "num_broken": len(metrics["broken"]),
        "metrics": kept,
    }


if __name__ == "__main__":
    cli.run(main)
