"""The files of a run folder: config.json, weights.npz, log.jsonl, skipped.txt."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from colorization import provenance

WEIGHTS_NAME = "weights.npz"
LIBRARIES = ("jax", "keras", "numpy", "optax", "pillow")


def write_config(run_dir: Path, flags: dict[str, Any]) -> None:
    """Writes what made this run: flags, library versions, the device, the commit of the code."""
    import jax

    device = jax.devices()[0]
    config = {"flags": flags, "device": device.device_kind} | provenance.describe_software(LIBRARIES)
    (run_dir / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def write_weights(run_dir: Path, weights: dict[str, Any]) -> None:
    """Writes weights by name, as float32; the file appears complete or not at all."""
    temporary = run_dir / f".{WEIGHTS_NAME}"  # np.savez wants the suffix
    np.savez(temporary, **{name: np.asarray(value, np.float32) for name, value in weights.items()})
    temporary.replace(run_dir / WEIGHTS_NAME)


def has_weights(run_dir: Path) -> bool:
    """Whether `write_weights` wrote a file there."""
    return (run_dir / WEIGHTS_NAME).is_file()


def read_weights(run_dir: Path) -> dict[str, np.ndarray]:
    """Reads what `write_weights` wrote.

    Raises:
      ValueError: there is no such file, or it is damaged; the message names it.
    """
    path = run_dir / WEIGHTS_NAME
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile and numpy raise many kinds for a damaged file
        raise ValueError(f"{path}: not the weights of a run: {error or type(error).__name__}") from error


def write_skipped(run_dir: Path, lines: list[str]) -> None:
    """Writes a line for each file that can't be used."""
    (run_dir / "skipped.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def append_log(run_dir: Path, values: dict[str, float]) -> None:
    """Adds a line of JSON to the log."""
    with (run_dir / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")
