"""The archive command where Apache Beam is not installed; tests/archives/command_test.py has all else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("archive", ["--input=photos/**", "--output=out"]),
        ("prepare", ["--data_dir=photos", "--output_dir=out", "--runner=DirectRunner"]),
    ],
)
def test_a_missing_beam_is_one_line(tmp_path, command, args):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['apache_beam'] = None\n"
        f"import runpy; runpy.run_module('colorization.{command}', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith(": Apache Beam is not installed: pip install -r requirements-beam.txt\n")
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_help_and_wrong_flags_need_no_beam():
    command = [sys.executable, "-m", "colorization.archive"]
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--runner" in done.stdout
    done = subprocess.run([*command, "--output=out"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "--input" in done.stderr and done.stderr.count("\n") == 1
