"""Kills `train` again and again, and compares what it ends with to a run that nobody killed."""

import functools
import os
import random
import re
import time
from pathlib import Path

from benchmarks.faults import small_networks, synthetic_photos
from benchmarks.faults.checkpoint_values import find_differing, read_variables
from benchmarks.faults.kills.tally import Tally
from benchmarks.faults.processes import Command
from colorization import checksums

_MAX_STEPS = 400
_CHECKPOINT_STEPS = 5
_BATCH_SIZE = 2  # as in small_networks.FLAGS
_STEPS_IN_REACH = 40  # of a process, before it is killed at the latest

Unfinished = set[tuple[str, int, int]]


def run(root: Path, num_kills: int, num_in_save: int, rng: random.Random) -> Tally:
    """Kills a run until there are enough kills, and the next one if it comes to its end before; the last one may end.

    Args:
      root: empty folder to work in.
      num_kills: kills, at least.
      num_in_save: how many of them, at least, must come inside a save.
      rng: chooses the moments.
    """
    tally = Tally("`train`")
    synthetic_photos.write_photos(root / "photos", 24)
    seed, run_dir = 0, root / "run_0"
    seconds = _run_uninterrupted(root, seed)
    while True:
        is_enough = tally.num_kills >= num_kills and tally.num_in_write >= num_in_save
        before, unfinished = find_newest_whole(run_dir), list_unfinished(run_dir)

        def is_in_save(folder: Path = run_dir, known: Unfinished = unfinished) -> bool:
            return bool(list_unfinished(folder) - known)

        command = _start(root, run_dir, seed, _CHECKPOINT_STEPS)
        if is_enough:
            was_killed = command.wait() is None
        elif tally.num_in_write < num_in_save and rng.random() < 0.5:
            # A save thinks before it writes, and writes for a tenth of the time: count from when something is seen.
            write_seconds = float((root / "save_seconds").read_text()) / 10
            was_killed = command.kill_later(
                rng.uniform(0.0, write_seconds), begun=lambda check=is_in_save: (root / "saving").exists() and check()
            )
        else:
            was_killed = command.kill_later(rng.uniform(0.0, seconds))
        problems = find_problems(command.read_log(), before, find_newest_whole(run_dir))
        if was_killed:
            tally.add_kill(in_write=is_in_save(), problems=problems)
            continue
        tally.add_problems(problems + _find_differences(root, run_dir, seed, command))
        if is_enough:
            return tally
        seed, run_dir = seed + 1, root / f"run_{seed + 1}"
        _run_uninterrupted(root, seed)


def find_newest_whole(run_dir: Path) -> int:
    """Step of the newest checkpoint whose files are what its checksums say; 0 if there is none."""
    steps = [0]
    for manifest in (run_dir / "checkpoints").glob("ckpt-*.sha256.json"):
        try:
            checksums.verify_manifest(manifest, manifest.parent)
        except checksums.ChecksumError:
            continue
        steps.append(int(manifest.name.split(".")[0].removeprefix("ckpt-")))
    return max(steps)


def list_unfinished(run_dir: Path) -> Unfinished:
    """What no save has finished: names, inodes and times of TensorFlow's folders, and of files without checksums."""
    unfinished = set()
    for path in (run_dir / "checkpoints").glob("ckpt-*"):
        manifest = path.with_name(f"{path.name.split('.')[0]}.sha256.json")
        try:
            status = path.stat()
            if path.name.endswith("_temp") or not manifest.exists():
                unfinished.add((path.name, status.st_ino, status.st_mtime_ns))
        except FileNotFoundError:  # a save goes on meanwhile
            continue
    return unfinished


def find_problems(log: str, before: int, after: int) -> list[str]:
    """What is wrong after a process.

    Args:
      log: what it printed; tqdm's bar tells where it began and how far it came.
      before: step of the newest whole checkpoint when it started.
      after: the same when it had ended.
    """
    problems = ["a traceback:\n" + log] if "Traceback" in log else []
    photos = [int(text) for text in re.findall(r"(\d+)/\d+ \[", log)]
    if photos and photos[0] != before * _BATCH_SIZE:
        problems.append(f"it began at step {photos[0] // _BATCH_SIZE}, and the newest checkpoint was {before}")
    if after < before:
        problems.append(f"checkpoint {before} is gone, the newest whole one is {after}")
    if photos and photos[-1] // _BATCH_SIZE > after + _CHECKPOINT_STEPS:
        problems.append(f"it came to step {photos[-1] // _BATCH_SIZE}, and the newest checkpoint is {after}")
    return problems


def announce_saves(saving_path: str, seconds_path: str) -> None:
    """The hook: a file exists as long as a save goes on, and another tells how long the last one took.

    Not for the first save of a process, which thinks for a while before it writes.
    """
    from colorization.training.checkpoint_files import CheckedManager

    small_networks.use()
    save = CheckedManager.save

    num_saves = 0

    def save_announced(self, *args, **kwargs) -> str:
        nonlocal num_saves
        num_saves += 1
        if num_saves == 1:
            return save(self, *args, **kwargs)
        Path(saving_path).touch()
        start = time.monotonic()
        path = save(self, *args, **kwargs)
        Path(f"{seconds_path}.new").write_text(str(time.monotonic() - start))
        os.replace(f"{seconds_path}.new", seconds_path)
        Path(saving_path).unlink()
        return path

    CheckedManager.save = save_announced


def _start(root: Path, run_dir: Path, seed: int, checkpoint_steps: int) -> Command:
    args = [f"--data_dir={root / 'photos'}", f"--run_dir={run_dir}", f"--seed={seed}", f"--max_steps={_MAX_STEPS}"]
    args += [f"--checkpoint_steps={checkpoint_steps}", "--validation_steps=100", *small_networks.FLAGS]
    (root / "saving").unlink(missing_ok=True)
    hook = functools.partial(announce_saves, str(root / "saving"), str(root / "save_seconds"))
    return Command("train", *args, log_path=root / "log.txt", hook=hook)


def _run_uninterrupted(root: Path, seed: int) -> float:
    """Makes the run to compare with; returns the seconds from the start in which a process comes so far as it may."""
    run_dir = root / f"uninterrupted_{seed}"
    start = time.monotonic()
    command = _start(root, run_dir, seed, _STEPS_IN_REACH)
    while not find_newest_whole(run_dir) and command.wait(0.05) is None:
        pass
    seconds = time.monotonic() - start
    if command.wait() != 0:
        raise RuntimeError(f"can't train: {command.read_log()}")
    return seconds


def _find_differences(root: Path, run_dir: Path, seed: int, command: Command) -> list[str]:
    """What differs at the last step from the uninterrupted run."""
    if command.wait() != 0:
        return [f"it ended with {command.wait()}: {command.read_log()}"]
    if find_newest_whole(run_dir) != _MAX_STEPS:
        return [f"it ended, and the newest checkpoint is {find_newest_whole(run_dir)}"]
    values = [read_variables(folder, _MAX_STEPS) for folder in (run_dir, root / f"uninterrupted_{seed}")]
    differing = find_differing(*values)
    if differing:
        return [f"{len(differing)} of {len(values[0])} variables differ from the uninterrupted run: {differing[0]}"]
    print(f"run {seed}: all {len(values[0])} variables equal those of the uninterrupted run", flush=True)
    return []
