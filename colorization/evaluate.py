"""Scores a colorizer on a folder of colour photos, beside the grey baseline.

Writes to --output_dir: metrics.json (means, flags, protocol, model hash, library versions), per_image.csv, and gallery/
with index.html and contact_sheet.png (best, median and worst photos).

  python -m colorization.evaluate --data_dir=photos/val --output_dir=out/evaluation

Exit status: 0 all photos measured; 1 some could not be read (named; the others are measured); 2 the call is wrong.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    from colorization.evaluation import fid

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, nested folders too.", required=True)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of model versions, of which the highest is used, or one version; default: the shipped one.",
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the report, made if missing.", required=True)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Photos colorized at once.", lower_bound=1, upper_bound=1024)
_MAX_PHOTOS = flags.DEFINE_integer(
    "max_photos", 0, "Use at most this many photos, taken evenly over the sorted list; 0 for all.", lower_bound=0
)
_EXPECTED_NUM_PHOTOS = flags.DEFINE_integer(
    "expected_num_photos", 0, "Stop unless --data_dir holds this many photos; 0 for any number.", lower_bound=0
)
_GALLERY_SIZE = flags.DEFINE_integer(
    "gallery_size", 6, "Photos each among the best, median and worst; 0 for no gallery.", lower_bound=0, upper_bound=100
)
_INCEPTION_WEIGHTS = flags.DEFINE_string(
    "inception_weights",
    "imagenet",
    "Weights for FID: 'imagenet' (Keras' cache or download, 84 MiB), a file of InceptionV3 weights without the "
    "classifier, or 'none' to leave FID out.",
)
_DEVICE = flags.DEFINE_string("device", "auto", "'auto' (a GPU if there is one), 'cpu' or 'gpu:N' with N from 0.")

_FLAGS = (
    _DATA_DIR,
    _MODEL_DIR,
    _OUTPUT_DIR,
    _BATCH_SIZE,
    _MAX_PHOTOS,
    _EXPECTED_NUM_PHOTOS,
    _GALLERY_SIZE,
    _INCEPTION_WEIGHTS,
    _DEVICE,
)


def main(argv: list[str]) -> int:
    """Evaluates and writes the report; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the folder goes into --data_dir")
    data_dir, output_dir, weights = Path(_DATA_DIR.value), Path(_OUTPUT_DIR.value), _INCEPTION_WEIGHTS.value
    if weights not in ("none", "imagenet") and not os.path.isfile(weights):
        raise cli.UsageError(f"--inception_weights={weights}: no such file")
    from colorization.evaluation import photos

    try:
        files = photos.list_evaluation_photos(
            data_dir, max_photos=_MAX_PHOTOS.value, expected_num_photos=_EXPECTED_NUM_PHOTOS.value
        )
        output_dir.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error

    cli.start_tensorflow(_DEVICE.value)
    import numpy as np

    from colorization import Colorizer
    from colorization.evaluation import gallery, protocol, report

    try:
        colorizer = Colorizer.load(_MODEL_DIR.value)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error

    def colorize(rgb: np.ndarray) -> np.ndarray:
        return np.stack(colorizer.colorize_batch(list(rgb)))

    fid_meter = _make_fid_meter(weights)
    evaluation = protocol.evaluate_photos(files, data_dir, colorize, batch_size=_BATCH_SIZE.value, fid_meter=fid_meter)
    for line in evaluation.broken:
        print(line, file=sys.stderr)
    if not evaluation.rows:
        raise cli.CommandError(f"{data_dir}: none of the {len(files)} photos can be read")

    fids = fid_meter.distances() if fid_meter is not None and len(evaluation.rows) > 1 else None
    summary = report.summarize(evaluation.rows, fids)
    table = report.format_summary(summary)
    print(table)
    content = {
        "protocol": protocol.PROTOCOL,
        **summary,
        "fid_note": report.FID_NOTE if fids else "not computed",
        "broken": evaluation.broken,
        "file_list_sha256": report.hash_names(row.file for row in evaluation.rows),
        "model": {"dir": str(colorizer.model_dir), "sha256": report.hash_model(Path(colorizer.model_dir))},
        "flags": {holder.name: holder.value for holder in _FLAGS},
        "versions": report.installed_versions(),
    }
    with cli.write_errors(output_dir):
        report.write_per_image_csv(output_dir / "per_image.csv", evaluation.rows)
        if _GALLERY_SIZE.value:
            gallery.write_gallery(
                output_dir / "gallery", evaluation.rows, data_dir, colorize, size=_GALLERY_SIZE.value, table=table
            )
        report.write_metrics_json(output_dir / "metrics.json", content)
    print(f"wrote {output_dir}: metrics.json, per_image.csv" + (", gallery/index.html" if _GALLERY_SIZE.value else ""))
    return 1 if evaluation.broken else 0


def _make_fid_meter(weights: str) -> "fid.FidMeter | None":
    """None where FID is not wanted or, after one line, where the weights cannot be downloaded."""
    from colorization.evaluation import fid

    if weights == "none":
        return None
    try:
        return fid.FidMeter(fid.build_inception(weights))
    except fid.InceptionWeightsError as error:
        if weights != "imagenet":
            raise cli.UsageError(str(error)) from error
        print(f"FID left out, the rest follows: {error}", file=sys.stderr)
        return None


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
