"""What colorizing costs: time and memory against number of photos, their size, and the network's batch size.

    python -m benchmarks.scaling [--num_photos=100,1000,10000] [--megapixels=0.3,1,3,6,12,24] [--batch_sizes=1,4,16,64]
        [--plot=docs/images/scaling.png]

* Number: one call of `colorize` for a folder of so many photos of 0.3 megapixels.
* Size: one call for --num_photos_per_size photos of each size; the median of --num_repeats calls.
* Batch: the network alone, the SavedModel's `predict_ab` on squares of 160 px, the model's work size; the median of 7
  calls after 2 unmeasured ones, in a process of its own for each batch size.

The photos are the examples, shrunk or enlarged, as grey JPEGs; links to the same file stand for many. Memory is that of
all processes together. From the calls follows, by least squares of relative errors,

    seconds = start + photos x (a + b x megapixels)

and from that what is printed for archives of up to ten million photos: extrapolated, not measured. Needs Linux and,
for 10,000 photos, 2 GB of disk in the folder for temporary files.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import scaling_cost
from colorization import cli

_NUM_PHOTOS = flags.DEFINE_list("num_photos", ["100", "1000", "10000"], "Numbers of photos.")
_MEGAPIXELS = flags.DEFINE_list("megapixels", ["0.3", "1", "3", "6", "12", "24"], "Millions of pixels of a photo.")
_NUM_PER_SIZE = flags.DEFINE_integer("num_photos_per_size", 16, "Photos of each size in one call.", 1)
_NUM_REPEATS = flags.DEFINE_integer("num_repeats", 3, "Calls for each size.", 1)
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["1", "4", "16", "64"], "Squares that go into the network at a time.")
_MODEL_DIR = flags.DEFINE_string("model_dir", "saved_models/colorizer", "Model to measure.")
_PLOT = flags.DEFINE_string("plot", None, "PNG file to draw.")
_WORKER = flags.DEFINE_string("worker", None, "For the processes that this starts: JSON of what to measure.")

ROOT = Path(__file__).parents[1]
_SMALL = 0.3  # megapixels, of the photos that are counted


def _measure_batch_apart(batch_size: int, model_dir: str) -> dict[str, Any]:
    worker = json.dumps({"batch_size": batch_size, "model_dir": model_dir})
    command = [sys.executable, "-m", "benchmarks.scaling", f"--worker={worker}"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main(argv: list[str]) -> int:
    """Prints the tables and draws the plot; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    if _WORKER.value:
        cli.start_tensorflow("cpu")
        print(json.dumps(scaling_cost.measure_batch(**json.loads(_WORKER.value))))
        return 0
    try:
        counts, batch_sizes = [int(text) for text in _NUM_PHOTOS.value], [int(text) for text in _BATCH_SIZES.value]
        plans = [(count, _SMALL, 1) for count in counts]
        plans += [(_NUM_PER_SIZE.value, float(text), _NUM_REPEATS.value) for text in _MEGAPIXELS.value]
    except ValueError as error:
        raise cli.UsageError(f"a list of numbers is none: {error}") from error
    print("| photos | megapixels | seconds | photos/s | peak memory, GB |\n|---:|---:|---:|---:|---:|")
    calls = []
    for num_photos, megapixels, num_repeats in plans:
        call = scaling_cost.measure_call(
            num_photos=num_photos, megapixels=megapixels, num_repeats=num_repeats, model_dir=_MODEL_DIR.value
        )
        calls.append(call)
        speed, peak = call.num_photos / call.seconds, call.peak_bytes / 1e9
        print(f"| {num_photos} | {megapixels:g} | {call.seconds:.1f} | {speed:.2f} | {peak:.2f} |", flush=True)
    cost = scaling_cost.fit_cost(calls)
    scaling_cost.print_cost(cost, calls)
    print("\n| batch size | ms a batch | ms a photo | peak memory, GB |\n|---:|---:|---:|---:|")
    batches = []
    for batch_size in batch_sizes:
        batches.append(_measure_batch_apart(batch_size, _MODEL_DIR.value))
        ms, peak = batches[-1]["ms"], batches[-1]["peak_bytes"] / 1e9
        print(f"| {batch_size} | {ms:.0f} | {ms / batch_size:.1f} | {peak:.2f} |", flush=True)
    if _PLOT.value:
        from benchmarks import scaling_plot

        scaling_plot.draw(Path(_PLOT.value), calls, cost, batches)
    return 0


if __name__ == "__main__":
    cli.run(main)
