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
    from benchmarks import quality_hints, quality_measures

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
        print(f"\n{_FORMATS[part](numbers[part])}", flush=True)
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


def format_automatic(table: list[dict[str, float]]) -> str:
    """The automatic colours, a line for each saturation."""
    lines = [
        "automatic       PSNR, dB   grey   gain   colorfulness  originals  difference   CIEDE2000   grey   below grey"
    ]
    lines += [
        f"saturation {row['saturation']:<4g} {row['psnr']:8.2f} {row['grey_psnr']:6.2f} {row['psnr_gain']:+6.2f}"
        f" {row['colorfulness']:14.1f} {row['original_colorfulness']:10.1f} {row['colorfulness_delta']:11.1f}"
        f" {row['ciede2000']:11.2f} {row['grey_ciede2000']:6.2f} {row['ciede2000_percent_below_grey']:10.1f} %"
        for row in table
    ]
    return "\n".join(lines)


def format_blotches(numbers: dict[str, Any]) -> str:
    """The blotches, in a sentence."""
    largest = [f"{name} ({area:.0%})" for name, area in list(numbers["area"].items())[:3]]
    line = f"blotches: {numbers['share']:.1%} of the photos have a red one"
    return line + (f", the largest {', '.join(largest)}" if largest else "")


def format_noise(numbers: dict[str, float]) -> str:
    """The noise, in sentences."""
    return (
        f"noise: {numbers['num_samples']} samples lie {numbers['distance_mean']:.2f} CIE ab units apart on average "
        f"(median {numbers['distance_median']:.2f}; at least 8 for {numbers['plain_share']:.0%} of the photos)\n"
        f"the best of them is {numbers['best_psnr_gain']:+.2f} dB from the automatic colours, all on average "
        f"{numbers['mean_psnr_gain']:+.2f} dB"
    )


def format_hints(numbers: dict[str, Any]) -> str:
    """The hints, in sentences and a line of rings."""
    gains = ", ".join(f"{num}: {gain:+.2f}" for num, gain in numbers["psnr_gain"].items())
    lines = [f"hints: PSNR gain over the automatic colours, dB, by number of true points: {gains}"]
    for name in ("true", "wrong"):
        error = numbers[f"{name}_error"]
        lines.append(
            f"{name} colour asked for, {error['asked']:.1f} CIE ab units from the automatic one, missed by "
            f"{error['mean']:.1f} (median {error['median']:.1f}, 90th percentile {error['p90']:.1f})"
        )
    reach = numbers["reach"]
    rings = ", ".join(f"{ring} px: {_show(change)}" for ring, change in reach["rings"].items())
    lines.append(f"change by one wrong hint, CIE ab units, by distance from it: {rings}")
    lines.append(
        f"8 to 64 px from it: {_show(reach['same_surface'])} where the true colour is that of the hinted spot, "
        f"{_show(reach['other_surface'])} elsewhere"
    )
    return "\n".join(lines)


def format_reference(numbers: dict[str, float]) -> str:
    """The references, in sentences."""
    return "\n".join(
        f"reference, {name}: {numbers[f'{key}_psnr_gain']:+.2f} dB from the automatic colours, which move by "
        f"{numbers[f'{key}_distance']:.1f} CIE ab units"
        for key, name in (("own", "the photo's own colours"), ("other", "another photo"))
    )


def _show(change: float | None) -> str:
    return "-" if change is None else f"{change:.1f}"


def format_old(numbers: dict[str, Any]) -> str:
    """Old photos, a line for each kind of damage and one for all."""
    lines = ["old photos     photos  clean, dB  degraded, dB  loss, dB  gain over grey, dB"]
    lines += [
        f"{name:14} {row['num_photos']:6} {row['clean_psnr']:10.2f} {row['psnr']:13.2f} {row['loss']:9.2f} "
        f"{row['psnr_gain']:+19.2f}"
        for name, row in [*numbers["kinds"].items(), ("all", numbers["overall"])]
    ]
    return "\n".join(lines)


_FORMATS = {
    "automatic": format_automatic,
    "blotches": format_blotches,
    "noise": format_noise,
    "hints": format_hints,
    "reference": format_reference,
    "old": format_old,
}

if __name__ == "__main__":
    cli.run(main)
