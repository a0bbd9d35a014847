"""The files of a run's checkpoints: which are whole, and checksums beside them that tell.

`checkpoints/` holds, per checkpoint, what TensorFlow writes (`ckpt-400.index`, `ckpt-400.data-00000-of-00001`) and
their checksums, `ckpt-400.sha256.json`. TensorFlow's own record, the file `checkpoint`, is not relied on: it can be
damaged itself, and a flipped bit in it names another checkpoint without a word. To go back to an older checkpoint,
delete the newer ones.
"""

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from colorization import checksums

_FILE_NAME = re.compile(r"ckpt-(\d+)\.(?:index|data-\d{5}-of-\d{5}|sha256\.json)")
_STATE_NAME = "checkpoint"  # TensorFlow's
# What a save leaves that was stopped halfway: the folder that TensorFlow writes into, and files not yet renamed.
_LEFTOVER_GLOBS = ("ckpt-*_temp", "ckpt-*.tempstate*", ".ckpt-*.tmp", "checkpoint.tmp*", f".{_STATE_NAME}.tmp")
log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A run folder whose checkpoint is missing, broken or of another network; one line that names it."""


class CheckedManager(tf.train.CheckpointManager):
    """Manager that writes checksums beside each checkpoint, and whose latest checkpoint is the newest that is whole."""

    def __init__(self, checkpoint: tf.train.Checkpoint, folder: Path, *, num_kept: int):
        """Looks for the newest checkpoint that is whole, as `find_latest` does.

        Args:
          checkpoint: what to save.
          folder: of the checkpoints, made at the first save.
          num_kept: checkpoints to keep. Damaged ones are the first to go.

        Raises:
          CheckpointError: see `find_latest`.
        """
        latest = find_latest(folder)
        _remove_leftovers(folder)
        if latest is not None:
            _write_state(folder, latest)
        super().__init__(checkpoint, str(folder), max_to_keep=num_kept)

    def save(self, checkpoint_number: int, **_: Any) -> str:
        """Saves a checkpoint under the number of its step, in place of one that is there; returns its path."""
        folder = Path(self.directory)
        # First of all: stopped halfway, a save leaves files without checksums, and those are not believed.
        _manifest_path(folder / f"ckpt-{checkpoint_number}").unlink(missing_ok=True)
        # As a callback, checksums are there before old checkpoints are deleted.
        options = tf.train.CheckpointOptions(experimental_write_callbacks=[_write_manifest])
        try:
            path = super().save(checkpoint_number=checkpoint_number, options=options)
        except (OSError, tf.errors.OpError):  # on a full disk, what is there takes the room of the next try
            shutil.rmtree(folder / f"ckpt-{checkpoint_number}_temp", ignore_errors=True)
            for file in folder.glob(f"ckpt-{checkpoint_number}.*"):
                file.unlink(missing_ok=True)
            raise
        kept = {_manifest_path(Path(kept)).name for kept in self.checkpoints}
        for manifest in folder.glob("ckpt-*.sha256.json"):
            if manifest.name not in kept:
                manifest.unlink(missing_ok=True)
        return path


class ReadOnlyManager:
    """Of a worker that is not the chief: finds what CheckedManager does, and leaves saving to the chief.

    All variables are mirrored, so the chief has them all, and a save takes no exchange between workers.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, folder: Path):
        """Looks for the newest checkpoint that is whole; arguments and errors as those of CheckedManager."""
        self.checkpoint = checkpoint
        latest = find_latest(folder)
        self.latest_checkpoint = None if latest is None else str(latest)

    def save(self, checkpoint_number: int) -> None:
        """Does nothing."""


