"""docs/scale.md is true where that can be told without the hardware: its commands, and the TF_CONFIG of its job."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from colorization.training.cluster import Cluster, read_cluster
from tests.readme_test import assert_flags_are_accepted

PAGE = (Path(__file__).parents[1] / "docs" / "scale.md").read_text(encoding="utf-8")
JOB = re.search(r"^        args:\n        - \|\n((?: {10}.*\n)+)", PAGE, re.MULTILINE)[1]
COMMANDS = re.findall(r"python -m colorization\.train (--flagfile.*)", PAGE.replace("\\\n", " "))


@pytest.mark.parametrize("flags", COMMANDS)
def test_commands_are_accepted(flags):
    assert_flags_are_accepted("colorization.train", shlex.split(flags))


def test_all_commands_are_found():
    assert len(COMMANDS) == 4


@pytest.mark.parametrize("index", [0, 3])
def test_job_gives_each_pod_its_tf_config(index):
    script = re.sub(r"exec python .*", 'printf "%s" "$TF_CONFIG"', JOB, flags=re.DOTALL)
    environ = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
    done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert read_cluster({"TF_CONFIG": done.stdout}) == Cluster(4, index)
    assert "colorizer-3.colorizer:2222" in done.stdout
