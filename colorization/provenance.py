"""What software a training run was made with, for its config.json."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def describe_software(libraries: Iterable[str]) -> dict[str, Any]:
    """Describes the software that runs.

    Args:
      libraries: names of installed distributions.

    Returns:
      Dict of `versions` by library, `python`'s own version, and `git_commit` of this code, with "-dirty" behind it if
      files differ; None outside a git checkout.

    Raises:
      importlib.metadata.PackageNotFoundError: if a library is not installed.
    """
    return {
        "versions": {name: importlib.metadata.version(name) for name in libraries},
        "python": platform.python_version(),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
