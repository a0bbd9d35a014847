"""Damages checkpoints and SavedModels, and counts what is named, what is lost and what goes wrong without a word.

    python -m benchmarks.faults.broken_state [--num_tries=200] [--seed=0]

Trains and exports a small model with the commands. Then each try damages one file of a copy, drawn evenly, by a flipped
bit (half of the tries), by cutting it at a random length or by deleting it (a quarter each): half of the tries in the
newest checkpoint or TensorFlow's record of it, half in the exported version. Last, the train command resumes the run
with its newest checkpoint damaged, and with all of them.

A try is survived if the damage was named and the run went on from the checkpoint before, or the model was refused; or
if nothing changed for want of harm (the record is not relied on; a model may lack its checksums). Exit status: 0 all
survived; 1 something was wrong without a word, or ended in a traceback.
"""

import collections
import hashlib
import logging
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from benchmarks.faults.small_run import STEPS, make_state, train
from colorization import cli

_NUM_TRIES = flags.DEFINE_integer("num_tries", 200, "Damaged copies.", 2)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the damage.")

KINDS = ("a bit flips", "a bit flips", "cut short", "deleted")
# Not said is right if nothing changed; the last two must not happen.
OUTCOMES = ("named", "unharmed", "silently wrong", "crashed")


def damage(path: Path, kind: str, rng: random.Random) -> None:
    """Damages a file in one of the ways of KINDS, as a new file: other links to its content keep theirs."""
    content = bytearray(path.read_bytes())
    path.unlink()
    if kind == "a bit flips":
        bit = rng.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
    elif kind == "cut short":
        path.write_bytes(content[: rng.randrange(len(content))])


def judge_checkpoint(name: str, said: list[str], loaded: str, digests: dict[int, str]) -> str:
    """Says how it went that networks were loaded from a run of which one file was damaged.

    Args:
      name: of the damaged file.
      said: warnings.
      loaded: digest of the weights that were loaded.
      digests: those of each checkpoint, by step.

    Returns:
      One of OUTCOMES.
    """
    *_, before, newest = sorted(digests)
    if said:
        # Which of the two is wrong, a file or its checksum, cannot be known: a flip in one names the other.
        is_named = f"ckpt-{newest} is damaged ({'' if name.endswith('.json') else name}" in said[0]
        went_back = is_named and said[0].endswith(f"going on from ckpt-{before}")
        return "named" if went_back and loaded == digests[before] else "silently wrong"
    is_state = name.endswith((".index", ".data-00000-of-00001"))  # of the optimizers, too, which are not loaded here
    return "unharmed" if loaded == digests[newest] and not is_state else "silently wrong"


def copy_damaged(source: Path, target: Path, file: Path, kind: str, rng: random.Random) -> None:
    """Copies a folder by links, and damages one file of the copy, given by its name below the folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=os.link)
    damage(target / file, kind, rng)


class _Warnings(logging.Handler):
    """Keeps the warnings about checkpoints."""

    def __init__(self):
        super().__init__()
        self.messages: list[str] = []
        log = logging.getLogger("colorization.training.checkpoint_files")
        log.addHandler(self)
        log.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def make_checkpoint_judge(run_dir: Path) -> Callable[[Path, str], str]:
    """Makes a function that loads networks of a damaged copy of a run and judges, given the damaged file's name."""
    from colorization import models
    from colorization.training import checkpoints

    config = checkpoints.read_config(run_dir)["flags"]
    networks = {name: checkpoints.build_generator_like(config) for name in ("generator", "ema_generator")}
    networks["noise_encoder"] = models.build_noise_encoder(z_dim=config["z_dim"])

    def digest() -> str:
        weights = [weight for network in networks.values() for weight in network.get_weights()]
        return hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()

    digests = {}
    for step in STEPS:
        with tempfile.TemporaryDirectory() as folder:
            for file in (run_dir / "checkpoints").glob(f"ckpt-{step}.*"):
                os.makedirs(Path(folder) / "checkpoints", exist_ok=True)
                shutil.copy(file, Path(folder) / "checkpoints")
            checkpoints.load_networks(Path(folder), **networks)
        digests[step] = digest()
    if len(set(digests.values())) < len(STEPS):
        raise cli.CommandError("checkpoints don't differ: nothing could be told from them")
    warnings = _Warnings()

    def judge(damaged: Path, name: str) -> str:
        warnings.messages.clear()
        checkpoints.load_networks(damaged, **networks)
        return judge_checkpoint(name, warnings.messages, digest(), digests)

    return judge


