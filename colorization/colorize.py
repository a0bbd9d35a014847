"""Colorizes photos: files, or all photos of folders.

  python -m colorization.colorize old.jpg album/ --output_dir=out

Every photo is written to --output_dir under its own name, in its own format, size and depth, with its transparency,
colour profile and EXIF; a folder keeps its tree there.

Exit status: 0 all done; 1 some photos failed (one line each on standard error; the others are done); 2 the call itself
is wrong.
"""

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    import numpy as np

    from colorization.inference.colorizer import Colorizer
    from colorization.inference.hints import Hint
    from colorization.inference.photo_jobs import PhotoJob

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the results, made if missing.", required=True)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one, "
    "saved_models/colorizer.",
)
_NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples",
    1,
    "Results per photo. 1 is the automatic colour; more are drawn at random, and named with _1, _2, ... before the "
    "suffix.",
    lower_bound=1,
    upper_bound=100,
)
_SEED = flags.DEFINE_integer("seed", 0, "Chooses the draws if --num_samples is 2 or more.", lower_bound=0)
_SATURATION = flags.DEFINE_float(
    "saturation", 1.0, "Factor for the strength of colour; 0 is grey.", lower_bound=0.0, upper_bound=10.0
)
_HINTS = flags.DEFINE_string(
    "hints",
    None,
    'JSON file of colours at points of the one photo: [{"x": 120, "y": 64, "color": "#b03a2e", "radius": 12}, ...]; '
    "x, y and the radius (5 if left out) in pixels of the upright photo.",
)
_REFERENCE = flags.DEFINE_string("reference", None, "Photo in colour whose mood all results take; not with samples.")
_RECURSIVE = flags.DEFINE_boolean("recursive", False, "Also take the folders inside folders.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace results that exist; without it they are refused.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 8, "Most photos that are worked on together; large photos go one by one.", lower_bound=1
)
_DEVICE = flags.DEFINE_string("device", "auto", "'auto' (a GPU if there is one), 'cpu' or 'gpu:N' with N from 0.")


def main(argv: list[str]) -> int:
    """Colorizes what the arguments name; returns the exit status."""
    from tqdm import tqdm

    from colorization.inference import hints, photo_jobs, photo_pipeline

    if not argv[1:]:
        raise cli.UsageError("no photo or folder given; --help explains")
    points, reference = _read_hints(argv[1:]), _read_reference()
    output_dir = Path(_OUTPUT_DIR.value)
    try:
        jobs = photo_jobs.plan_jobs(argv[1:], output_dir, recursive=_RECURSIVE.value, num_samples=_NUM_SAMPLES.value)
        output_dir.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    except OSError as error:
        raise cli.UsageError(f"--output_dir={output_dir}: {error.strerror}") from error
    refused = {job: path for job in jobs if (path := _find_existing_output(job))}
    outcomes = photo_pipeline.colorize_jobs(
        [job for job in jobs if job not in refused],
        _load_colorizer,
        seed=_SEED.value,
        saturation=_SATURATION.value,
        batch_size=_BATCH_SIZE.value,
        hints=points,
        reference=reference,
    )
    refusals = [(job, f"{job.photo}: {path} exists; --overwrite replaces it") for job, path in refused.items()]
    num_failed = 0
    try:
        with tqdm(total=len(jobs), unit="photo", disable=None) as bar:  # None: only on a terminal
            for _, failure in itertools.chain(refusals, outcomes):
                if failure:
                    num_failed += 1
                    bar.write(failure, file=sys.stderr)
                bar.update()
    except hints.HintError as error:  # a point outside the photo
        raise cli.UsageError(f"{_HINTS.value}: {error}") from error
    print(f"{len(jobs) - num_failed} of {len(jobs)} photos colorized into {output_dir}")
    return 1 if num_failed else 0


def _read_hints(paths: Sequence[str]) -> list["Hint"]:
    """The points in --hints; none without it."""
    from colorization.inference import hints

    if _HINTS.value is None:
        return []
    if len(paths) != 1 or Path(paths[0]).is_dir():
        raise cli.UsageError("--hints belongs to one photo; give one, and no folder")
    try:
        return hints.read_hints(_HINTS.value)
    except hints.HintError as error:
        raise cli.UsageError(str(error)) from error


def _read_reference() -> "np.ndarray | None":
    """The photo in --reference, or None."""
    from colorization import image_io
    from colorization.inference import reference

    if _REFERENCE.value is None:
        return None
    if _NUM_SAMPLES.value > 1:
        raise cli.UsageError("--reference gives one result per photo; leave out --num_samples")
    try:
        return reference.read_reference(_REFERENCE.value)
    except image_io.ImageError as error:
        raise cli.UsageError(str(error)) from error


def _find_existing_output(job: "PhotoJob") -> Path | None:
    """The first result that is there already and may not be replaced."""
    if _OVERWRITE.value:
        return None
    return next((path for path in job.outputs if os.path.lexists(path)), None)


def _load_colorizer() -> "Colorizer":
    cli.start_tensorflow(_DEVICE.value)
    from colorization.inference import colorizer

    try:
        loaded = colorizer.Colorizer.load(_MODEL_DIR.value)
        loaded.check_takes(hints=_HINTS.value is not None, reference=_REFERENCE.value is not None)
        return loaded
    except colorizer.ModelError as error:
        raise cli.UsageError(str(error)) from error


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
