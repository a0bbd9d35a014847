"""Runs commands of this project in processes that can be killed, without the start of TensorFlow each time.

Python's fork server imports TensorFlow and this library once, runs none of it, and forks a process for each command,
in which the command's own `main` then runs as after `python -m`. The caller must be a package run by `python -m`, whose
__main__ is not imported again in these processes: its flags would get in the way of the command's.
"""

import contextlib
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from colorization import cli

_POLL_SECONDS = 0.001
_TIMEOUT_SECONDS = 300.0
_PRELOADED = [
    "tensorflow",
    "keras",
    "tensorflow_io",
    "tqdm",
    "colorization.data.sources",
    "colorization.data.dataset",
    "colorization.training.callbacks",
    "colorization.training.checkpoints",
    "colorization.inference.colorizer",
    "colorization.inference.photo_pipeline",
]


class Command:
    """A command that runs.

    Attributes:
      log_path: file that takes what it prints.
    """

    def __init__(self, module: str, *args: object, log_path: Path, hook: Callable[[], None] | None = None):
        """Starts it.

        Args:
          module: "train" for colorization.train, and so on.
          *args: its arguments.
          log_path: see the attributes.
          hook: called in the process before the command; a function of a module, or a partial of one.
        """
        self.log_path = log_path
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._process = context.Process(target=_run, args=(module, list(map(str, args)), str(log_path), hook))
        with cli.stderr_set_aside():  # for the fork server, which the first process starts, and which chatters
            self._process.start()

    def kill(self) -> bool:
        """Kills it with SIGKILL; False if it had ended before."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def kill_later(self, seconds: float, *, begun: Callable[[], bool] | None = None) -> bool:
        """Kills it so many seconds later, counted from when `begun` is first true; False if it had ended before."""
        start = time.monotonic()
        while begun is not None and not begun() and self._process.is_alive():
            if time.monotonic() - start > _TIMEOUT_SECONDS:
                break
            time.sleep(_POLL_SECONDS)
        self._process.join(seconds)
        return self.kill()

    def wait(self, seconds: float = _TIMEOUT_SECONDS) -> int | None:
        """Waits for its end; returns the exit status, negative for a signal, None if it still runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def read_log(self) -> str:
        """What it printed."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")


def _run(module: str, args: list[str], log_path: str, hook: Callable[[], None] | None) -> None:
    """In the process itself."""
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    tempfile.tempdir = os.path.dirname(log_path)  # TensorFlow leaves files there when it is killed
    sys.argv = [f"colorization.{module}", *args]
    if hook is not None:
        hook()
    runpy.run_module(f"colorization.{module}", run_name="__main__", alter_sys=True)
