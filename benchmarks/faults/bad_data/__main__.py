"""Trains on folders with broken files, and with numbers that are none; counts what goes wrong.

    python -m benchmarks.faults.bad_data [--seed=0]

* 1 % and 10 % of 200 photos are truncated, garbage, empty, zeros or web pages: training must name exactly these, and
  its variables, the optimizers' too, must equal bit for bit those of a run on the folder without them.
* NaN or infinity in the pixels, the loss or the gradient of six random steps: training must go on with finite weights.
  In all steps from one on: it must stop with one line, and what it saved must be finite.

The networks are small, everything else is the command as it is. Exit status: 0 nothing wrong; 1 something was.
"""

import functools
import random
import sys
import tempfile
from pathlib import Path

from absl import flags

from benchmarks.faults.bad_data import broken_files, non_finite
from colorization import cli

_SEED = flags.DEFINE_integer("seed", 0, "Seed of what is broken, how and when.")


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    cli.start_tensorflow("cpu")
    cases = {
        f"{share:.0%} of the photos broken": functools.partial(broken_files.compare, share=share)
        for share in (0.01, 0.1)
    }
    for place in non_finite.PLACES:
        cases[f"no number in the {place}, six steps"] = functools.partial(non_finite.inject_some, place=place)
        cases[f"no number in the {place}, all steps"] = functools.partial(non_finite.inject_in_row, place=place)
    num_wrong = 0
    print("| fault | survived |\n|---|---|")
    for title, case in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            problems = case(Path(folder), rng=random.Random(f"{_SEED.value} {title}"))
        for problem in problems:
            print(f"{title}: {problem}", file=sys.stderr)
        num_wrong += bool(problems)
        print(f"| {title} | {'no' if problems else 'yes'} |", flush=True)
    return int(num_wrong > 0)


if __name__ == "__main__":
    cli.run(main)
