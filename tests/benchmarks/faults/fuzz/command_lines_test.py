"""The quick part of the fuzzing of command lines, in a process for each command, for flags of two would clash."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def run_worker(target: str, folder: Path, seconds: float) -> list[dict]:
    command = [sys.executable, "-m", "benchmarks.faults.fuzz.worker", target, str(seconds), "0", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", ["colorize", "serve"])
def test_wrong_command_lines_exit_with_one_line(tmp_path, command):
    """One batch: 200 command lines."""
    messages = run_worker(command, tmp_path, 0.001)
    assert [message for message in messages if "finding" in message] == []
    assert messages[-1]["executions"] >= 100
