"""Kills `colorize` in a folder of many photos, and starts it again until all are done."""

import os
import random
import time
from pathlib import Path

from benchmarks.faults import synthetic_photos
from benchmarks.faults.kills.tally import Tally
from benchmarks.faults.processes import Command
from colorization import unfinished

_NUM_PHOTOS = 200
_BURST_SECONDS = 0.3  # of work before a kill, so that many kills are needed until all photos are done


def run(root: Path, num_kills: int, rng: random.Random) -> Tally:
    """Kills until there are enough kills; a new folder of results is begun when one is full.

    Half of the kills come once photos are being written, the others at any moment from the start on. Each result must
    be absent or, bit for bit, that of a run that nobody killed; and a finished one is never touched again.
    """
    tally = Tally("`colorize`")
    synthetic_photos.write_photos(root / "photos", _NUM_PHOTOS)

    def start(output_dir: Path) -> Command:
        args = [root / "photos", f"--output_dir={output_dir}", "--device=cpu"]
        return Command("colorize", *args, log_path=root / "log.txt")

    command = start(root / "uninterrupted")
    begin = time.monotonic()
    while not list_results(root / "uninterrupted") and command.wait(0.01) is None:
        pass
    seconds = time.monotonic() - begin + _BURST_SECONDS
    if command.wait() != 0:
        raise RuntimeError(f"it failed: {command.read_log()}")
    expected = {path.name: path.read_bytes() for path in list_results(root / "uninterrupted")}

    number, done = 0, {}
    while True:
        output_dir = root / f"killed_{number}"
        if len(done) == _NUM_PHOTOS:
            tally.add_problems(_clean_up(start, output_dir, expected))
            if tally.num_kills >= num_kills:
                return tally
            number, done = number + 1, {}
            continue
        known = set(output_dir.glob("*"))

        def is_writing(folder: Path = output_dir, known: set[Path] = known) -> bool:
            return any(path not in known for path in folder.glob("*"))

        command = start(output_dir)
        if tally.num_kills >= num_kills:
            command.wait()
            was_killed = False
        elif tally.num_kills % 2:
            was_killed = command.kill_later(rng.uniform(0.0, _BURST_SECONDS), begun=is_writing)
        else:
            was_killed = command.kill_later(rng.uniform(0.0, seconds))
        results = {path.name: _identify(path) for path in list_results(output_dir)}
        problems = find_problems(output_dir, done, results, expected)
        in_write = any(path.name.startswith(".") for path in set(output_dir.glob("*")) - known)
        done = results
        if was_killed:
            tally.add_kill(in_write=in_write, problems=problems)
        else:
            tally.add_problems(problems)


def list_results(output_dir: Path) -> list[Path]:
    """The files that a user takes for results: all but hidden ones."""
    return [path for path in output_dir.glob("*") if not path.name.startswith(".")]


def find_problems(
    output_dir: Path, before: dict[str, tuple], after: dict[str, tuple], expected: dict[str, bytes]
) -> list[str]:
    """What is wrong in a folder of results.

    Args:
      output_dir: the folder.
      before: name -> inode and time of change of the results that were there before the last process.
      after: the same now.
      expected: name -> content of all results.
    """
    problems = [
        f"{name} is gone or was written again" for name, identity in before.items() if after.get(name) != identity
    ]
    for name in set(after) - set(before):
        if (output_dir / name).read_bytes() != expected.get(name):
            problems.append(f"{name} is not what an uninterrupted run writes")
    return problems


def _identify(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _clean_up(start, output_dir: Path, expected: dict[str, bytes]) -> list[str]:
    """Checks the full folder, and that the next process, as if two hours later, leaves nothing unfinished there."""
    problems = [name for name in expected if (output_dir / name).read_bytes() != expected[name]]
    long_ago = time.time() - 2 * unfinished.LEFTOVER_SECONDS
    for path in output_dir.glob(".*"):
        os.utime(path, (long_ago, long_ago))
    command = start(output_dir)
    if command.wait() != 1 or "200" in command.read_log().splitlines()[-1].split(" of ")[0]:
        problems.append(f"results that were there were not refused: {command.read_log()[-300:]}")
    return problems + [f"{path} is left over" for path in output_dir.glob(".*")]
