"""Files and folders that are being written: under names that nobody takes for results, renamed when they are whole.

A process that is killed meanwhile leaves them behind, to be removed by a later one.
"""

import contextlib
import re
import secrets
import shutil
import time
from pathlib import Path

# Nothing is written for so long without a change, so what is older has no owner. Asking whether the owner lives would
# not do: a folder may be shared by machines.
LEFTOVER_SECONDS = 3600.0
_NAME = re.compile(r"\.[0-9a-f]{16}\.tmp")


def make_path(folder: Path) -> Path:
    """Makes a name in `folder` that nothing has yet: hidden, of random digits, ending in .tmp."""
    return folder / f".{secrets.token_hex(8)}.tmp"


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes left in a folder: all with a name of `make_path` and no change for an hour.

    Args:
      folder: itself only, not the folders in it; may be missing.
    """
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and time.time() - _find_last_change(path) > LEFTOVER_SECONDS:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _find_last_change(path: Path) -> float:
    """Time of the last change of a file, or in a folder, in seconds since 1970."""
    return max(member.lstat().st_mtime for member in (path, *path.rglob("*")))
