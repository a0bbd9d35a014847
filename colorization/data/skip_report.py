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
      num_seen: photos looked at so far, used or not.
      skipped: photo name -> reason.
    """

    def __init__(self, num_total: int | None = None, csv_path: Path | None = None):
        """Makes an empty report.

        Args:
          num_total: photos in the data set, if known; after that many the report is logged and written.
          csv_path: where to write the skipped names and reasons.
        """
        self.num_total = num_total
        self.csv_path = csv_path
        self.num_seen = 0
        self.skipped: dict[str, str] = {}
        self._finished = False
        self._lock = threading.Lock()

    def add(self, name: str, reason: str | None) -> None:
        """Records one photo; `reason` is None for one that is used."""
        with self._lock:
            if self._finished:
                return
            self.num_seen += 1
            if reason is not None:
                self.skipped[name] = reason
            if self.num_seen == self.num_total:
                self._finish()

    def summary(self) -> str:
        """One line per skipped photo after a line that counts them."""
        lines = [f"{self.num_seen - len(self.skipped)} of {self.num_seen} photos used, {len(self.skipped)} skipped"]
        lines += [f"  {name}: {reason}" for name, reason in sorted(self.skipped.items())]
        return "\n".join(lines)

    def _finish(self) -> None:
        self._finished = True
        log.warning("%s", self.summary())
        if self.csv_path is not None:
            with open(self.csv_path, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("photo", "reason"), *sorted(self.skipped.items())])
