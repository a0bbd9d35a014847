"""The files of exported models: where they are, and whether they are what was exported. Needs no TensorFlow."""

import contextlib
import json
import os
from pathlib import Path

from colorization import checksums

INFO_PATH = "assets.extra/colorizer.json"
CHECKSUMS_PATH = "assets.extra/checksums.json"
MAX_WORK_SIZE = 2048  # px
MAX_Z_DIM = 256
_PACKAGE_DIR = Path(__file__).parents[1]


class ModelError(ValueError):
    """A model that is missing or broken, or lacks what runs it; the message is one line: "PATH: reason"."""


def shipped_dirs(name: str) -> list[Path]:
    """Where a shipped model of that name may lie: in the wheel, and in the clone."""
    return [root / "saved_models" / name for root in (_PACKAGE_DIR, _PACKAGE_DIR.parent)]


def find_version_dir(model_dir: str | os.PathLike | None = None) -> Path:
    """Finds the model to load.

    Args:
      model_dir: folder of versions, or one version; by default the shipped model, in the wheel or the clone.

    Returns:
      The folder that holds saved_model.pb; the highest version if there are several.

    Raises:
      ModelError: there is none.
    """
    bases = shipped_dirs("colorizer") if model_dir is None else [Path(model_dir)]
    for base in bases:
        for folder in (base, *reversed(list_versions(base))):
            if os.path.isfile(folder / "saved_model.pb"):  # unlike Path's, also false for a name that is too long
                return folder
    raise ModelError(f"{bases[-1]}: no model found: neither a saved_model.pb nor a numbered version folder with one")


def list_versions(export_dir: str | os.PathLike) -> list[Path]:
    """Lists the versions under a folder, the newest (highest number) last; a missing folder has none."""
    with contextlib.suppress(OSError):
        versions = [path for path in Path(export_dir).iterdir() if path.name.isdecimal() and path.is_dir()]
        return sorted(versions, key=lambda path: int(path.name))
    return []


def write_checksums(version_dir: str | os.PathLike) -> None:
    """Writes the checksums of all files of a version, for models that were exported without."""
    root = Path(version_dir)
    manifest = root / CHECKSUMS_PATH
    checksums.write_manifest(manifest, root, [path for path in root.rglob("*") if path.is_file() and path != manifest])


def check_files(version_dir: str | os.PathLike) -> None:
    """Checks that a version's files are those that were exported, as far as it has checksums: older ones have none.

    Do it before TensorFlow reads them: it takes most of what a flipped bit can do to a graph or to weights, and some of
    the rest ends the process. 22 MB take 0.02 s.

    Raises:
      checksums.ChecksumError: names the file that is missing or altered.
    """
    root = Path(version_dir)
    if (root / CHECKSUMS_PATH).exists():
        checksums.verify_manifest(root / CHECKSUMS_PATH, root)


def read_sizes(version_dir: str | os.PathLike) -> tuple[int, int]:
    """Reads the work size in pixels and the length of `z` of a version.

    Raises:
      ValueError: they are missing, or beyond what an exported model can have.
      OSError: there is no such file.
    """
    info = json.loads((Path(version_dir) / INFO_PATH).read_text(encoding="utf-8"))
    sizes = {}
    for name, highest in (("work_size", MAX_WORK_SIZE), ("z_dim", MAX_Z_DIM)):
        value = info.get(name) if isinstance(info, dict) else None
        if not isinstance(value, int) or not 1 <= value <= highest:
            raise ValueError(f"{INFO_PATH}: {name} must be a number from 1 to {highest}")
        sizes[name] = value
    return sizes["work_size"], sizes["z_dim"]
