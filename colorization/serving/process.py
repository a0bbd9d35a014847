"""A model process as the server sees it: start it, give it jobs, learn of its death."""

import asyncio
import dataclasses
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colorization.serving import worker
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ModelInfo


class ProcessDiedError(Exception):
    """The process ended before the job was done."""


@dataclasses.dataclass(frozen=True)
class ProcessSettings:
    """How to run a model process.

    Attributes:
      num_threads: jobs that it works on at a time.
      start_timeout: seconds that it may take to load and warm up a model.
      backend: HOST:PORT/NAME of a TensorFlow Serving that does the computing, or None.
    """

    num_threads: int = 2
    start_timeout: float = 120.0
    backend: str | None = None


class ModelProcess:
    """One process with one version of the model.

    All methods belong to the event loop's thread; a thread of its own waits at the pipe.

    Attributes:
      version: of the model.
      info: what the model can do.
    """

    def __init__(self, version: int, info: ModelInfo, process: Any, connection: Any):
        """Takes what `start` made; use that."""
        self.version, self.info = version, info
        self._process, self._connection = process, connection
        self._loop = asyncio.get_running_loop()
        self._futures: dict[int, asyncio.Future] = {}
        self._num_sent = 0
        self._is_dead = False
        self._sending = threading.Lock()
        threading.Thread(target=self._receive, name=f"pipe-{process.pid}", daemon=True).start()

    @classmethod
    async def start(cls, version_dir: Path, settings: ProcessSettings) -> "ModelProcess":
        """Starts a process and waits until its model has answered once.

        Raises:
          ServingError: the model can't be used.
        """
        # Not forked: TensorFlow's threads and the event loop's would not survive that.
        context = multiprocessing.get_context("spawn")
        connection, far_end = context.Pipe()
        arguments = (far_end, str(version_dir), settings.backend, settings.num_threads)
        process = context.Process(target=worker.main, args=arguments, name="model", daemon=True)
        process.start()
        far_end.close()  # or the end of the process would not close the pipe

        def wait_until_ready() -> Any:
            try:
                if connection.poll(settings.start_timeout):
                    return connection.recv()
            except (EOFError, OSError):
                return ServingError(Code.UNAVAILABLE, "the process died while it loaded the model")
            return ServingError(Code.UNAVAILABLE, f"the model was not ready after {settings.start_timeout:g} s")

        answer: Any = None
        try:
            answer = await asyncio.to_thread(wait_until_ready)
        finally:
            if not isinstance(answer, ModelInfo):  # cancelled, too
                process.kill()
                connection.close()
        if isinstance(answer, ServingError):
            raise answer
        return cls(int(version_dir.name), answer, process, connection)

    @property
    def is_dead(self) -> bool:
        """Whether it has ended, or was killed."""
        return self._is_dead

    @property
    def num_running(self) -> int:
        """Jobs that it has not answered yet."""
        return len(self._futures)

    async def run(self, job: Any) -> Any:
        """Has a job done.

        Raises:
          ProcessDiedError: the process ended before.
          ServingError: the job's own failure.
        """
        if self._is_dead:
            raise ProcessDiedError
        number = self._num_sent
        self._num_sent += 1
        future = self._futures[number] = self._loop.create_future()
        try:
            # In a thread, for a pipe takes a large photo only as fast as the other end reads it.
            await asyncio.to_thread(self._send, number, job)
        except OSError as error:
            self._futures.pop(number, None)
            self.kill()  # known here before the thread at the pipe says so: it must get no further jobs meanwhile
            raise ProcessDiedError from error
        result = await future
        if isinstance(result, Exception):
            raise result
        return result

    def kill(self) -> None:
        """Ends the process at once; what it was doing fails with ProcessDiedError."""
        self._is_dead = True
        self._process.kill()

    async def close(self) -> None:
        """Lets the process finish what it is doing, then ends it."""
        while self._futures and not self._is_dead:
            await asyncio.wait(list(self._futures.values()))
        self.kill()

    def _send(self, number: int, job: Any) -> None:
        with self._sending:
            if self._connection.closed:
                raise OSError("the pipe is closed")
            self._connection.send((number, job))

    def _receive(self) -> None:
        """The thread: hands results to the loop until the pipe breaks."""
        try:
            while True:
                number, result = self._connection.recv()
                self._call(self._settle, number, result)
        except Exception:  # EOFError, OSError, and what half a message makes of pickle
            self._process.kill()
            self._process.join()
            self._call(self._die)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)

    def _settle(self, number: int, result: Any) -> None:
        future = self._futures.pop(number, None)
        if future is not None and not future.done():
            future.set_result(result)

    def _die(self) -> None:
        self._is_dead = True
        with self._sending:  # a thread that is at it fails soon: nobody reads any more
            self._connection.close()
        for number in list(self._futures):
            self._settle(number, ProcessDiedError())
