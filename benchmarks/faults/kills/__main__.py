"""Kills commands with SIGKILL at random moments, starts them again, and counts what is lost.

    python -m benchmarks.faults.kills [--num_training_kills=100] [--num_export_kills=25] [--num_convert_kills=25]
        [--num_colorize_kills=50] [--seed=0]

* `train`: 30 of 100 kills come inside a save. Every start must go on from the newest whole checkpoint, no more than the
  steps between two saves may be lost, and in the end all variables, the optimizers' too, must equal bit for bit those
  of a run that nobody killed.
* `export` and `convert`: a version, or a .tflite file, must be the old or the new one, whole.
* `colorize`: of 200 photos each result must be whole or absent; a later start must leave it untouched, and in the end
  all must equal bit for bit those of a run that nobody killed.

The networks that are trained and exported are small, everything else is the command as it is. Needs
requirements-litert.txt for `convert`. Exit status: 0 nothing lost; 1 something was.
"""

import random
import tempfile
from pathlib import Path

from absl import flags

from benchmarks.faults.kills import colorizing, exporting, training
from benchmarks.faults.kills.tally import Tally
from colorization import cli

_NUM_TRAINING = flags.DEFINE_integer("num_training_kills", 100, "Kills of train, three of ten inside a save.", 0)
_NUM_EXPORT = flags.DEFINE_integer("num_export_kills", 25, "Kills of export.", 0)
_NUM_CONVERT = flags.DEFINE_integer("num_convert_kills", 25, "Kills of convert.", 0)
_NUM_COLORIZE = flags.DEFINE_integer("num_colorize_kills", 50, "Kills of colorize.", 0)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    parts = {
        "train": (_NUM_TRAINING.value, lambda folder, n, rng: training.run(folder, n, 3 * n // 10, rng)),
        "export": (_NUM_EXPORT.value, exporting.kill_export),
        "convert": (_NUM_CONVERT.value, exporting.kill_convert),
        "colorize": (_NUM_COLORIZE.value, colorizing.run),
    }
    cli.start_tensorflow("cpu")
    tallies: list[Tally] = []
    for name, (num_kills, kill) in parts.items():
        if num_kills:
            with tempfile.TemporaryDirectory() as folder:
                tallies.append(kill(Path(folder), num_kills, random.Random(f"{_SEED.value} {name}")))
            print(tallies[-1].format_row(), flush=True)
    print("\n| command | kills | inside a write | survived | lost |\n|---|---:|---:|---:|---:|")
    for tally in tallies:
        print(tally.format_row())
    return int(any(tally.num_lost for tally in tallies))


if __name__ == "__main__":
    cli.run(main)
