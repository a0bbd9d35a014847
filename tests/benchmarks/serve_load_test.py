"""The load test itself, on the tiny model with few requests."""

import subprocess
import sys
from pathlib import Path

from benchmarks.serve_clients import Answer
from benchmarks.serve_load import find_faults, format_percentiles

ROOT = Path(__file__).parents[2]


def test_every_phase_runs_and_finds_nothing(tiny_model_dir):
    flags = ("--num_requests=60", "--num_clients=6", "--overload_seconds=1", "--num_reloads=1", "--sizes=48,96")
    words = [sys.executable, "-m", "benchmarks.serve_load", f"--model_base_path={tiny_model_dir}", *flags]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("steady, 6 clients: 60 requests in ") and ": 60 equal; " in line for line in lines)
    assert any(line.startswith("overload, ") for line in lines)
    assert any(line.startswith("1 reloads, 0 of them broken, ") and " equal; " in line for line in lines)


def test_faults_are_named():
    answers = [Answer("rest", 0.1, outcome) for outcome in ("equal", "different", "429", "429", "500")]
    assert find_faults(answers, may_refuse=True) == ["1 answers: different", "1 answers: 500"]
    assert find_faults(answers, may_refuse=False) == ["1 answers: different", "2 answers: 429", "1 answers: 500"]


def test_percentiles():
    assert format_percentiles([i / 1000 for i in range(101)]) == "p50 50 ms, p95 95 ms, p99 99 ms"
