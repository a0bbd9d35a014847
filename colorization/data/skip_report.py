"""Remembers which photos of a data set could not be used, and why."""

import csv
import logging
import threading
from pathlib import Path

log = logging.getLogger(__name__)


class SkipReport:
    """Counts the photos of the first pass and names those that were skipped.

    tf.data calls it from several threads.

    Attributes:
      num_seen: photos looked at in the first pass, used or not.
      skipped: photo name -> reason.
    """

    def __init__(self, title: str, csv_path: Path | None = None):
        """Makes an empty report.

        Args:
          title: what the photos are for, e.g. "training".
          csv_path: where `finish` writes the skipped names and reasons.
        """
        self.title = title
        self.csv_path = csv_path
        self.num_seen = 0
        self.skipped: dict[str, str] = {}
        self._finished = False
        self._lock = threading.Lock()

    def add(self, name: str, reason: str | None) -> None:
        """Records one photo of the first pass; `reason` is None for one that is used."""
        with self._lock:
            if not self._finished:
                self.num_seen += 1
                if reason is not None:
                    self.skipped[name] = reason

    def finish(self) -> None:
        """Ends the first pass: logs the summary and writes the CSV file. Later passes change nothing.

        A disk that refuses the file is a warning: what the photos are for need not end with it.
        """
        with self._lock:
            if self._finished:
                return
            self._finished = True
        log.warning("%s", self.summary())
        if self.csv_path is not None:
            temporary = self.csv_path.with_suffix(".tmp")
            try:
                with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                    csv.writer(file).writerows([("photo", "reason"), *sorted(self.skipped.items())])
                temporary.replace(self.csv_path)
            except OSError as error:
                log.warning("%s: %s", self.csv_path, error.strerror)

    def summary(self) -> str:
        """A line that counts, and one line per skipped photo."""
        num_used = self.num_seen - len(self.skipped)
        lines = [f"{self.title}: {num_used} of {self.num_seen} photos used, {len(self.skipped)} skipped"]
        return "\n".join(lines + [f"  {name}: {reason}" for name, reason in sorted(self.skipped.items())])