def make_model_judge(version_dir: Path) -> Callable[[Path, str], str]:
    """Makes a function that colorizes with a damaged copy of a model and judges, given the damaged file's name."""
    from colorization.inference.colorizer import Colorizer, ModelError

    photo = np.random.default_rng(0).integers(0, 256, (40, 48), np.uint8)
    expected = Colorizer.load(version_dir).colorize(photo)

    def judge(damaged: Path, name: str) -> str:
        try:
            colorizer = Colorizer.load(damaged)
        except ModelError as error:
            whole = {"saved_model.pb", "checksums.json"}  # without the one there is no model; the other names others
            is_named = name in str(error) or (name in whole and str(error).startswith(str(damaged)))
            return "named" if is_named and "\n" not in str(error) else "crashed"
        return "unharmed" if np.array_equal(colorizer.colorize(photo), expected) else "silently wrong"

    return judge


def count(
    source: Path, files: list[Path], judge: Callable[[Path, str], str], num_tries: int, rng: random.Random
) -> Any:
    """Damages copies of a folder and counts outcomes, by kind of damage."""
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for _ in range(num_tries):
        file, kind = rng.choice(files), rng.choice(KINDS)
        target = source.parent / "damaged"
        copy_damaged(source, target, file, kind, rng)
        try:
            outcome = judge(target, file.name)
        except Exception:
            traceback.print_exc()
            outcome = "crashed"
        if outcome in OUTCOMES[2:]:
            print(f"{file} ({kind}): {outcome}", file=sys.stderr)
        counts[kind][outcome] += 1
    return counts


def resume(root: Path, num_damaged: int, rng: random.Random) -> str:
    """The outcome of resuming by the command when so many of the newest checkpoints have a flipped bit."""
    run_dir = root / "resumed"
    data = [Path("checkpoints") / f"ckpt-{step}.data-00000-of-00001" for step in STEPS[::-1][:num_damaged]]
    copy_damaged(root / "run", run_dir, data[0], "a bit flips", rng)
    for file in data[1:]:
        damage(run_dir / file, "a bit flips", rng)
    done = train(root, run_dir, STEPS[-1])
    if num_damaged == len(STEPS):
        is_right = (
            done.returncode == 2 and done.stderr.count("\n") == 1 and "no older checkpoint is whole" in done.stderr
        )
    else:
        step = STEPS[-1 - num_damaged]
        is_right = done.returncode == 0 and f"going on from ckpt-{step}" in done.stderr
        is_right &= f"done at step {STEPS[-1]}" in done.stdout
    if not is_right:
        print(done.stdout, done.stderr, file=sys.stderr)
    return "named" if is_right else "crashed" if "Traceback" in done.stderr else "silently wrong"


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    cli.start_tensorflow("cpu")
    rng = random.Random(_SEED.value)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_state(root)
        newest = sorted(path.name for path in (root / "run" / "checkpoints").glob(f"ckpt-{STEPS[-1]}.*"))
        checkpoint_files = [Path("checkpoints") / name for name in [*newest, "checkpoint"]]
        version_dir = root / "models" / "1"
        model_files = sorted(path.relative_to(version_dir) for path in version_dir.rglob("*") if path.is_file())
        num_tries = _NUM_TRIES.value // 2
        judge = make_checkpoint_judge(root / "run")
        tables = {"checkpoint": count(root / "run", checkpoint_files, judge, num_tries, rng)}
        judge = make_model_judge(version_dir)
        tables["SavedModel"] = count(version_dir, model_files, judge, num_tries, rng)
        tables["resumed by the command"] = {
            f"{number} of {len(STEPS)} damaged": collections.Counter([resume(root, number, rng)]) for number in (1, 3)
        }
    print(f"{'':45}", *(f"{outcome:>15}" for outcome in ("tries", *OUTCOMES)))
    total = collections.Counter()
    for target, counts in tables.items():
        for kind, outcomes in sorted(counts.items()):
            total += outcomes
            row = [outcomes.total(), *(outcomes[outcome] for outcome in OUTCOMES)]
            print(f"{f'{target}: {kind}':45}", *(f"{value:15}" for value in row))
    return int(total["silently wrong"] + total["crashed"] > 0)


if __name__ == "__main__":
    cli.run(main)
