"""Converts a model to TensorFlow Lite for phones and browsers, and measures what that costs.

  python -m colorization.convert --output_dir=out/lite --quantization=float16
  python -m colorization.convert --output_dir=out/lite --quantization=int8 --calibration_dir=my_colour_photos

Writes colorizer_FLAVOUR_QUANTIZATION_SIZE.tflite, with a description of its tensors inside, and beside it a .json with
the numbers of the report. Both appear only if the result is close enough to the SavedModel's: PSNR within 0.05 dB for
float32 and float16, 0.2 dB for dynamic, 0.5 dB for int8, whose file must not exceed 8 MB.

It needs what requirements-litert.txt lists.

Exit status: 0 converted; 1 the conversion failed or is outside its limits, and nothing is written, or a photo could not
be read (it is named, the rest is done); 2 the call is wrong.
"""

import dataclasses
import importlib.util
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    import numpy as np

    from colorization.inference import tflite

_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one.",
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the result, made if missing.", required=True)
_QUANTIZATION = flags.DEFINE_enum(
    "quantization",
    None,
    ["float32", "float16", "dynamic", "int8"],
    "float32: as trained. float16: half the size. dynamic: a quarter, and faster. int8: a quarter, and fastest.",
    required=True,
)
_FLAVOUR = flags.DEFINE_enum(
    "flavour",
    "rgb",
    ["rgb", "chroma"],
    "rgb: uint8 RGB in and out. chroma: lightness in, chroma out, both float32, to join at the photo's full size.",
)
_IMAGE_SIZE = flags.DEFINE_string(
    "image_size",
    None,
    "Size in pixels of the pictures that it takes: 256, 192x256 (height x width), or 'any' for an input that can be "
    "resized, which browsers can't; default: 256 for rgb, the model's work size for chroma.",
)
_CALIBRATION_DIR = flags.DEFINE_string(
    "calibration_dir",
    None,
    "Folder of photos like those to come, nested folders too, which set the ranges for int8; default: the example "
    "photos and pieces of them.",
)
_VAL_DIR = flags.DEFINE_string(
    "val_dir",
    None,
    "Folder of colour photos, nested folders too, for the report; default: the example photos, which are grey, so that "
    "the loss of PSNR is estimated.",
)
_MAX_CALIBRATION_PHOTOS = flags.DEFINE_integer(
    "max_calibration_photos", 100, "Use at most this many photos, taken evenly over the sorted list.", lower_bound=1
)
_MAX_VAL_PHOTOS = flags.DEFINE_integer(
    "max_val_photos", 100, "Use at most this many photos, taken evenly over the sorted list.", lower_bound=1
)

_EXAMPLES_DIR = Path(__file__).parents[1] / "examples"
_MAX_SIDE = 2048  # px
_MAX_SHORT_SIDE = 1024  # px, of photos held in memory
_MIN_NUM_CALIBRATION = 32  # below, pieces of the photos are added


