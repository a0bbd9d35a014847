"""Feeds decoders, hints and flags what nobody should, and reports what must not happen.

    python -m benchmarks.faults.fuzz [--minutes=10] [--seed=0] [--output_dir=out/fuzz]

Half of the time goes to image files, an eighth to hints, a quarter to command lines up to the start of TensorFlow, and
the rest to commands that run to their end. Only the documented exceptions may leave the decoder and the hints, a
command may only exit with 0, 1 or 2 and without a traceback, nothing may take longer than 10 s or more than 1.5 GB.

Needs requirements-dev.txt and requirements-litert.txt. Inputs that crash or hang are kept in --output_dir. Exit status:
0 no findings; 1 findings.
"""

import collections
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from benchmarks.faults.fuzz import starts
from colorization import cli

_MINUTES = flags.DEFINE_float("minutes", 10.0, "How long, in minutes.", 0.1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first inputs.", 0)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "out/fuzz", "Folder for inputs that crash or hang.")

COMMANDS = ("colorize", "convert", "evaluate", "export", "prepare", "serve", "train")
_SHARES = {"images": 0.5, "hints": 0.125} | {command: 0.25 / len(COMMANDS) for command in COMMANDS}
_ROOT = Path(__file__).parents[3]


def main(argv: list[str]) -> int:
    """Prints findings and a table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    seconds = 60.0 * _MINUTES.value
    table: dict[str, tuple[int, int]] = {}
    for target, share in _SHARES.items():
        title = target if target in ("images", "hints") else "command lines"
        num_executions, findings = run_workers(target, share * seconds)
        for finding, count in findings.items():
            print(f"{target}, {count} times: {finding}", file=sys.stderr, flush=True)
        before = table.get(title, (0, 0))
        table[title] = before[0] + num_executions, before[1] + len(findings)
    with tempfile.TemporaryDirectory() as name:
        starts.make_files(Path(name))
        outcomes = list(starts.run_some(Path(name), seconds / 8, random.Random(_SEED.value)))
    findings = [outcome for outcome in outcomes if outcome]
    print(*findings, sep="\n", file=sys.stderr)
    table["commands run to their end"] = len(outcomes), len(findings)
    print("| target | executions | findings |\n|---|---:|---:|")
    for title, (num_executions, num_findings) in table.items():
        print(f"| {title} | {num_executions:,} | {num_findings} |")
    return int(any(num_findings for _, num_findings in table.values()))


def run_workers(target: str, seconds: float) -> tuple[int, collections.Counter]:
    """Runs worker processes, a new one when one dies, until time is up; returns executions and findings."""
    end, first_seed, total = time.monotonic() + seconds, 1_000_000 * _SEED.value, 0
    findings: collections.Counter = collections.Counter()
    while (left := end - time.monotonic()) > 0:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "benchmarks.faults.fuzz.worker",
                target,
                str(left),
                str(first_seed),
                folder,
            ]
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
            messages = [json.loads(line) for line in done.stdout.splitlines()]
            counts = [message["executions"] for message in messages if "executions" in message]
            total += max(counts, default=0)
            findings.update(message["finding"] for message in messages if "finding" in message)
            if done.returncode:
                number = len(findings)
                output_dir = Path(_OUTPUT_DIR.value)
                output_dir.mkdir(parents=True, exist_ok=True)
                kept = output_dir / f"{target}_{number}"
                shutil.copy(Path(folder) / "current", kept)
                findings[f"ended with {done.returncode}, input kept as {kept}: {done.stderr[-1500:]}"] += 1
        first_seed += len(counts) + 1
    return total, findings


if __name__ == "__main__":
    cli.run(main)
