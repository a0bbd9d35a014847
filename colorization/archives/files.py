"""Files wherever Apache Beam can reach them: this machine's, gs://, s3://, hdfs://.

Files of this machine are listed and replaced by the code of `colorize`: links, hidden files and errors mean the same.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from colorization import image_files, image_io, unfinished

# There a file appears when all of it has arrived, and renaming would copy it.
_OBJECT_STORES = frozenset({"gs", "s3", "azfs"})


class FilesError(ValueError):
    """Files that cannot be listed, read or written; the message is one line: "PATH: reason"."""


def set_options(options: PipelineOptions) -> None:
    """Tells Beam's file systems of this process how to reach what they reach: endpoints, keys, projects."""
    FileSystems.set_options(options)


def is_local(path: str) -> bool:
    """Tells whether a path is one of this machine's, and not a URL."""
    return FileSystems.get_scheme(path) is None


def normalize(path: str) -> str:
    """Makes a path mean the same in every process: absolute, without a slash at the end."""
    return os.path.abspath(path) if is_local(path) else path.rstrip("/")


def find_files(pattern: str) -> tuple[str, list[str]]:
    """Lists the files that match a pattern; those hidden below its fixed folder are left out.

    Args:
      pattern: normalized; `*` and `?` stand for all but a slash, `**` for all, `[...]` for one of these characters. A
        file of this very name stands for itself.

    Returns:
      The folder below which all lie, as far as it is fixed, and the files, sorted.

    Raises:
      FilesError: something cannot be listed, or nothing knows that kind of URL.
    """
    if is_local(pattern) and os.path.lexists(pattern):
        return os.path.dirname(pattern), [] if os.path.isdir(pattern) else [pattern]
    folder = re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    rest = pattern[len(folder) + 1 :]
    try:
        if is_local(pattern):
            found = []
            if os.path.isdir(folder or "/"):
                is_deep = "/" in rest or "**" in rest
                found = map(str, image_io.list_photos([folder or "/"], recursive=is_deep, suffixes=None))
            matches = re.compile(FileSystem.translate_pattern(pattern)).match
            return folder, sorted(filter(matches, found))
        found = [match.path for match in FileSystems.match([pattern])[0].metadata_list]
    except image_io.ImageError as error:
        raise FilesError(str(error)) from error
    except Exception as error:  # each file system raises its own kinds
        raise FilesError(make_reason(pattern, error)) from error
    return folder, sorted(path for path in found if not is_hidden(path[len(folder) + 1 :]) and not path.endswith("/"))


def is_hidden(name: str) -> bool:
    """Tells whether a name below a folder has a part that starts with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def open_file(path: str, offset: int = 0) -> BinaryIO:
    """Opens a file for reading, as it is: compressed ones are not unpacked.

    Args:
      path: normalized.
      offset: byte to start at.
    """
    if is_local(path):
        file = open(path, "rb")
    else:
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    if offset:
        file.seek(offset)
    return file


def write_file(path: str, data: bytes) -> None:
    """Writes a file that appears whole or not at all, whatever ends this process; makes its folder.

    Raises:
      FilesError: the folder, disk or store refuses it.
    """
    try:
        if is_local(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with image_files.replace_file(path) as file:
                file.write(data)
            return
        temporary = path
        if FileSystems.get_scheme(path) not in _OBJECT_STORES:
            folder, _, _ = path.rpartition("/")
            if not FileSystems.exists(folder):
                FileSystems.mkdirs(folder)
            temporary = f"{folder}/{unfinished.make_path(Path()).name}"
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            file.write(data)
        if temporary != path:
            if FileSystems.exists(path):  # not every file system renames onto a file
                FileSystems.delete([path])
            FileSystems.rename([temporary], [path])
    except image_io.ImageError as error:
        raise FilesError(str(error)) from error
    except Exception as error:  # each file system raises its own kinds
        raise FilesError(make_reason(path, error)) from error


def read_file(path: str) -> bytes | None:
    """Reads a file; None if there is none.

    Raises:
      FilesError: it is there, and cannot be read.
    """
    try:
        if not FileSystems.exists(path):
            return None
        with open_file(path) as file:
            return file.read()
    except Exception as error:  # each file system raises its own kinds
        raise FilesError(make_reason(path, error)) from error


def remove_file(path: str) -> None:
    """Removes a file if it is there.

    Raises:
      FilesError: it cannot be removed.
    """
    try:
        if FileSystems.exists(path):
            FileSystems.delete([path])
    except Exception as error:  # each file system raises its own kinds
        raise FilesError(make_reason(path, error)) from error


def make_reason(path: str, error: BaseException) -> str:
    """Makes one line of what a file system raised: "PATH: reason"."""
    while details := getattr(error, "exception_details", None):  # Beam wraps errors, one for each path
        error = next(iter(details.values()))
    text = getattr(error, "strerror", None) or next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return image_files.make_line(f"{path}: {text}")
