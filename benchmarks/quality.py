"""How good the colours are: automatic, with noise, hints and references, and on old photos; a number for each demand.

    python -m benchmarks.quality --data_dir=PHOTOS [--model_dir=saved_models/colorizer] [--output=out/quality.json]

Takes a folder of colour photos that the model has not seen. Each photo's centre square is resized to 256x256 and its
lightness alone is given to the model, as `python -m colorization.evaluate` does. `quality_measures.py` says how each
number is made. About 2 s a photo on 2 CPU cores; --num_photos=40 gives a first idea. The blotches need scikit-image, of
requirements-dev.txt.

Exit status: 0 all photos measured; 1 some could not be read (named; the others are measured); 2 the call is wrong.
"""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    import numpy as np

    from benchmarks import quality_measures
    from colorization import Colorizer

_PARTS = ("automatic", "blotches", "noise", "hints", "reference", "old")
_NEEDED_SIGNATURES = {"hints": "steer_ab", "reference": "encode_z"}  # models exported before there were hints lack them

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, nested folders too.", required=True)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one.",
)
_NUM_PHOTOS = flags.DEFINE_integer(
    "num_photos", 0, "Use at most this many photos, taken evenly over the sorted list; 0 for all.", 0
)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the numbers; default: none is written.")
_PARTS_FLAG = flags.DEFINE_list("parts", list(_PARTS), f"What to measure, of {', '.join(_PARTS)}.")
_SATURATION = flags.DEFINE_list("saturation", ["1.0"], "Factors for chroma, at least 0, for the automatic colours.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 8, "Samples of each photo.", 2, 100)
_DEVICE = flags.DEFINE_string("device", "auto", "'auto' (a GPU if there is one), 'cpu' or 'gpu:N' with N from 0.")

_FLAGS = (_DATA_DIR, _MODEL_DIR, _NUM_PHOTOS, _OUTPUT, _PARTS_FLAG, _SATURATION, _NUM_SAMPLES, _DEVICE)


def main(argv: list[str]) -> int:
    """Measures, prints and writes; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the folder goes into --data_dir")
    unknown = sorted(set(_PARTS_FLAG.value) - set(_PARTS))
    if unknown:
        raise cli.UsageError(f"--parts: {unknown[0]} is none of {', '.join(_PARTS)}")
    if "blotches" in _PARTS_FLAG.value and importlib.util.find_spec("skimage") is None:
        raise cli.UsageError("--parts: blotches need scikit-image, which requirements-dev.txt installs")
    saturations = _parse_saturations(_SATURATION.value)
    from colorization.evaluation import photos as evaluation_photos

    data_dir = Path(_DATA_DIR.value)
    try:
        files = evaluation_photos.list_evaluation_photos(data_dir, max_photos=_NUM_PHOTOS.value)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error

    cli.start_tensorflow(_DEVICE.value)
    from colorization import Colorizer

    try:
        colorizer = Colorizer.load(_MODEL_DIR.value)
        if _OUTPUT.value:
            Path(_OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    squares, broken = _read_squares(files, data_dir)
    for line in broken:
        print(line, file=sys.stderr)
    if not squares:
        raise cli.CommandError(f"{data_dir}: none of the {len(files)} photos can be read")
    from benchmarks import quality_hints

    if not any(quality_hints.has_color(square) for square in squares.values()):
        raise cli.CommandError(f"{data_dir}: none of the photos has colour, so there is nothing to compare with")
    print(f"{len(squares)} photos of {data_dir}, model {colorizer.model_dir}", flush=True)
    numbers = _measure(colorizer, squares, saturations)
    if _OUTPUT.value:
        _write(Path(_OUTPUT.value), colorizer, squares, numbers | {"broken": broken})
    return 1 if broken else 0


def _measure(colorizer: "Colorizer", squares: "dict[str, np.ndarray]", saturations: list[float]) -> dict[str, Any]:
    """Measures the parts that are asked for and that the model can do, and prints each as soon as it is done."""
    from benchmarks import quality_hints, quality_measures, quality_text

    photos = quality_measures.take_photos(colorizer, list(squares), list(squares.values()))
    measures = {
        "automatic": lambda: quality_measures.measure_automatic(colorizer, photos, saturations),
        "blotches": lambda: _measure_blotches(photos),
        "noise": lambda: quality_measures.measure_noise(colorizer, photos, _NUM_SAMPLES.value),
        "hints": lambda: quality_hints.measure_hints(colorizer, photos),
        "reference": lambda: quality_hints.measure_reference(colorizer, photos),
        "old": lambda: quality_measures.measure_old_photos(colorizer, photos),
    }
    signatures = quality_measures.read_signatures(colorizer)
    numbers = {}
    for part in [part for part in _PARTS if part in _PARTS_FLAG.value]:
        if _NEEDED_SIGNATURES.get(part, "predict_ab") not in signatures:
            print(f"\n{part}: this model takes none", flush=True)
            continue
        numbers[part] = measures[part]()
        print(f"\n{quality_text.FORMATS[part](numbers[part])}", flush=True)
    return numbers


def _measure_blotches(photos: "quality_measures.Photos") -> dict[str, Any]:
    from benchmarks import quality_blotches  # with scikit-image, which only they need

    return quality_blotches.measure_blotches(photos)


def _write(path: Path, colorizer: "Colorizer", squares: "dict[str, np.ndarray]", numbers: dict[str, Any]) -> None:
    """Writes the numbers and where they come from."""
    from colorization.evaluation import protocol, report

    content = {
        "protocol": protocol.PROTOCOL,
        "num_photos": len(squares),
        **numbers,
        "file_list_sha256": report.hash_names(squares),
        "model": {"dir": str(colorizer.model_dir), "sha256": report.hash_model(Path(colorizer.model_dir))},
        "flags": {holder.name: holder.value for holder in _FLAGS},
        "versions": report.installed_versions(),
    }
    report.write_metrics_json(path, content)
    print(f"\nwrote {path}")


def _parse_saturations(values: list[str]) -> list[float]:
    try:
        saturations = [float(value) for value in values]
    except ValueError:
        saturations = []
    if not saturations or not all(0.0 <= saturation < 100.0 for saturation in saturations):
        raise cli.UsageError(
            f"--saturation={','.join(values)}: must be numbers from 0 to 100, with commas between them"
        )
    return saturations


def _read_squares(files: list[Path], data_dir: Path) -> "tuple[dict[str, np.ndarray], list[str]]":
    """The centre squares by name, and a line for each file that cannot be read."""
    from colorization import image_io
    from colorization.evaluation import photos

    squares, broken = {}, []
    for file in files:
        try:
            squares[photos.relative_name(file, data_dir)] = photos.read_square(file)
        except image_io.ImageError as error:
            broken.append(str(error))
    return squares, broken


if __name__ == "__main__":
    cli.run(main)
