"""Time and memory of the colorize command: a folder of 100 photos of 512 px, and one photo of 24 megapixels.

    python -m benchmarks.colorize_speed [--model_dir=saved_models/colorizer]

Each case runs as a process of its own, as a user would start it; TensorFlow's start-up is measured with one tiny photo
and told apart. Every number is a median over --num_repeats runs.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

_MODEL_DIR = flags.DEFINE_string("model_dir", "saved_models/colorizer", "Model to measure.")
_NUM_REPEATS = flags.DEFINE_integer("num_repeats", 3, "Runs of each case.", 1)


def write_photo(path: Path, width: int, height: int, seed: int) -> None:
    """Writes a grey JPEG with structure at every scale."""
    rng = np.random.default_rng(seed)
    scales = [
        Image.fromarray(rng.integers(0, 256, (2**k, 2**k), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        for k in (2, 4, 6, 8)
    ]
    mean = np.mean([np.asarray(scale, np.float32) for scale in scales], axis=0)
    Image.fromarray(mean.astype(np.uint8)).save(path, quality=90)


def colorize(photos: Path, output_dir: Path) -> float:
    """Seconds that the command takes, from its start to its end."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "colorization.colorize", str(photos)]
    subprocess.run(
        [*command, f"--output_dir={output_dir}", f"--model_dir={_MODEL_DIR.value}", "--overwrite"], check=True
    )
    return time.perf_counter() - start


def main(argv: list[str]) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        cases = {"start": [(64, 64)], "folder": [(512, 512)] * 100, "large": [(6000, 4000)]}
        medians, peaks = {}, {}
        for case, sizes in cases.items():
            (root / case).mkdir()
            for index, (width, height) in enumerate(sizes):
                write_photo(root / case / f"{index}.jpg", width, height, index)
            medians[case] = statistics.median(colorize(root / case, root / "out") for _ in range(_NUM_REPEATS.value))
            # The largest child so far; cases come in the order of their memory.
            peaks[case] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        start = medians["start"]
        print(f"one photo of 64 px: {start:.2f} s, mostly TensorFlow's start; {peaks['start']:.2f} GiB")
        print(
            f"100 photos of 512 px: {medians['folder']:.1f} s, {(medians['folder'] - start) / 100:.3f} s a photo after "
            f"the start ({100 / (medians['folder'] - start):.1f} images/s); {peaks['folder']:.2f} GiB"
        )
        print(
            f"one photo of 24 megapixels: {medians['large']:.2f} s in all, {medians['large'] - start:.2f} s after the "
            f"start; {peaks['large']:.2f} GiB"
        )


if __name__ == "__main__":
    app.run(main)
