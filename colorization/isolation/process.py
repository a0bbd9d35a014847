"""Calls functions in processes of their own; one that hangs, crashes or wants too much memory is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from colorization.isolation import channel

_START_SECONDS = 120.0  # of a machine under heavy load


class IsolationError(Exception):
    """A call that did not come to its end; the message says why, in a few words."""


class TimeLimitError(IsolationError):
    """A call that took longer than allowed."""


class IsolatedProcess:
    """One process, started with the first call, and again with the first after its death."""

    def __init__(self):
        """Makes one that is not running yet."""
        self._process: subprocess.Popen | None = None
        self._connection: socket.socket | None = None

    def call(self, function: Callable[..., Any], *args: Any, seconds: float, memory_bytes: int) -> Any:
        """Calls a function there.

        Args:
          function: of a module that the process can import; that should be quick.
          *args: what pickle can take; arrays are shared or copied once, see `channel`.
          seconds: after which the process is killed.
          memory_bytes: that the process may have for itself in all, shared memory not counted; a function that wants
            more gets a MemoryError or crashes. Systems other than Linux do not keep to it.

        Returns:
          What the function returns.

        Raises:
          TimeLimitError: the time was over.
          IsolationError: the process could not be started, or ended before the function did.
          Exception: the function's own.
        """
        self._start()
        self._connection.settimeout(seconds)
        try:
            channel.send(self._connection, (function, args, seconds, memory_bytes))
            result, error = channel.receive(self._connection)
        except TimeoutError as error:
            self.kill()
            raise TimeLimitError(f"it took longer than {seconds:g} s") from error
        except (EOFError, OSError) as error:
            raise IsolationError(f"its process {self._describe_end()}") from error
        except BaseException:  # half a message, Ctrl-C: what comes next over this socket is not what is asked for
            self.kill()
            raise
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        """Ends the process at once, if there is one."""
        if self._process is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def interrupt(self) -> None:
        """Lets a call that another thread waits for fail."""
        if (process := self._process) is not None:
            process.kill()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.kill()
        near_end, far_end = socket.socketpair()
        far_end.setblocking(True)  # whatever some library has made the default: the process shares this setting
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        try:
            with far_end:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "colorization.isolation.worker", str(far_end.fileno())],
                    pass_fds=[far_end.fileno()],
                    env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # libtiff and others talk about damaged files
                )
        except OSError as error:
            near_end.close()
            raise IsolationError(f"a process for it can't be started: {error.strerror}") from error
        self._connection = near_end
        self._connection.settimeout(_START_SECONDS)
        try:
            channel.receive(self._connection)
        except (EOFError, OSError) as error:  # TimeoutError is one
            raise IsolationError(f"a process for it can't be started: it {self._describe_end()}") from error

    def _describe_end(self) -> str:
        """Waits for the end of a process that has closed its socket, and says how it ended."""
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        if status is None:
            return "did not answer"
        return f"crashed ({signal.Signals(-status).name})" if status < 0 else f"ended with status {status}"


class ProcessPool:
    """Processes for the calls of several threads, each started when there is a first call that no idle one takes."""

    def __init__(self):
        """Makes a pool without processes."""
        self._lock = threading.Lock()
        self._idle: list[IsolatedProcess] = []
        self._busy: list[IsolatedProcess] = []
        self._is_closed = False

    def call(self, function: Callable[..., Any], *args: Any, seconds: float, memory_bytes: int) -> Any:
        """As `IsolatedProcess.call`, in a process that does nothing else meanwhile."""
        with self._lock:
            if self._is_closed:
                raise IsolationError("it was called off")
            process = self._idle.pop() if self._idle else IsolatedProcess()
            self._busy.append(process)
        try:
            return process.call(function, *args, seconds=seconds, memory_bytes=memory_bytes)
        finally:
            with self._lock:
                self._busy.remove(process)
                self._idle.append(process)
                if self._is_closed:
                    process.kill()

    def close(self) -> None:
        """Ends all processes; calls that are under way fail, and so do later ones."""
        with self._lock:
            self._is_closed = True
            for process in self._idle:
                process.kill()
            for process in self._busy:
                process.interrupt()
