"""The cost of colorizing, for `scaling.py`: calls that are measured, and the model that is fitted to them."""

import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from benchmarks import process_tree
from colorization import cli

ROOT = Path(__file__).parents[1]
_SQUARE = 160  # px, what the network sees of a photo
_NUM_WARM_UPS, _NUM_CALLS = 2, 7


@dataclasses.dataclass(frozen=True)
class Call:
    """One measured call of `colorize`.

    Attributes:
      num_photos: in the folder.
      megapixels: of each.
      seconds: from the start of the process to its end.
      peak_bytes: most memory of all its processes together.
    """

    num_photos: int
    megapixels: float
    seconds: float
    peak_bytes: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """Coefficients of `seconds = start + photos x (photo + megapixel x megapixels)`, in seconds."""

    start: float
    photo: float
    megapixel: float

    def predict(self, num_photos: float, megapixels: float) -> float:
        """Seconds."""
        return self.start + num_photos * (self.photo + self.megapixel * megapixels)


def fit_cost(calls: Sequence[Call]) -> Cost:
    """Least squares of the relative errors, so that short calls count as much as long ones."""
    seconds = np.array([call.seconds for call in calls])
    terms = np.array([[1.0, call.num_photos, call.num_photos * call.megapixels] for call in calls])
    coefficients, *_ = np.linalg.lstsq(terms / seconds[:, None], np.ones(len(calls)))
    return Cost(*map(float, coefficients))


def write_photos(folder: Path, *, num_photos: int, megapixels: float) -> None:
    """Writes the examples at a size, as grey JPEGs of 4:3, and links to them until there are enough."""
    folder.mkdir()
    sources = sorted((ROOT / "examples").glob("*.jpg"))
    height = round((megapixels * 0.75e6) ** 0.5)
    for index in range(num_photos):
        path = folder / f"{index:05d}.jpg"
        if index < len(sources):
            photo = ImageOps.fit(Image.open(sources[index]).convert("L"), (round(megapixels * 1e6 / height), height))
            photo.save(path, quality=90)
        else:
            path.hardlink_to(folder / f"{index % len(sources):05d}.jpg")


def measure_call(*, num_photos: int, megapixels: float, num_repeats: int, model_dir: str) -> Call:
    """Calls `colorize` for a folder.

    Raises:
      CommandError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder, "photos"), num_photos=num_photos, megapixels=megapixels)
        command = [sys.executable, "-m", "colorization.colorize", f"{folder}/photos", f"--output_dir={folder}/out"]
        runs = []
        for _ in range(num_repeats):
            runs.append(process_tree.run([*command, f"--model_dir={model_dir}", "--overwrite"], cwd=ROOT))
            if runs[-1].exit_status:
                raise cli.CommandError(f"{num_photos} photos of {megapixels:g} megapixels: {runs[-1].stderr.strip()}")
    seconds, peaks = [run.seconds for run in runs], [run.peak_bytes for run in runs]
    return Call(num_photos, megapixels, statistics.median(seconds), int(statistics.median(peaks)))


def measure_batch(batch_size: int, model_dir: str) -> dict[str, Any]:
    """The network alone: milliseconds of a batch, and most memory of this process."""
    import tensorflow as tf

    from colorization.inference import version_files

    model = tf.saved_model.load(str(version_files.find_version_dir(model_dir)))
    l = tf.constant(np.random.default_rng(0).uniform(-1, 1, (batch_size, _SQUARE, _SQUARE, 1)).astype(np.float32))
    seconds = []
    for _ in range(_NUM_WARM_UPS + _NUM_CALLS):
        start = time.perf_counter()
        model.signatures["predict_ab"](l=l)["ab"].numpy()
        seconds.append(time.perf_counter() - start)
    milliseconds = 1000.0 * statistics.median(seconds[_NUM_WARM_UPS:])
    return {"batch_size": batch_size, "ms": milliseconds, "peak_bytes": process_tree.read_own_peak_bytes()}


def print_cost(cost: Cost, calls: Sequence[Call]) -> None:
    """Prints the model, how well it fits, and what it says of archives."""
    errors = [abs(cost.predict(call.num_photos, call.megapixels) / call.seconds - 1.0) for call in calls]
    print(
        f"\nseconds = {cost.start:.1f} + photos x ({cost.photo:.4f} + {cost.megapixel:.4f} x megapixels); "
        f"off by {100 * statistics.median(errors):.0f} % in the median, {100 * max(errors):.0f} % at most"
    )
    print("\n| hours, extrapolated, for photos of | 0.3 MP | 3 MP | 12 MP | 24 MP |\n|---:|---:|---:|---:|---:|")
    for num_photos in (10**5, 10**6, 10**7):
        hours = [f"{cost.predict(num_photos, megapixels) / 3600:,.0f}" for megapixels in (0.3, 3, 12, 24)]
        print(f"| {num_photos:,} | {' | '.join(hours)} |")
