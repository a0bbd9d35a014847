"""What came of the kills of one command."""

import dataclasses
import sys

_ROW_EVERY = 10


@dataclasses.dataclass
class Tally:
    """Counts kills.

    Attributes:
      title: of the command, for the table.
      num_kills: processes that were killed before they ended by themselves.
      num_in_write: of these, how many left something half-written behind: the kill came inside a save.
      num_lost: kills, or ends of a run, after which something was wrong.
    """

    title: str
    num_kills: int = 0
    num_in_write: int = 0
    num_lost: int = 0

    def add_kill(self, *, in_write: bool, problems: list[str]) -> None:
        """Counts a kill; problems are printed."""
        self.num_kills += 1
        self.num_in_write += in_write
        self.add_problems(problems)
        if self.num_kills % _ROW_EVERY == 0:  # for those who wait
            print(self.format_row(), file=sys.stderr, flush=True)

    def add_problems(self, problems: list[str]) -> None:
        """Counts what went wrong at one moment as one loss, and prints it."""
        self.num_lost += bool(problems)
        for problem in problems:
            print(f"{self.title}, after kill {self.num_kills}: {problem}", file=sys.stderr)

    def format_row(self) -> str:
        """A row of the table that docs/reliability.md shows."""
        cells = (self.title, self.num_kills, self.num_in_write, self.num_kills - self.num_lost, self.num_lost)
        return f"| {' | '.join(map(str, cells))} |"