def main(argv: list[str]) -> int:
    """Converts, compares and writes; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the model goes into --model_dir")
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise cli.UsageError("LiteRT is not installed: pip install -r requirements-litert.txt")
    image_size = _parse_image_size(_IMAGE_SIZE.value)
    flavour, quantization, output_dir = _FLAVOUR.value, _QUANTIZATION.value, Path(_OUTPUT_DIR.value)
    if _CALIBRATION_DIR.value is not None and quantization != "int8":
        raise cli.UsageError("--calibration_dir is for --quantization=int8; the others need no photos")
    broken: list[str] = []
    val_photos = _read_photos("val_dir", _MAX_VAL_PHOTOS.value, broken)
    calibration_photos: list[np.ndarray] = []
    if quantization == "int8":
        calibration_photos = _read_photos("calibration_dir", _MAX_CALIBRATION_PHOTOS.value, broken)
    for line in broken:
        print(line, file=sys.stderr)

    cli.start_tensorflow("cpu")
    from colorization.inference import colorizer, tflite, tflite_report

    try:
        source = tflite.SourceModel(colorizer.find_version_dir(_MODEL_DIR.value))
        output_dir.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    if image_size == ():
        image_size = tflite.default_size(source, flavour)
    size = "any" if image_size is None else "x".join(map(str, image_size))
    path = output_dir / f"colorizer_{flavour}_{quantization}_{size}.tflite"
    try:
        with cli.stderr_set_aside():
            content, info = _convert(source, flavour, quantization, image_size, calibration_photos)
            report = tflite_report.compare(content, source, val_photos, flavour=flavour, image_size=image_size)
    except (ValueError, RuntimeError) as error:  # the latter from LiteRT
        raise cli.CommandError(f"{path}: not written: {str(error).strip().splitlines()[0]}") from error
    print(tflite_report.format_report(report))
    if violations := tflite_report.find_violations(report, quantization):
        raise cli.CommandError(f"{path}: not written: {'; '.join(violations)}")
    _write(path, content, info | {"report": dataclasses.asdict(report) | {"psnr_lost": report.psnr_lost}})
    print(f"wrote {path}")
    return 1 if broken else 0


def _convert(
    source: "tflite.SourceModel",
    flavour: str,
    quantization: str,
    image_size: tuple[int, int] | None,
    calibration_photos: list["np.ndarray"],
) -> tuple[bytes, dict[str, Any]]:
    """The file's content, metadata inside, and that metadata."""
    from colorization.inference import tflite, tflite_metadata, tflite_report

    calibration_size = tflite_report.comparison_size(flavour, image_size or tflite.default_size(source, flavour))
    pieces = _cut_pieces(calibration_photos, at_least=_MIN_NUM_CALIBRATION)
    content = tflite.convert(
        source,
        flavour=flavour,
        quantization=quantization,
        image_size=image_size,
        calibration_photos=[tflite_report.fit_photo(piece, calibration_size) for piece in pieces],
    )
    info = tflite_metadata.make_info(
        flavour=flavour,
        quantization=quantization,
        image_size=image_size,
        work_size=source.work_size,
        source=_describe_source(source.version_dir),
    )
    return tflite_metadata.add_info(content, info), info


def _parse_image_size(text: str | None) -> tuple[int, int] | tuple[()] | None:
    """Height and width, () for the default, None for any."""
    if text is None:
        return ()
    if text == "any":
        return None
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text, flags=re.ASCII)
    size = match and (int(match[1]), int(match[2] or match[1]))
    if not size or not all(1 <= side <= _MAX_SIDE for side in size):
        raise cli.UsageError(f"--image_size={text}: give 'any', a number or HEIGHTxWIDTH, each 1 to {_MAX_SIDE}")
    return size


def _read_photos(flag: str, max_photos: int, broken: list[str]) -> list["np.ndarray"]:
    """Reads the photos in a flag's folder, or the example photos: rgb uint8 (H, W, 3).

    Adds a line to `broken` for each one that can't be read.

    Raises:
      cli.UsageError: there is no folder, or no photo in it.
    """
    from colorization import image_io
    from colorization.evaluation import photos

    value = flags.FLAGS[flag].value
    if value is None and not _EXAMPLES_DIR.is_dir():
        raise cli.UsageError(f"--{flag} is needed: the example photos are not installed")
    try:
        files = photos.list_evaluation_photos(Path(value or _EXAMPLES_DIR), max_photos=max_photos)
    except (ValueError, OSError) as error:
        raise cli.UsageError(f"--{flag}: {error}") from error
    rgbs = []
    for file in files:
        try:
            rgbs.append(image_io.read_rgb(file, max_short_side=_MAX_SHORT_SIDE))
        except image_io.ImageError as error:
            broken.append(str(error))
    if not rgbs:
        raise cli.UsageError(f"--{flag}: {broken[-1]}: and no other photo there can be read")
    return rgbs


def _cut_pieces(photos: list["np.ndarray"], *, at_least: int) -> Iterator["np.ndarray"]:
    """The photos, and if they are fewer than `at_least`, their quarters, too: other contents, at another scale."""
    yield from photos
    if len(photos) >= at_least:
        return
    for photo in photos:
        height, width = (max(side // 2, 1) for side in photo.shape[:2])
        for top in (0, photo.shape[0] - height):
            for left in (0, photo.shape[1] - width):
                yield photo[top : top + height, left : left + width]


def _describe_source(version_dir: Path) -> str:
    from colorization.evaluation import report

    folder = version_dir.resolve()
    return f"{folder.parent.name}/{folder.name}, SHA-256 {report.hash_model(version_dir)}"


def _write(path: Path, content: bytes, numbers: Mapping[str, Any]) -> None:
    """Writes the model and, beside it, the numbers; each appears under its name only when it is complete."""
    from colorization.evaluation import report

    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        report.write_metrics_json(temporary, dict(numbers))
        os.replace(temporary, path.with_suffix(".json"))
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cli.CommandError(f"{path}: {error.strerror}") from error


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
