"""Which photos are read and where their results go, decided before any work."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath

from colorization import image_io

_Path = str | os.PathLike


@dataclasses.dataclass(frozen=True)
class PhotoJob:
    """One photo and the paths of its results.

    Attributes:
      photo: the file.
      outputs: one for each sample.
      is_guess: whether the file was found in a folder and its name promises no photo; then it may be something else.
    """

    photo: Path
    outputs: tuple[Path, ...]
    is_guess: bool = False


def plan_jobs(
    paths: Sequence[str | os.PathLike], output_dir: str | os.PathLike, *, recursive: bool, num_samples: int
) -> list[PhotoJob]:
    """Plans the results of photos and folders: a photo keeps its name, a folder its tree.

    Args:
      paths: photos and folders, which stand for all files in them but hidden ones. A missing one stands for itself as
        long as another exists; reading it will fail.
      output_dir: folder for the results. If it lies inside an input folder, what it holds is no input.
      recursive: also take the folders inside folders.
      num_samples: results for each photo; from 2 on, _1, _2, ... comes before the suffix.

    Raises:
      ValueError: nothing is found, two results would have one path, or a result would replace an input; one line.
    """
    if not any(os.path.lexists(path) for path in paths):
        raise ValueError(f"{', '.join(map(str, paths))}: no such file or folder")
    jobs: list[PhotoJob] = []
    for root in map(Path, paths):
        for photo in _list_inputs(root, Path(output_dir), recursive):
            relative, is_found = (photo.relative_to(root), True) if root.is_dir() else (photo.name, False)
            is_guess = is_found and photo.suffix.lower() not in image_io.SUFFIXES
            outputs = tuple(Path(output_dir, name) for name in name_outputs(relative, num_samples))
            jobs.append(PhotoJob(photo, outputs, is_guess))
    if not jobs:
        raise ValueError(describe_nothing_found(paths, recursive=recursive))
    check_outputs((job.photo, job.photo, job.outputs) for job in jobs)
    return jobs


def describe_nothing_found(paths: Sequence[str | os.PathLike], *, recursive: bool) -> str:
    """Makes the line that says that paths hold no photo."""
    hint = "" if recursive else "; --recursive also looks into the folders inside"
    return f"{', '.join(map(str, paths))}: no photos found{hint}"


def name_outputs(name: str | os.PathLike, num_samples: int) -> tuple[str, ...]:
    """Names the results of a photo, by its path below a folder: itself, or from two samples on NAME_1, NAME_2, ..."""
    if num_samples == 1:
        return (os.fspath(name),)
    path = PurePath(name)
    return tuple(str(path.with_name(f"{path.stem}_{i}{path.suffix}")) for i in range(1, num_samples + 1))


def check_outputs(
    photos: Iterable[tuple[object, _Path, Sequence[_Path]]], resolve: Callable[[_Path], str] = os.path.realpath
) -> None:
    """Checks that no result would replace an input, and no two have one path.

    Args:
      photos: for each what errors call it, its file, and the paths of its results.
      resolve: makes paths of the same file the same.

    Raises:
      ValueError: one would; one line.
    """
    photos = list(photos)
    inputs = {resolve(photo) for _, photo, _ in photos}
    labels: dict[_Path, object] = {}
    for label, _, outputs in photos:
        for output in outputs:
            if resolve(output) in inputs:
                raise ValueError(f"{label}: its result would replace the input {output}; choose another folder")
            if output in labels:
                raise ValueError(f"{labels[output]} and {label}: both would be written to {output}")
            labels[output] = label


def find_obstacle(job: PhotoJob, *, overwrite: bool) -> str | None:
    """Looks for what stands in the way of a job's results before any work is done.

    Args:
      job: what is planned.
      overwrite: whether results that exist may be replaced.

    Returns:
      One line that names it; None if there is nothing.
    """
    for path in job.outputs:
        if path.is_dir():
            return f"{job.photo}: {path} is a folder"
        if not overwrite and os.path.lexists(path):
            return f"{job.photo}: {path} exists; --overwrite replaces it"
        if parent := next((parent for parent in path.parents if os.path.lexists(parent) and not parent.is_dir()), None):
            return f"{job.photo}: {parent} is no folder"
    return None


def _list_inputs(root: Path, output_dir: Path, recursive: bool) -> list[Path]:
    photos = image_io.list_photos([root], recursive=recursive, suffixes=None)
    output_dir = _resolve(output_dir)
    if not root.is_dir() or _resolve(root) not in output_dir.parents:
        return photos
    return [photo for photo in photos if output_dir not in _resolve(photo).parents]


def _resolve(path: Path) -> Path:
    """As `Path.resolve`, which fails for links that go round in circles."""
    return Path(os.path.realpath(path))
