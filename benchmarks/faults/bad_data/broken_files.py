"""Training on a folder with broken files, beside training on the same folder without them."""

import csv
import random
import re
import shutil
from pathlib import Path

from benchmarks.faults import small_networks, synthetic_photos
from benchmarks.faults.checkpoint_values import find_differing, read_variables
from benchmarks.faults.processes import Command

_NUM_PHOTOS = 200
_MAX_STEPS = 150
KINDS = ("truncated", "garbage", "empty", "zeros", "other content")


def compare(root: Path, share: float, rng: random.Random) -> list[str]:
    """Breaks a share of the photos, trains with and without them, and says what is wrong.

    Args:
      root: empty folder to work in.
      share: of the photos to break, 0..1.
      rng: chooses them, and what happens to them.
    """
    photos = synthetic_photos.write_photos(root / "without", _NUM_PHOTOS)
    shutil.copytree(root / "without", root / "with")
    broken = sorted(rng.sample(photos, round(share * len(photos))))
    for path in broken:
        break_file(root / "with" / path.name, rng.choice(KINDS), rng)
        path.unlink()
    logs = {}
    for name in ("without", "with"):
        args = [f"--data_dir={root / name}", f"--run_dir={root / f'run_{name}'}", f"--max_steps={_MAX_STEPS}"]
        command = Command("train", *args, *small_networks.FLAGS, log_path=root / "log.txt", hook=small_networks.use)
        if command.wait() != 0:
            return [f"training {name} broken files ended with {command.wait()}: {command.read_log()}"]
        logs[name] = command.read_log()
    problems = []
    with open(root / "run_with" / "skipped.csv", newline="", encoding="utf-8") as file:
        listed = [row["photo"] for row in csv.DictReader(file)]
    # The photos for validation have no list: they are named in the log, below a line that counts them.
    validation_log = logs["with"].split("validation: ")[1].split("training: ")[0]
    named = re.findall(rf"^  ({re.escape(str(root))}.*?): ", validation_log, re.MULTILINE)
    expected = [str(root / "with" / path.name) for path in broken]
    if sorted(listed + named) != expected or len(listed) == 0:
        problems.append(f"skipped.csv lists {listed}, the log names {named}, broken are {expected}")
    differing = find_differing(*(read_variables(root / f"run_{name}", _MAX_STEPS) for name in logs))
    if differing:
        problems.append(f"{len(differing)} variables differ from those of the run without broken files: {differing[0]}")
    return problems


def break_file(path: Path, kind: str, rng: random.Random) -> None:
    """Breaks an image file in one of the ways of KINDS."""
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[: rng.randrange(8, 2 * len(content) // 3)],
            "garbage": rng.randbytes(len(content)),
            "empty": b"",
            "zeros": bytes(len(content)),
            "other content": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        }[kind]
    )
