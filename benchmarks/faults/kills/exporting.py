"""Kills `export` and `convert`, and looks whether what they wrote before is still there, whole."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults import small_networks, synthetic_photos
from benchmarks.faults.kills.tally import Tally
from benchmarks.faults.processes import Command
from colorization import unfinished

_TFLITE = "colorizer_rgb_float32_32x32.tflite"
_EXPORT_WRITE_SECONDS = 0.5
_CONVERT_WRITE_SECONDS = 0.005


def make_run(root: Path) -> Path:
    """Trains a small run to export; returns its folder."""
    synthetic_photos.write_photos(root / "photos", 12)
    args = [f"--data_dir={root / 'photos'}", f"--run_dir={root / 'run'}", "--max_steps=2", *small_networks.FLAGS]
    _expect_success(Command("train", *args, log_path=root / "log.txt", hook=small_networks.use))
    return root / "run"


def kill_export(root: Path, num_kills: int, rng: random.Random) -> Tally:
    """Kills exports into a folder that holds a version already; half of them once they have begun to write.

    A version must be there whole or not at all, and what is left over must go with the next export that comes more than
    an hour later.
    """
    from colorization.inference import colorizer, version_files

    tally = Tally("`export`")
    run_dir, export_dir = make_run(root), root / "models"

    def start() -> Command:
        args = [f"--run_dir={run_dir}", f"--export_dir={export_dir}", "--work_size=32"]
        return Command("export", *args, log_path=root / "log.txt", hook=small_networks.use)

    seconds = _expect_success(start())
    names = {path.relative_to(export_dir / "1") for path in (export_dir / "1").rglob("*")}

    def find_problems() -> list[str]:
        problems = []
        for version_dir in version_files.list_versions(export_dir):
            if {path.relative_to(version_dir) for path in version_dir.rglob("*")} != names:
                problems.append(f"{version_dir} lacks files")
            else:
                version_files.check_files(version_dir)
        if version_files.find_version_dir(export_dir) != version_files.list_versions(export_dir)[-1]:
            problems.append("the highest version is not taken")
        return problems

    _kill_often(tally, start, export_dir, num_kills, (seconds, _EXPORT_WRITE_SECONDS), find_problems, rng)
    tally.add_problems(_clean_up(start, export_dir))
    newest = version_files.list_versions(export_dir)[-1]
    colorizer.Colorizer.load(newest)
    return tally


def kill_convert(root: Path, num_kills: int, rng: random.Random) -> Tally:
    """Kills conversions of two models in turn to one file; half of them once they have begun to write.

    The file must be that of the one model or the other, and never beside the other's numbers.
    """
    tally = Tally("`convert`")
    run_dir, output_dir = make_run(root), root / "tflite"
    for saturation in (0.5, 0.8):
        args = [f"--run_dir={run_dir}", f"--export_dir={root / str(saturation)}", "--work_size=32"]
        args.append(f"--saturation={saturation}")
        _expect_success(Command("export", *args, log_path=root / "log.txt", hook=small_networks.use))
    models = [root / "0.5", root / "0.8"]

    def start(folder: Path = output_dir) -> Command:
        args = [f"--model_dir={models[0]}", f"--output_dir={folder}", "--quantization=float32", "--image_size=32"]
        return Command("convert", *args, f"--val_dir={root / 'photos'}", log_path=root / "log.txt")

    whole = {}  # content of the file -> its model, as the numbers name it
    for _ in models:
        seconds = _expect_success(start(root / "whole"))
        content = (root / "whole" / _TFLITE).read_bytes()
        whole[content] = json.loads((root / "whole" / _TFLITE).with_suffix(".json").read_text())["source"]
        models.reverse()
    models.reverse()
    _expect_success(start())
    state = [(output_dir / _TFLITE).read_bytes()]
    models.reverse()

    def find_problems() -> list[str]:
        content, numbers = (output_dir / _TFLITE).read_bytes(), (output_dir / _TFLITE).with_suffix(".json")
        if content not in whole:
            return [f"{_TFLITE} is neither the old nor the new file"]
        if numbers.exists() and json.loads(numbers.read_text())["source"] != whole[content]:
            return ["the numbers are those of another file"]
        if content != state[0]:  # the new one came through: the next shall bring the other
            state[0] = content
            models.reverse()
        return []

    _kill_often(tally, start, output_dir, num_kills, (seconds, _CONVERT_WRITE_SECONDS), find_problems, rng)
    tally.add_problems(_clean_up(start, output_dir))
    return tally


def _kill_often(
    tally: Tally,
    start: Callable[[], Command],
    folder: Path,
    num_kills: int,
    seconds: tuple[float, float],
    find_problems: Callable[[], list[str]],
    rng: random.Random,
) -> None:
    """Kills at random moments, every second time once something is being written.

    `seconds` tells how long the command and its writing take.
    """
    while tally.num_kills < num_kills:
        before = _list_hidden(folder)

        def is_writing(known: set[Path] = before) -> bool:
            return bool(_list_hidden(folder) - known)

        if tally.num_kills % 2:
            was_killed = start().kill_later(rng.uniform(0.0, seconds[1]), begun=is_writing)
        else:
            was_killed = start().kill_later(rng.uniform(0.0, seconds[0]))
        problems = find_problems()
        if was_killed:
            tally.add_kill(in_write=is_writing(), problems=problems)
        else:
            tally.add_problems(problems)


def _clean_up(start: Callable[[], Command], folder: Path) -> list[str]:
    """Lets the command come to its end as if two hours had gone by; nothing unfinished may remain."""
    long_ago = time.time() - 2 * unfinished.LEFTOVER_SECONDS
    for leftover in _list_hidden(folder):
        for path in (leftover, *leftover.rglob("*")):
            os.utime(path, (long_ago, long_ago))
    _expect_success(start())
    return [f"{path} is left over" for path in _list_hidden(folder)]


def _list_hidden(folder: Path) -> set[Path]:
    return set(folder.glob(".*"))


def _expect_success(command: Command) -> float:
    """Waits for a command's good end; returns how long it took, in seconds."""
    start = time.monotonic()
    if command.wait() != 0:
        raise RuntimeError(f"it failed: {command.read_log()}")
    return time.monotonic() - start
