"""Every runtime side by side: time, memory, and how far its pictures are from those of the SavedModel.

    python -m benchmarks.runtimes [--data_dir=examples] [--num_photos=4] [--num_calls=7]

It needs requirements-convert.txt. The shipped model is converted for each runtime first (--converted_dir keeps that for
the next time), then every runtime colorizes the same photos at each size of --sizes, in a process of its own:

* latency: `Colorizer.colorize` of one photo, median of --num_calls after 2 unmeasured ones;
* throughput: photos per second of two threads that call it at the same time, for as many photos;
* peak memory of that process, from its start; with the SavedModel that includes TensorFlow;
* the largest and the mean difference, in levels of 255, and PSNR lost against the SavedModel. PSNR is measured against
  the photos; for grey ones, such as the examples, it is estimated (`conversion_report.py`);
* whole process: `python -m colorization.colorize` of one photo of 256 px, from start to end, median of --num_processes.

Photos are cut to squares. int8, which takes no noise and no hints, is the flavour `chroma`, the others `steer`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags
from PIL import Image, ImageOps

from benchmarks import process_tree
from colorization import image_io
from colorization.evaluation import photos

_DATA_DIR = flags.DEFINE_string("data_dir", "examples", "Folder of photos, nested folders too.")
_NUM_PHOTOS = flags.DEFINE_integer("num_photos", 4, "Photos, taken evenly over the sorted list.", 1)
_SIZES = flags.DEFINE_list("photo_sizes", ["256", "512", "1024"], "Sides of the square photos, in px.")
_NUM_CALLS = flags.DEFINE_integer("num_calls", 7, "Measured calls for each size.", 1)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", 5, "Whole processes for each runtime.", 1)
_CONVERTED_DIR = flags.DEFINE_string(
    "converted_dir", None, "Folder for the converted models, used again if it has them."
)
_WORKER = flags.DEFINE_string("worker", None, "For the processes that this starts: JSON of what to measure.")

# Name, runtime, and --format, --flavour, --quantization of `convert`.
_CASES = {
    "TensorFlow SavedModel": ("tensorflow", None),
    "LiteRT float32": ("litert", ("tflite", "steer", "float32")),
    "LiteRT float16": ("litert", ("tflite", "steer", "float16")),
    "LiteRT dynamic": ("litert", ("tflite", "steer", "dynamic")),
    "LiteRT int8": ("litert", ("tflite", "chroma", "int8")),
    "ONNX Runtime float32": ("onnx", ("onnx", "steer", "float32")),
    "OpenVINO float32": ("openvino", ("openvino", "steer", "float32")),
}
_SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "openvino": ".xml"}
_NUM_WARM_UPS = 2
_ASSUMED_PSNR = 24.0  # dB, of the SavedModel's picture of a photo that is grey


def convert(folder: Path, format_name: str, flavour: str, quantization: str) -> Path:
    """Converts the shipped model unless that is done; returns the file."""
    path = folder / f"colorizer_{flavour}_{quantization}_any{_SUFFIXES[format_name]}"
    if not path.exists():
        options = [f"--format={format_name}", f"--flavour={flavour}", f"--quantization={quantization}"]
        command = [sys.executable, "-m", "colorization.convert", *options, "--image_size=any"]
        subprocess.run([*command, f"--output_dir={folder}"], check=True, stdout=subprocess.DEVNULL)
    return path


def write_photos(folder: Path, data_dir: Path, sizes: Sequence[int], *, num_photos: int) -> None:
    """Writes squares of photos from `data_dir` as SIZE/NUMBER.png."""
    files = photos.list_evaluation_photos(data_dir, max_photos=num_photos)
    for size in sizes:
        (folder / str(size)).mkdir()
        for number, file in enumerate(files):
            square = ImageOps.fit(Image.fromarray(image_io.read_rgb(file)), (size, size))
            square.save(folder / str(size) / f"{number}.png")


def measure(photos_dir: Path, output_dir: Path, runtime: str, model: str | None) -> dict[str, float]:
    """Colorizes all photos of a folder, writes the results, and measures; runs in a process of its own."""
    from colorization import Colorizer, cli

    if runtime == "tensorflow":
        cli.start_tensorflow("cpu")
    images = [image_io.read_rgb(path) for path in sorted(photos_dir.iterdir())]
    colorizer = Colorizer.load(model, runtime=runtime)
    output_dir.mkdir(parents=True)
    for number, photo in enumerate(images):
        Image.fromarray(colorizer.colorize(photo)).save(output_dir / f"{number}.png")
    seconds = []
    for index in range(_NUM_WARM_UPS + _NUM_CALLS.value):
        start = time.perf_counter()
        colorizer.colorize(images[index % len(images)])
        seconds.append(time.perf_counter() - start)
    with futures.ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        num_photos = len(list(pool.map(colorizer.colorize, [*images, *images])))
        throughput = num_photos / (time.perf_counter() - start)
    return {
        "latency_ms": 1000.0 * statistics.median(seconds[_NUM_WARM_UPS:]),
        "throughput": throughput,
        "peak_mib": process_tree.read_own_peak_bytes() / 2**20,
    }


def run_worker(**task: Any) -> dict[str, float]:
    """Runs `measure` in another process."""
    flags_given = [f"--num_calls={_NUM_CALLS.value}", f"--worker={json.dumps(task)}"]
    command = [sys.executable, "-m", "benchmarks.runtimes", *flags_given]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_process(photo: Path, output_dir: Path, runtime: str, model: Path | None) -> float:
    """Median seconds of the whole command."""
    command = [sys.executable, "-m", "colorization.colorize", str(photo), "--overwrite", f"--output_dir={output_dir}"]
    command += [f"--runtime={runtime}", *([f"--model_dir={model}"] if model else [])]
    seconds = []
    for _ in range(_NUM_PROCESSES.value):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def compare(photos_dir: Path, result_dir: Path, expected_dir: Path) -> tuple[int, float, float]:
    """Largest and mean difference in levels, and PSNR lost in dB, over all photos."""
    largest, means, losses = 0, [], []
    for path in sorted(photos_dir.iterdir()):
        photo, result, expected = (
            np.asarray(Image.open(folder / path.name)).astype(np.float64)
            for folder in (photos_dir, result_dir, expected_dir)
        )
        difference = np.abs(result - expected)
        largest, means = max(largest, int(difference.max())), [*means, difference.mean()]
        error, changed_error = np.mean((expected - photo) ** 2), np.mean((result - photo) ** 2)
        if image_io.is_grey(photo.astype(np.uint8)):
            error = 255.0**2 / 10.0 ** (_ASSUMED_PSNR / 10.0)
            changed_error = error + np.mean(difference**2)
        losses.append(10.0 * np.log10(changed_error / error))
    return largest, float(np.mean(means)), float(np.mean(losses))


def main(argv: list[str]) -> None:
    """Prints the table, or, as a worker, a line of JSON."""
    del argv
    if _WORKER.value:
        task = json.loads(_WORKER.value)
        print(json.dumps(measure(Path(task["photos"]), Path(task["output"]), task["runtime"], task["model"])))
        return
    sizes = [int(size) for size in _SIZES.value]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        converted_dir = Path(_CONVERTED_DIR.value or root / "converted")
        models = {case: convert(converted_dir, *made) if made else None for case, (_, made) in _CASES.items()}
        write_photos(root, Path(_DATA_DIR.value), sizes, num_photos=_NUM_PHOTOS.value)
        print(
            "| runtime | whole process, s | size, px | latency, ms | photos/s | peak, MiB | max, mean | PSNR lost, dB |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for case, (runtime, _) in _CASES.items():
            model = models[case]
            seconds = time_process(root / str(sizes[0]) / "0.png", root / "command", runtime, model)
            for size in sizes:
                photos_dir, output_dir = root / str(size), root / "results" / case / str(size)
                task = {"photos": str(photos_dir), "output": str(output_dir), "runtime": runtime}
                row = run_worker(**task, model=None if model is None else str(model))
                expected_dir = root / "results" / next(iter(_CASES)) / str(size)
                largest, mean, loss = compare(photos_dir, output_dir, expected_dir)
                first = f"{case} | {seconds:.2f}" if size == sizes[0] else " | "
                print(
                    f"| {first} | {size} | {row['latency_ms']:.0f} | {row['throughput']:.1f} | {row['peak_mib']:.0f} "
                    f"| {largest}, {mean:.4f} | {loss:.4f} |",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
