"""Turns the rows of an evaluation into means, metrics.json, per_image.csv and the table that the command prints."""

import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from colorization.evaluation.protocol import PhotoMetrics
from colorization.training.metrics import IMAGE_METRICS

LIBRARIES = ("colorization", "tensorflow", "keras", "numpy", "pillow", "tensorflow-io")
LOWER_IS_BETTER = ("ciede2000", "fid")
FID_NOTE = (
    "Keras' InceptionV3 weights, bilinear to 299 px; comparable only between runs on the same photos: neither with "
    "published values nor with another number of photos"
)
LABELS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "ciede2000": "CIEDE2000 (lower is better)",
    "colorfulness": "colorfulness",
    "fid": "FID (lower is better)",
}


def summarize(rows: Sequence[PhotoMetrics], fids: tuple[float, float] | None = None) -> dict[str, Any]:
    """Means over photos, of the result beside the grey baseline.

    Args:
      rows: one or more measured photos.
      fids: FID of the results and of the grey baseline, where it was computed.

    Returns:
      JSON-ready:
      `result`, `grey_baseline`: mean of every metric; `gain`: how much better the result is than grey, positive is
      better for every metric (no entry for colorfulness: more is not better);
      `original`: mean colorfulness of the originals;
      `colorfulness_delta`: |mean colorfulness of results - mean of originals| (as DDColor's Delta CF, Kang et al.
      2023), `colorfulness_delta_per_photo`: mean of |result - original| of each photo, `colorfulness_ratio`: mean of
      results / mean of originals (None if the originals are grey).
    """
    table = {
        field.name: np.array([getattr(row, field.name) for row in rows])
        for field in dataclasses.fields(PhotoMetrics)
        if field.name != "file"
    }
    result = {name: float(table[name].mean()) for name in IMAGE_METRICS}
    grey = {name: float(table[f"grey_{name}"].mean()) for name in IMAGE_METRICS}
    if fids is not None:
        result["fid"], grey["fid"] = fids
    gain = {
        name: grey[name] - value if name in LOWER_IS_BETTER else value - grey[name]
        for name, value in result.items()
        if name != "colorfulness"
    }
    original = float(table["original_colorfulness"].mean())
    per_photo = float(np.abs(table["colorfulness"] - table["original_colorfulness"]).mean())
    return {
        "num_photos": len(rows),
        "result": result,
        "grey_baseline": grey,
        "gain": gain,
        "original": {"colorfulness": original},
        "colorfulness_delta": abs(result["colorfulness"] - original),
        "colorfulness_delta_per_photo": per_photo,
        "colorfulness_ratio": result["colorfulness"] / original if original > 0.0 else None,
    }


def format_summary(summary: dict[str, Any]) -> str:
    """The table for people: result, grey baseline and gain of every metric, then the colorfulness.

    Args:
      summary: from `summarize`.

    Returns:
      lines without a final newline.
    """
    lines = [f"{'':28}{'result':>10}{'grey baseline':>16}{'gain':>10}"]
    for name, value in summary["result"].items():
        digits = 4 if name == "ssim" else 2
        gain = f"{summary['gain'][name]:+10.{digits}f}" if name in summary["gain"] else ""
        lines.append(f"{LABELS[name]:28}{value:10.{digits}f}{summary['grey_baseline'][name]:16.{digits}f}{gain}")
    ratio = summary["colorfulness_ratio"]
    lines.append(
        f"colorfulness of the originals {summary['original']['colorfulness']:.2f}"
        + (f"; results reach {ratio:.0%} of it" if ratio is not None else "")
        + f"; difference of the means {summary['colorfulness_delta']:.2f}"
        + f", mean difference per photo {summary['colorfulness_delta_per_photo']:.2f}"
    )
    return "\n".join(lines)


def write_per_image_csv(path: Path, rows: Sequence[PhotoMetrics]) -> None:
    """Writes one line per photo, in order, under a header with the names of `PhotoMetrics`; whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(field.name for field in dataclasses.fields(PhotoMetrics))
    for row in rows:
        writer.writerow(v if isinstance(v, str) else f"{v:.6g}" for v in dataclasses.astuple(row))
    _replace_text(path, text.getvalue())


def write_metrics_json(path: Path, content: dict[str, Any]) -> None:
    """Writes strict JSON (a NaN or infinity is an error, not a surprise for the reader); whole or not at all."""
    _replace_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _replace_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions


def hash_model(model_dir: Path) -> str:
    """SHA-256 over every file of a model: relative path, size and content, in sorted order.

    Args:
      model_dir: one version's folder, for instance saved_models/colorizer/1.

    Returns:
      64 hexadecimal digits.

    Raises:
      ValueError: no file there.
    """
    files = sorted(file for file in model_dir.rglob("*") if file.is_file())
    if not files:
        raise ValueError(f"{model_dir}: no model files")
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(model_dir).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def hash_names(names: Iterable[str]) -> str:
    """SHA-256 of a list of file names, so that two runs can be told to have seen the same list."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
