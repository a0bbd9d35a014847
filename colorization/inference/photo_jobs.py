"""Which photos are read and where their results go, decided before any work."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from colorization import image_io


@dataclasses.dataclass(frozen=True)
class PhotoJob:
    """One photo and the paths of its results, one for each sample."""

    photo: Path
    outputs: tuple[Path, ...]


def plan_jobs(
    paths: Sequence[str | os.PathLike], output_dir: str | os.PathLike, *, recursive: bool, num_samples: int
) -> list[PhotoJob]:
    """Plans the results of photos and folders: a photo keeps its name, a folder its tree.

    Args:
      paths: photos and folders. A missing one stands for itself as long as another exists; reading it will fail.
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
            relative = photo.relative_to(root) if root.is_dir() else photo.name
            jobs.append(PhotoJob(photo, _output_paths(Path(output_dir, relative), num_samples)))
    if not jobs:
        hint = "" if recursive else "; --recursive also looks into the folders inside"
        raise ValueError(f"{', '.join(map(str, paths))}: no photos found{hint}")
    _check_outputs(jobs)
    return jobs


def _list_inputs(root: Path, output_dir: Path, recursive: bool) -> list[Path]:
    photos = image_io.list_photos([root], recursive=recursive)
    output_dir = output_dir.resolve()
    if not root.is_dir() or root.resolve() not in output_dir.parents:
        return photos
    return [photo for photo in photos if output_dir not in photo.resolve().parents]


def _output_paths(path: Path, num_samples: int) -> tuple[Path, ...]:
    if num_samples == 1:
        return (path,)
    return tuple(path.with_name(f"{path.stem}_{i}{path.suffix}") for i in range(1, num_samples + 1))


def _check_outputs(jobs: list[PhotoJob]) -> None:
    inputs = {job.photo.resolve() for job in jobs}
    sources: dict[Path, Path] = {}
    for job in jobs:
        for output in job.outputs:
            if output.resolve() in inputs:
                raise ValueError(f"{job.photo}: its result would replace the input {output}; choose another folder")
            if output in sources:
                raise ValueError(f"{sources[output]} and {job.photo}: both would be written to {output}")
            sources[output] = job.photo
