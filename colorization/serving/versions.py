"""Which version of a model is to be served: the highest folder that loads."""

from pathlib import Path

from colorization.inference import saved_model
from colorization.serving.model import VersionStatus

Fingerprint = frozenset[tuple[str, int, int]]


class VersionBook:
    """What is known of each version below a folder.

    A version that could not be loaded is left alone until one of its files changes: it may have been half copied.
    """

    def __init__(self, base_dir: Path):
        """Starts with an empty book.

        Args:
          base_dir: folder of versions.
        """
        self.base_dir = base_dir
        self._statuses: dict[int, VersionStatus] = {}
        self._refused: dict[int, Fingerprint] = {}
        self._chosen: Fingerprint = frozenset()

    def choose(self) -> Path | None:
        """The folder of the version to serve; None if there is none that might load."""
        for version_dir in reversed(saved_model.list_versions(self.base_dir)):
            if not (version_dir / "saved_model.pb").is_file():
                continue
            files = fingerprint(version_dir)
            if self._refused.get(int(version_dir.name)) != files:
                self._chosen = files
                return version_dir
        return None

    def refuse(self, version_dir: Path, error: str) -> None:
        """Notes that the version chosen last could not be loaded, as it was then, and why: one line."""
        self._refused[int(version_dir.name)] = self._chosen
        self.set_state(int(version_dir.name), "END", error)

    def set_state(self, version: int, state: str, error: str = "") -> None:
        """Notes the state of a version, see `VersionStatus`."""
        self._statuses[version] = VersionStatus(version, state, error)

    def statuses(self) -> list[VersionStatus]:
        """Of all versions ever looked at, the highest first."""
        return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]


def fingerprint(version_dir: Path) -> Fingerprint:
    """Name, size and time of every file of a version; empty if it is gone."""
    files = []
    for path in version_dir.rglob("*"):
        try:
            status = path.stat()
        except OSError:
            continue
        files.append((path.relative_to(version_dir).as_posix(), status.st_size, status.st_mtime_ns))
    return frozenset(files)
