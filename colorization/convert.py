"""Converts a model to TensorFlow Lite for phones and browsers, ONNX or OpenVINO, and measures what that costs.

  python -m colorization.convert --output_dir=out/lite --quantization=float16
  python -m colorization.convert --output_dir=out/lite --quantization=int8 --calibration_dir=my_colour_photos
  python -m colorization.convert --output_dir=out/onnx --quantization=float32 --format=onnx --flavour=steer

Writes colorizer_FLAVOUR_QUANTIZATION_SIZE with the suffix .tflite, .onnx, or .xml and .bin, and beside it a .json with
the description of its tensors and the numbers of the report, and checksums. All appear only if the result is close
enough to the SavedModel's: PSNR within 0.05 dB for float32 and float16, 0.2 dB for dynamic, 0.5 dB for int8, whose file
must not exceed 8 MB.

For TensorFlow Lite it needs what requirements-litert.txt lists, for all formats requirements-convert.txt.

Exit status: 0 converted; 1 the conversion failed or is outside its limits, and nothing is written, or a photo could not
be read (it is named, the rest is done); 2 the call is wrong.
"""

import dataclasses
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from colorization import cli, unfinished

if TYPE_CHECKING:
    import numpy as np

    from colorization.inference.conversion import SourceModel

_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one.",
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the result, made if missing.", required=True)
_FORMAT = flags.DEFINE_enum(
    "format",
    "tflite",
    ["tflite", "onnx", "openvino"],
    "tflite: TensorFlow Lite, for LiteRT. onnx: for ONNX Runtime and others. openvino: for Intel's runtime.",
)
_QUANTIZATION = flags.DEFINE_enum(
    "quantization",
    None,
    ["float32", "float16", "dynamic", "int8"],
    "float32: as trained. float16: half the size. dynamic: a quarter, and faster. int8: a quarter, and fastest. The "
    "last two only for tflite.",
    required=True,
)
_FLAVOUR = flags.DEFINE_enum(
    "flavour",
    "rgb",
    ["rgb", "chroma", "steer"],
    "rgb: uint8 RGB in and out. chroma: lightness in, chroma out, both float32, to join at the photo's full size. "
    "steer: the same with noise and hints, not as int8; what `colorize --runtime` takes.",
)
_IMAGE_SIZE = flags.DEFINE_string(
    "image_size",
    None,
    "Size in pixels of the pictures that it takes: 256, 192x256 (height x width), or 'any' for an input that can be "
    "resized, which browsers can't, nor OpenVINO with rgb; default: 256 for rgb and the model's work size for chroma "
    "if that is so or the format is tflite, else any.",
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
_ANY_SIZE = {("onnx", "rgb"), ("onnx", "chroma"), ("openvino", "chroma")}  # if no size is asked for
_RUNTIMES = {"tflite": "litert", "onnx": "onnx", "openvino": "openvino"}  # that check a format's files
# What the formats need besides requirements.txt, and where to get it.
_NEEDS = {
    "tflite": ("LiteRT", ["ai_edge_litert"], "requirements-litert.txt"),
    "onnx": ("tf2onnx or ONNX Runtime", ["tf2onnx", "onnx", "onnxruntime"], "requirements-convert.txt"),
    "openvino": ("tf2onnx or OpenVINO", ["tf2onnx", "onnx", "openvino"], "requirements-convert.txt"),
}


def main(argv: list[str]) -> int:
    """Converts, compares and writes; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the model goes into --model_dir")
    name, packages, requirements = _NEEDS[_FORMAT.value]
    if not all(map(importlib.util.find_spec, packages)):
        raise cli.UsageError(f"{name} is not installed: pip install -r {requirements}")
    image_size = _parse_image_size(_IMAGE_SIZE.value)
    _check_flags(image_size)
    broken: list[str] = []
    val_photos = _read_photos("val_dir", _MAX_VAL_PHOTOS.value, broken)
    calibration_photos: list[np.ndarray] = []
    if _QUANTIZATION.value == "int8":
        calibration_photos = _read_photos("calibration_dir", _MAX_CALIBRATION_PHOTOS.value, broken)
    for line in broken:
        print(line, file=sys.stderr)

    cli.start_tensorflow("cpu")
    from colorization.inference import conversion, runtimes, version_files

    output_dir = Path(_OUTPUT_DIR.value)
    try:
        source = conversion.SourceModel(version_files.find_version_dir(_MODEL_DIR.value))
        output_dir.mkdir(parents=True, exist_ok=True)
        unfinished.remove_leftovers(output_dir)
        unfinished_dir = unfinished.make_path(output_dir)
        unfinished_dir.mkdir()
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    if image_size == ():
        any_size = _FLAVOUR.value == "steer" or (_FORMAT.value, _FLAVOUR.value) in _ANY_SIZE
        image_size = None if any_size else conversion.default_size(source, _FLAVOUR.value)
    size = "any" if image_size is None else "x".join(map(str, image_size))
    suffix = runtimes.suffix_of(_RUNTIMES[_FORMAT.value])
    path = output_dir / f"colorizer_{_FLAVOUR.value}_{_QUANTIZATION.value}_{size}{suffix}"
    try:
        _make(source, unfinished_dir / path.name, path, image_size, calibration_photos, val_photos)
    finally:
        shutil.rmtree(unfinished_dir, ignore_errors=True)
    print(f"wrote {path}")
    return 1 if broken else 0


def _make(
    source: "SourceModel",
    new_path: Path,
    path: Path,
    image_size: tuple[int, int] | None,
    calibration_photos: list["np.ndarray"],
    val_photos: list["np.ndarray"],
) -> None:
    """Converts into a folder of its own, compares, and moves to `path` what is fit for use."""
    from colorization.inference import conversion_report

    try:
        with cli.stderr_set_aside():
            info = _convert(source, new_path, image_size, calibration_photos)
            report = conversion_report.compare(
                new_path,
                _RUNTIMES[_FORMAT.value],
                source,
                val_photos,
                flavour=_FLAVOUR.value,
                image_size=image_size,
                num_bytes=sum(file.stat().st_size for file in new_path.parent.iterdir()),
            )
        print(conversion_report.format_report(report))
        if violations := conversion_report.find_violations(report, _QUANTIZATION.value):
            raise ValueError("; ".join(violations))
        _finish(new_path, path, info | {"report": dataclasses.asdict(report) | {"psnr_lost": report.psnr_lost}})
    except (ValueError, RuntimeError) as error:  # the latter from the runtimes
        raise cli.CommandError(f"{path}: not written: {str(error).strip().splitlines()[0]}") from error
    except OSError as error:
        raise cli.CommandError(f"{path}: {error.strerror}") from error


def _check_flags(image_size: tuple[int, int] | tuple[()] | None) -> None:
    """Raises UsageError for flags that don't go together."""
    if (_FORMAT.value, _FLAVOUR.value, image_size) == ("openvino", "rgb", None):
        raise cli.UsageError("--image_size=any: OpenVINO can't run rgb of any size; give it one")
    quantization = _QUANTIZATION.value
    if _CALIBRATION_DIR.value is not None and quantization != "int8":
        raise cli.UsageError("--calibration_dir is for --quantization=int8; the others need no photos")
    if quantization == "int8" and _FLAVOUR.value == "steer":
        raise cli.UsageError("--quantization=int8: --flavour=steer can't have it; float32, float16 and dynamic it can")
    if _FORMAT.value != "tflite" and quantization not in ("float32", "float16"):
        raise cli.UsageError(f"--quantization={quantization} is for --format=tflite; others have float32 and float16")


def _convert(
    source: "SourceModel", path: Path, image_size: tuple[int, int] | None, calibration_photos: list["np.ndarray"]
) -> dict[str, Any]:
    """Writes the model, and its noise encoder if it has one to go with it; returns the description."""
    from colorization.evaluation import report
    from colorization.inference import conversion, conversion_report, converted, model_info

    folder = source.version_dir.resolve()
    flavour, options = _FLAVOUR.value, {"quantization": _QUANTIZATION.value, "image_size": image_size}
    info = model_info.make_info(
        flavour=flavour,
        **options,
        work_size=source.work_size,
        z_dim=source.z_dim,
        source=f"{folder.parent.name}/{folder.name}, SHA-256 {report.hash_model(folder)}",
    )
    encoder_path = converted.encoder_path(path) if flavour == "steer" and source.has_encoder else None
    if _FORMAT.value == "tflite":
        from colorization.inference import tflite, tflite_metadata

        fitted_size = image_size or conversion.default_size(source, flavour)
        calibration_size = conversion_report.comparison_size(flavour, fitted_size)
        pieces = _cut_pieces(calibration_photos, at_least=_MIN_NUM_CALIBRATION)
        pieces = [conversion_report.fit_photo(piece, calibration_size) for piece in pieces]
        content = tflite.convert(source, flavour=flavour, **options, calibration_photos=pieces)
        path.write_bytes(tflite_metadata.add_info(content, info))
        if encoder_path:
            encoder_path.write_bytes(tflite.convert_encoder(source, **options))
    else:
        if _FORMAT.value == "onnx":
            from colorization.inference import onnx_conversion as converter

            if flavour == "rgb":
                info["outputs"][0]["name"] = converter.RGB_OUTPUT
        else:
            from colorization.inference import openvino_conversion as converter
        converter.convert(source, path, flavour=flavour, **options)
        if encoder_path:
            converter.convert_encoder(source, encoder_path, **options)
    return info


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


def _finish(new_path: Path, path: Path, numbers: dict[str, Any]) -> None:
    """Adds numbers and checksums, and moves all to its place; each appears under its name only when it is complete.

    Stopped halfway, a model may lack its description, but never stands beside that of another one.
    """
    from colorization import checksums
    from colorization.evaluation import report
    from colorization.inference import converted

    folder = new_path.parent
    info_path, manifest_path = converted.info_path(new_path), converted.manifest_path(new_path)
    report.write_metrics_json(info_path, numbers)
    checksums.write_manifest(manifest_path, folder, list(folder.iterdir()))
    for described in (manifest_path, info_path):
        path.with_name(described.name).unlink(missing_ok=True)
    descriptions = [info_path, manifest_path]
    for file in [*sorted(set(folder.iterdir()) - set(descriptions)), *descriptions]:
        os.replace(file, path.with_name(file.name))


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
