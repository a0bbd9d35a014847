"""One process of fuzzing, watched by __main__.py: it may crash, hang or need too much memory.

    python -m benchmarks.faults.fuzz.worker TARGET SECONDS SEED FOLDER

TARGET is `images`, `hints`, or a command of this project. What is being tried stands in FOLDER/current. Each line on
standard output is JSON: {"executions": N} now and then, {"finding": TEXT} for an exception that must not be.
"""

import contextlib
import faulthandler
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks import process_tree

HANG_SECONDS = 10
MAX_BYTES = 1_500_000_000  # of memory
_BATCH = 200  # examples of one seed


def find_target(name: str) -> tuple[st.SearchStrategy, Callable]:
    """The inputs and the check of a target."""
    if name == "images":
        from benchmarks.faults.fuzz import images

        return images.damaged_images(), images.check
    if name == "hints":
        from benchmarks.faults.fuzz import hints

        return hints.hint_texts(), hints.check
    from benchmarks.faults.fuzz import command_lines

    lines = command_lines.CommandLines(name)
    return lines.strategy, lines.check


def main(target: str, seconds: float, first_seed: int, folder: Path) -> None:
    """Tries one batch of examples after another until time is up."""
    strategy, check = find_target(target)
    end, num_executions = time.monotonic() + seconds, 0
    resource.setrlimit(resource.RLIMIT_AS, (4 * MAX_BYTES, 4 * MAX_BYTES))  # in the end, the machine is not ours alone
    current = open(folder / "current", "wb", buffering=0)  # noqa: SIM115 - open as long as the process

    def watched(example: bytes | str | list[str]) -> None:
        nonlocal num_executions
        num_executions += 1
        content = example if isinstance(example, bytes) else json.dumps(example).encode()
        os.ftruncate(current.fileno(), 0)
        os.pwrite(current.fileno(), content, 0)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            check(example)
        finally:
            faulthandler.cancel_dump_traceback_later()
        used = process_tree.read_own_peak_bytes()
        if used > MAX_BYTES:
            report(finding=f"{used} bytes of memory")
            os._exit(1)

    batch_seed = first_seed
    os.chdir(tempfile.mkdtemp(dir=folder))
    while time.monotonic() < end:
        options = {"max_examples": _BATCH, "deadline": None, "database": None, "phases": (Phase.generate, Phase.shrink)}
        batch = seed(batch_seed)(given(strategy)(watched))
        batch = settings(**options, suppress_health_check=list(HealthCheck), print_blob=False)(batch)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                batch()
        except Exception as error:
            trace = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(trace.filename).name}:{trace.lineno}"
            shown = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            report(finding=f"{where} {shown} -- {' '.join(getattr(error, '__notes__', []))[:600]}")
        report(executions=num_executions)
        batch_seed += 1


def report(**message: object) -> None:
    """Tells the parent."""
    print(json.dumps(message), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
