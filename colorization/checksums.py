"""Checksums of files, so that a bit that flipped on a disk or a copy that broke off is named before it is believed.

A manifest is a small JSON file: for each file its size in bytes and its SHA-256, by its name relative to a folder.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePath


class ChecksumError(ValueError):
    """A file that is missing or not what it was; the message is one line: "PATH: reason".

    Attributes:
      path: that file; the manifest itself, if that can't be read.
      reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def write_manifest(path: Path, root: Path, files: Iterable[Path]) -> None:
    """Writes the checksums of files; the manifest is there whole or not at all.

    Args:
      path: the manifest.
      root: the folder that names are relative to.
      files: somewhere below `root`.
    """
    entries = {}
    for file in sorted(files):
        size, digest = _measure(file)
        entries[file.relative_to(root).as_posix()] = {"sha256": digest, "size": size}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def verify_manifest(path: Path, root: Path) -> None:
    """Checks that all files of a manifest are what they were when it was written; others don't matter.

    Args:
      path: the manifest.
      root: the folder that names are relative to.

    Raises:
      ChecksumError: names the first file that is missing or altered, or the manifest if that can't be read.
    """
    for name, (size, digest) in _read_manifest(path).items():
        file = root / name
        try:
            found_size, found_digest = _measure(file, size)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ChecksumError(file, "missing") from error
        except (OSError, ValueError) as error:  # a bad sector is an OSError
            raise ChecksumError(file, f"can't be read: {_first_line(error)}") from error
        if found_size != size:
            raise ChecksumError(file, f"altered since it was written ({found_size} bytes instead of {size})")
        if found_digest != digest:
            raise ChecksumError(file, "altered since it was written (checksum differs)")


def _read_manifest(path: Path) -> dict[str, tuple[int, str]]:
    """Size and digest by name."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        manifest = {name: (int(entry["size"]), str(entry["sha256"])) for name, entry in entries.items()}
        if not manifest:
            raise ValueError("it names no file")
        if outside := [name for name in manifest if PurePath(name).is_absolute() or ".." in PurePath(name).parts]:
            raise ValueError(f"it names {outside[0]!r}, which lies elsewhere")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChecksumError(path, f"not a list of checksums: {_first_line(error)}") from error
    return manifest


def _measure(path: Path, expected_size: int | None = None) -> tuple[int, str]:
    """Size and SHA-256 of a file; no digest if the size tells already that it is not the expected one."""
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
        raise ValueError("not a file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if expected_size is not None and size != expected_size:
            return size, ""
        return size, hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
