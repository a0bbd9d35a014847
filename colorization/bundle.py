"""Bundles the page with a model into a folder of static files: photos are coloured in the visitor's own browser.

  python -m colorization.bundle --output_dir=out/site
  python -m http.server --directory=out/site

Any web server can serve the folder, at any path; nothing is computed there and no photo is sent to it. A former site in
--output_dir is replaced once the new one is complete.

It needs what requirements-litert.txt lists, and npm, which fetches the WebAssembly runtime.

Exit status: 0 written; 1 npm or the conversion failed; 2 the call is wrong, for example the model is missing.
"""

import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from colorization import cli
from colorization.browser import runtime, site

if TYPE_CHECKING:
    import numpy as np

    from colorization.inference.conversion import SourceModel

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the site, made if missing.", required=True)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one.",
)
_QUANTIZATION = flags.DEFINE_enum(
    "quantization",
    "float16",
    ["float32", "float16", "dynamic"],
    "float32: as trained. float16: half the download. dynamic: a quarter, and faster, but a little less exact.",
)
_NUM_VERSIONS = 31  # that the page can show beside the automatic colour
_SEED = 0  # so version 1 is the file _1 of `colorize --num_samples=31`


def main(argv: list[str]) -> int:
    """Writes the site and prints what a visit downloads; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the model goes into --model_dir")
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise cli.UsageError("LiteRT is not installed: pip install -r requirements-litert.txt")
    output_dir = Path(_OUTPUT_DIR.value)
    try:
        runtime.check_npm()
    except runtime.RuntimeFilesError as error:
        raise cli.UsageError(str(error)) from error
    if not site.can_be_written(output_dir):
        raise cli.UsageError(f"--output_dir={output_dir}: it is no empty folder and no former site")

    cli.start_tensorflow("cpu")
    from colorization.inference import conversion, version_files

    try:
        source = conversion.SourceModel(version_files.find_version_dir(_MODEL_DIR.value))
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    try:
        _write(output_dir, source, _QUANTIZATION.value)
    except (ValueError, RuntimeError, OSError, runtime.RuntimeFilesError) as error:
        raise cli.CommandError(f"{output_dir}: not written: {str(error).strip().splitlines()[0]}") from error
    for part, (num_bytes, compressed) in site.measure_downloads(output_dir).items():
        print(f"{part:<8} {num_bytes / 1e6:6.2f} MB, compressed {compressed / 1e6:5.2f} MB")
    print(f"wrote {output_dir}")
    return 0


def _convert(source: "SourceModel", quantization: str) -> tuple[bytes, dict[str, Any]]:
    """The model file, and what model.json says of it.

    Raises:
      ValueError: the converted model is too far from the SavedModel.
    """
    from colorization.inference import colorizer, conversion_report, tflite, tflite_sizes

    content = tflite.convert(source, flavour="steer", quantization=quantization, image_size=None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(content)
        report = conversion_report.compare(
            path, "litert", source, [_draw_photo()], flavour="steer", image_size=None, num_bytes=len(content)
        )
    if violations := conversion_report.find_violations(report, quantization):
        raise ValueError("; ".join(violations))
    content, places = tflite_sizes.make_sizes_writable(content)
    model = colorizer.Colorizer(
        source.signatures, model_dir=source.version_dir, work_size=source.work_size, z_dim=source.z_dim
    )
    noise = model.draw_z(_NUM_VERSIONS, _SEED)
    folder = source.version_dir.resolve()
    return content, {
        "name": folder.parent.name,
        "version": int(folder.name) if folder.name.isdecimal() else None,
        "quantization": quantization,
        "work_size": source.work_size,
        "takes_hints": source.takes_hints,
        "z": [[0.0] * source.z_dim, *noise.astype(float).tolist()],
        "height_offsets": places.height_offsets,
        "width_offsets": places.width_offsets,
    }


def _draw_photo() -> "np.ndarray":
    """A grey picture, soft and with an edge, to compare the file with the SavedModel: uint8 (256, 320, 3)."""
    import numpy as np

    y, x = np.mgrid[:256, :320]
    levels = 120 + 70 * np.sin(x / 23) * np.cos(y / 31) + 40 * (x > y)
    return np.repeat(levels.astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def _write(output_dir: Path, source: "SourceModel", quantization: str) -> None:
    """Writes the site beside its place, and puts it there when it is complete."""
    output_dir = output_dir.absolute()
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir.parent, prefix=".site-") as folder:
        new = Path(folder) / "new"
        site.write_page(new)
        runtime.copy_runtime(new / "runtime")
        with cli.stderr_set_aside():
            content, info = _convert(source, quantization)
        site.write_model(new, content, info)
        site.write_list(new)
        if output_dir.exists():
            shutil.move(output_dir, Path(folder) / "old")
        new.rename(output_dir)


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
