"""Which photos of an archive are colorized, and where the results go, decided before any work."""

import dataclasses
import os
import posixpath
from collections.abc import Iterator, Sequence

from colorization import image_io
from colorization.archives import files, record_files
from colorization.inference import photo_jobs

ERRORS_NAME = "errors.tsv"


@dataclasses.dataclass(frozen=True)
class Item:
    """One photo of an archive.

    Attributes:
      source: the file, or the TFRecord file that holds the photo.
      offset: byte at which its record starts there; None for a file of its own.
      name: path of the photo below its folder.
      outputs: one path for each sample.
      is_guess: whether the name promises no photo; then it may be something else.
    """

    source: str
    offset: int | None
    name: str
    outputs: tuple[str, ...]
    is_guess: bool

    @property
    def label(self) -> str:
        """What errors call the photo."""
        return self.source if self.offset is None else f"{self.source}: {self.name}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
      output_dir: folder of the results.
      items: photos to colorize.
      num_there: photos whose results are there already.
      errors: (label, reason) of what cannot be colorized: damaged records, names that lead elsewhere.
    """

    output_dir: str
    items: tuple[Item, ...]
    num_there: int
    errors: tuple[tuple[str, str], ...]


def make_plan(patterns: Sequence[str], output_dir: str, *, num_samples: int, overwrite: bool) -> Plan:
    """Lists photos and plans their results: a photo keeps its path below the fixed folder of its pattern.

    Args:
      patterns: of photos, or of TFRecord files: those have ".tfrecord" in their last part. If `output_dir`
        lies below a pattern's folder, what it holds is no input.
      output_dir: folder for the results.
      num_samples: results for each photo; from 2 on, _1, _2, ... comes before the suffix.
      overwrite: also plan photos whose results are there.

    Raises:
      ValueError: nothing is found, two results would have one path, or a result would replace an input; one line.
    """
    output_dir = files.normalize(output_dir)
    items, errors = [], []
    for pattern in map(files.normalize, patterns):
        folder, paths = files.find_files(pattern)
        may_hold_results = _is_below(output_dir, folder)
        found = [path for path in paths if not (may_hold_results and _is_below(path, output_dir))]
        if not found:
            hint = f"; for all files of a folder say {pattern}/**" if os.path.isdir(pattern) else ""
            raise ValueError(f"{pattern}: no file matches{hint}")
        for entry in _list_records(found) if is_record_pattern(pattern) else _list_photos(found, folder):
            if not isinstance(entry, Item):
                errors.append(entry)
            elif reason := _refuse_name(entry.name):
                errors.append((entry.label, reason))
            else:
                names = photo_jobs.name_outputs(entry.name, num_samples)
                items.append(dataclasses.replace(entry, outputs=tuple(f"{output_dir}/{name}" for name in names)))
    photo_jobs.check_outputs(((item.label, item.source, item.outputs) for item in items), _resolve)
    missing = items if overwrite else find_missing(items, output_dir)
    return Plan(output_dir, tuple(missing), len(items) - len(missing), tuple(errors))


def is_record_pattern(pattern: str) -> bool:
    """Tells whether a pattern is of TFRecord files."""
    return ".tfrecord" in posixpath.basename(pattern)


def find_missing(items: Sequence[Item], output_dir: str) -> list[Item]:
    """Lists the photos that lack a result in `output_dir`."""
    if files.is_local(output_dir):
        return [item for item in items if not all(map(_is_there, item.outputs))]
    there = set(files.find_files(f"{output_dir}/**")[1])
    return [item for item in items if not there.issuperset(item.outputs)]


def _list_photos(paths: Sequence[str], folder: str) -> Iterator[Item]:
    for path in paths:
        is_guess = posixpath.splitext(path)[1].lower() not in image_io.SUFFIXES
        yield Item(path, None, path[len(folder) + 1 :], (), is_guess)


def _list_records(paths: Sequence[str]) -> Iterator[Item | tuple[str, str]]:
    """Reads through TFRecord files; a damaged one is an error after what could be read of it."""
    for path in paths:
        try:
            for offset, example in record_files.scan(path):
                try:
                    yield Item(path, offset, record_files.parse(example)[0], (), False)
                except ValueError as error:
                    yield f"{path}: record at byte {offset}", str(error)
        except (ValueError, OSError) as error:
            yield path, files.make_reason("", error).removeprefix(": ")


def _refuse_name(name: str) -> str | None:
    """Says why a name, which in a record may be anything, cannot be that of a result; None if it can."""
    if set(name.split("/")) & {"", ".", ".."} or "\0" in name:
        return "its name leads out of the output folder"
    if files.is_hidden(name):
        return "its name is hidden"
    return "its result would have the name of the list of errors" if name == ERRORS_NAME else None


def _is_below(path: str, folder: str) -> bool:
    if files.is_local(path) and files.is_local(folder):
        path, folder = os.path.realpath(path), os.path.realpath(folder)
    return path.startswith(f"{folder.rstrip('/')}/")


def _resolve(path: str) -> str:
    return os.path.realpath(path) if files.is_local(path) else path


def _is_there(path: str) -> bool:
    return os.path.lexists(path) and not os.path.isdir(path)
