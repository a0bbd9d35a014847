"""Runs a command and measures it with all the processes that it starts."""

import dataclasses
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_INTERVAL_SECONDS = 0.05  # between two looks at the memory


@dataclasses.dataclass(frozen=True)
class Run:
    """How a command went.

    Attributes:
      exit_status: None if it was killed for taking too long.
      stdout: what it wrote there; bytes that are no UTF-8 as surrogates.
      stderr: likewise.
      seconds: wall-clock time.
      peak_bytes: most memory of all its processes at one time; what they share is counted once (PSS).
    """

    exit_status: int | None
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int


def read_own_peak_bytes() -> int:
    """Most memory that this process has had; getrusage would count what its parent had when it was started."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def run(command: Sequence[str], *, seconds: float = 3600.0, **options) -> Run:
    """Runs a command; needs Linux.

    Args:
      command: program and arguments.
      seconds: after which it is killed.
      **options: further arguments of subprocess.Popen.
    """
    start = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    text = {"text": True, "encoding": "utf-8", "errors": "surrogateescape"}
    process = subprocess.Popen(command, **pipes, **text, **options)
    peak_bytes, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak_bytes
        while not done.wait(_INTERVAL_SECONDS):
            peak_bytes = max(peak_bytes, sum(map(_read_memory, _list_tree(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        stdout, stderr = process.communicate(timeout=seconds)
        exit_status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        exit_status = None
    finally:
        done.set()
        watcher.join()
    return Run(exit_status, stdout, stderr, time.perf_counter() - start, peak_bytes)


def _list_tree(pid: int) -> list[int]:
    """A process and its descendants, as far as they are still there."""
    pids = [pid]
    for parent in pids:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids += map(int, task.read_text().split())
            except OSError:
                continue
    return pids


def _read_memory(pid: int) -> int:
    """PSS of a process, in bytes."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # it has ended
        pass
    return 0
