"""Colorizes photos: files, or all photos of folders.

  python -m colorization.colorize old.jpg album/ --output_dir=out

Every photo is written to --output_dir under its own name, in its own format, size and depth, with its transparency,
colour profile and EXIF; a folder keeps its tree there. In a folder, every file counts, whatever its name; what is no
image is named and left out.

Exit status: 0 all done; 1 some photos failed (one line each on standard error; the others are done); 2 the call itself
is wrong.
"""

import collections
import contextlib
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli, unfinished

if TYPE_CHECKING:
    import numpy as np

    from colorization.inference.colorizer import Colorizer
    from colorization.inference.hints import Hint
    from colorization.inference.photo_jobs import PhotoJob
    from colorization.isolation.photo_files import PhotoFiles

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the results, made if missing.", required=True)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; for other runtimes than tensorflow a file "
    "that `convert` made, or the folder with it; default: the shipped one, saved_models/colorizer or "
    "saved_models/colorizer_RUNTIME.",
)
_RUNTIME = flags.DEFINE_enum(
    "runtime",
    "tensorflow",
    ["tensorflow", "litert", "onnx", "openvino"],
    "What runs the model. The others start sooner and need no TensorFlow, but requirements-RUNTIME.txt; their pictures "
    "differ by a level of 255 here and there. No model is shipped for openvino.",
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
_MAX_MEGAPIXELS = flags.DEFINE_float(
    "max_megapixels",
    50.0,
    "Millions of pixels above which a photo is refused. Memory grows with it: 200 take up to 3 GB.",
    lower_bound=0.0,
)
_DECODE_SECONDS = flags.DEFINE_float(
    "decode_seconds",
    10.0,
    "Seconds after which reading or writing a photo is given up; above 16 megapixels in proportion to its size.",
    lower_bound=0.1,
    upper_bound=3600.0,
)
_DECODE_MEMORY_MB = flags.DEFINE_integer(
    "decode_memory_mb",
    512,
    "MiB that reading or writing a photo may take; above 16 megapixels in proportion to its size. Linux only.",
    lower_bound=128,
    upper_bound=1 << 20,
)
_DEVICE = flags.DEFINE_string(
    "device", "auto", "'auto' (a GPU if there is one), 'cpu' or 'gpu:N' with N from 0; GPUs only for tensorflow."
)


def main(argv: list[str]) -> int:
    """Colorizes what the arguments name; returns the exit status."""
    from colorization.image_files import make_line
    from colorization.inference import hints, photo_jobs
    from colorization.isolation.photo_files import Limits, PhotoFiles

    if not argv[1:]:
        raise cli.UsageError("no photo or folder given; --help explains")
    points = _read_hints(argv[1:])
    max_pixels, memory_bytes = int(_MAX_MEGAPIXELS.value * 1e6), _DECODE_MEMORY_MB.value << 20
    with PhotoFiles(Limits(max_pixels, _DECODE_SECONDS.value, memory_bytes)) as files:
        reference = _read_reference(files)
        jobs = _plan_jobs(argv[1:], Path(_OUTPUT_DIR.value))
        try:
            counts = _colorize(jobs, files, points, reference)
        except hints.HintError as error:  # a point outside the photo
            raise cli.UsageError(f"{_HINTS.value}: {error}") from error
    num_photos = counts["done"] + counts["failed"]
    if not num_photos:
        raise cli.UsageError(photo_jobs.describe_nothing_found(argv[1:], recursive=_RECURSIVE.value))
    print(f"{counts['done']} of {num_photos} photos colorized into {make_line(_OUTPUT_DIR.value)}")
    return 1 if counts["failed"] else 0


def _plan_jobs(paths: Sequence[str], output_dir: Path) -> list["PhotoJob"]:
    """Plans the results, and makes the folder for them and a file in it: what forbids that is better known now."""
    from colorization.inference import photo_jobs

    try:
        jobs = photo_jobs.plan_jobs(paths, output_dir, recursive=_RECURSIVE.value, num_samples=_NUM_SAMPLES.value)
        output_dir.mkdir(parents=True, exist_ok=True)
        for folder in {path.parent for job in jobs for path in job.outputs}:
            unfinished.remove_leftovers(folder)
        with tempfile.TemporaryFile(dir=output_dir):
            return jobs
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    except OSError as error:
        raise cli.UsageError(f"--output_dir={output_dir}: {error.strerror}") from error


def _colorize(
    jobs: list["PhotoJob"], files: "PhotoFiles", points: list["Hint"], reference: "np.ndarray | None"
) -> collections.Counter[str]:
    """Does the jobs and names what fails; returns how many are "done", "failed" and "left out" as no images."""
    from tqdm import tqdm

    from colorization.image_files import ImageError, make_line
    from colorization.inference import photo_jobs, photo_pipeline

    obstacles = {job: reason for job in jobs if (reason := photo_jobs.find_obstacle(job, overwrite=_OVERWRITE.value))}
    outcomes = photo_pipeline.colorize_jobs(
        [job for job in jobs if job not in obstacles],
        _load_colorizer,
        files,
        seed=_SEED.value,
        saturation=_SATURATION.value,
        batch_size=_BATCH_SIZE.value,
        hints=points,
        reference=reference,
    )
    refusals = ((job, ImageError(make_line(reason))) for job, reason in obstacles.items())
    counts = collections.Counter()
    with tqdm(total=len(jobs), unit="photo", disable=None) as bar:  # None: only on a terminal
        for job, error in itertools.chain(refusals, outcomes):
            is_left_out = error is not None and job.is_guess and error.kind == "no image"
            counts["left out" if is_left_out else "failed" if error else "done"] += 1
            if error:
                bar.write(
                    f"{error}{'; left out' if is_left_out else cli.LIMIT_ADVICE.get(error.kind, '')}", file=sys.stderr
                )
            bar.update()
    return counts


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


def _read_reference(files: "PhotoFiles") -> "np.ndarray | None":
    """The photo in --reference, or None."""
    from colorization.image_files import ImageError
    from colorization.inference import reference

    if _REFERENCE.value is None:
        return None
    if _NUM_SAMPLES.value > 1:
        raise cli.UsageError("--reference gives one result per photo; leave out --num_samples")
    try:
        return files.call(reference.read_reference, _REFERENCE.value)
    except ImageError as error:
        raise cli.UsageError(str(error)) from error


def _load_colorizer() -> "Colorizer":
    if _RUNTIME.value == "tensorflow":
        cli.start_tensorflow(_DEVICE.value)
    elif _DEVICE.value not in ("auto", "cpu"):
        raise cli.UsageError(f"--device={_DEVICE.value}: --runtime={_RUNTIME.value} runs on the CPU")
    from colorization.inference import colorizer

    try:
        with cli.stderr_set_aside() if _RUNTIME.value != "tensorflow" else contextlib.nullcontext():
            loaded = colorizer.Colorizer.load(_MODEL_DIR.value, runtime=_RUNTIME.value)
        loaded.check_takes(
            noise=_NUM_SAMPLES.value > 1, hints=_HINTS.value is not None, reference=_REFERENCE.value is not None
        )
        return loaded
    except colorizer.ModelError as error:
        raise cli.UsageError(str(error)) from error


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