def find_latest(folder: Path) -> Path | None:
    """Finds the newest checkpoint that is whole; each newer one is a warning, one line that says what is wrong with it.

    Checkpoints of versions of this project that wrote no checksums have none, nor has any older one. They are taken,
    with a warning, and TensorFlow's own checks must do. A checkpoint that has none though an older one has them comes
    from a save that was stopped halfway, and is damaged; if it was the run's first save, there is no checkpoint yet.

    Args:
      folder: of the checkpoints.

    Returns:
      The path that TensorFlow calls the checkpoint's prefix; None if there is none and never was.

    Raises:
      CheckpointError: all checkpoints are damaged or gone.
    """
    steps = list_steps(folder)
    damages = []
    for step in reversed(steps):
        prefix = folder / f"ckpt-{step}"
        older = [folder / f"ckpt-{other}" for other in steps if other < step]
        try:
            is_checked = _check(prefix, older)
        except checksums.ChecksumError as error:
            damages.append(f"{prefix} is damaged ({error.path.name}: {error.reason})")
            continue
        for damage in damages:
            log.warning("%s; going on from %s", damage, prefix.name)
        if not is_checked:
            log.warning("%s has no checksums; taken unchecked", prefix)
        return prefix
    if damages and not (folder / _STATE_NAME).exists() and not any(folder.glob("ckpt-*.sha256.json")):
        log.warning("%s; the first save of this run did not come to its end, going on from the beginning", damages[0])
        return None
    if damages:
        raise CheckpointError(f"{damages[0]}, and no older checkpoint is whole")
    if (folder / _STATE_NAME).exists():
        raise CheckpointError(f"{folder / _STATE_NAME}: there was a checkpoint, but its files are gone")
    return None


def list_steps(folder: Path) -> list[int]:
    """Lists the steps of which any file of a checkpoint is there, in order."""
    if not folder.is_dir():
        return []
    matches = (_FILE_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted({int(match[1]) for match in matches if match})


def _check(prefix: Path, older: list[Path]) -> bool:
    """Raises ChecksumError for a damaged checkpoint; returns False if that can't be told for want of checksums."""
    manifest = _manifest_path(prefix)
    if manifest.exists():
        checksums.verify_manifest(manifest, prefix.parent)
        return True
    if any(_manifest_path(path).exists() for path in older):
        raise checksums.ChecksumError(manifest, "missing, the save did not come to its end")
    index, *data = _list_files(prefix)
    if not index.exists() or not data:
        raise checksums.ChecksumError(prefix.with_name(f"{prefix.name}.data*") if index.exists() else index, "missing")
    try:
        tf.train.load_checkpoint(str(prefix))
    except (tf.errors.OpError, ValueError) as error:
        raise checksums.ChecksumError(index, "can't be read") from error
    return False


def _manifest_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.sha256.json")


def _list_files(prefix: Path) -> list[Path]:
    """The files that TensorFlow wrote, the index first."""
    return [prefix.with_name(f"{prefix.name}.index"), *sorted(prefix.parent.glob(f"{prefix.name}.data-?????-of-?????"))]


def _remove_leftovers(folder: Path) -> None:
    for pattern in _LEFTOVER_GLOBS:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _write_manifest(prefix: str) -> None:
    path = Path(prefix)
    checksums.write_manifest(_manifest_path(path), path.parent, _list_files(path))


def _write_state(folder: Path, latest: Path) -> None:
    """Writes TensorFlow's record anew: what it manages, in the order in which it shall delete it, and the latest.

    A checkpoint that somebody copied into the folder is not in the record, and so it is never deleted, unless the
    record can't be read: then all are.
    """
    names = [f"ckpt-{step}" for step in list_steps(folder)]
    path = folder / _STATE_NAME
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    recorded = re.findall(r'^all_model_checkpoint_paths: "(?:.*/)?(ckpt-\d+)"$', text, re.MULTILINE)
    names = [name for name in names if name in recorded] or names
    older = [name for name in names if int(name.removeprefix("ckpt-")) < int(latest.name.removeprefix("ckpt-"))]
    damaged = [name for name in names if name not in older and name != latest.name]
    order = [*damaged, *older, latest.name]
    lines = [f'model_checkpoint_path: "{latest.name}"', *(f'all_model_checkpoint_paths: "{name}"' for name in order)]
    # Without times, all later than 0, TensorFlow would not manage these.
    lines += [f"all_model_checkpoint_timestamps: {1.0 + index}" for index in range(len(order))]
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("\n".join(lines) + "\nlast_preserved_timestamp: 0.0\n", encoding="utf-8")
    temporary.replace(path)
