"""The benchmark calls wrong what is wrong; it needs root and a quarter of an hour, so its numbers are not tested."""

import subprocess

import pytest

from benchmarks.faults import disk_and_rights


@pytest.mark.parametrize(
    "status, stderr, wrong",
    [
        (1, "a.png: No space left on device\n", None),
        (0, "a.png: No space left on device\n", "exit status 0 instead of 1"),
        (1, "a.png: No space left on device\nb\n", "2 lines instead of 1"),
        (1, "", "0 lines instead of 1"),
        (1, "a.png: damaged\n", "'a.png: damaged' instead of"),
    ],
)
def test_outcomes(status, stderr, wrong):
    done = subprocess.CompletedProcess([], status, "", stderr)
    reason = disk_and_rights.judge(done, 1, "^a.png: No space")
    assert reason is None if wrong is None else reason.startswith(wrong)


def test_hidden_files_are_listed(tmp_path):
    disk_and_rights.make_photos(tmp_path / "in", 2)
    (tmp_path / "in" / ".x.tmp").touch()
    assert disk_and_rights.list_files(tmp_path) == ["in/.x.tmp", "in/00.png", "in/01.png"]
