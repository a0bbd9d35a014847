import importlib.metadata
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from colorization import provenance


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()


def test_versions_and_commit():
    software = provenance.describe_software(["numpy"])
    assert software.keys() == {"versions", "python", "git_commit"}
    assert software["versions"] == {"numpy": np.__version__}
    assert software["python"] == platform.python_version()
    commit = git("rev-parse", "HEAD")
    if commit:
        is_dirty = git("status", "--porcelain", "--untracked-files=no") != ""
        assert software["git_commit"] == commit + "-dirty" * is_dirty
    else:
        assert software["git_commit"] is None, "no checkout, as in an unpacked archive"


def test_no_commit_where_git_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.describe_software([])["git_commit"] is None


def test_a_library_that_is_not_installed():
    with pytest.raises(importlib.metadata.PackageNotFoundError, match="no-such-library"):
        provenance.describe_software(["no-such-library"])
