"""The model behind the front ends: a bounded queue, one process that computes, new versions, and second chances.

Requests wait in the server, not in the process: when that dies, over a hostile photo or for lack of memory, only what
it was working on is lost. Those few are tried once more, one by one; the one over which the next process dies too gets
an error, the others their results.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from colorization.serving import checks
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizedPhoto, ColorizeJob, ModelInfo, PredictJob
from colorization.serving.model import VersionStatus
from colorization.serving.process import ModelProcess, ProcessDiedError, ProcessSettings
from colorization.serving.queue import Request, RequestQueue, merge_jobs, split_outputs
from colorization.serving.stats import Stats
from colorization.serving.versions import VersionBook

log = logging.getLogger(__name__)

_MAX_BACKOFF = 32.0  # times the usual pause, before a process that does not start is tried again


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """Bounds and habits of an Engine.

    Attributes:
      process: of the model process.
      max_queue_length: requests that wait.
      max_queue_bytes: that their inputs take together.
      max_batch_size: rows of merged Predict requests; 1 merges none.
      max_images: in one request.
      max_pixels: of one image.
      request_timeout: seconds from arrival to answer, and for the work itself.
      poll_seconds: between two looks at the folder of versions.
    """

    process: ProcessSettings = ProcessSettings()
    max_queue_length: int = 64
    max_queue_bytes: int = 512 << 20
    max_batch_size: int = 1
    max_images: int = 16
    max_pixels: int = 50_000_000
    request_timeout: float = 60.0
    poll_seconds: float = 1.0


class Engine:
    """Implements `model.ModelBackend` for a folder of versions. All methods belong to the event loop's thread."""

    def __init__(self, base_dir: Path, settings: EngineSettings, stats: Stats):
        """Prepares; `start` begins.

        Args:
          base_dir: folder of versions, as TensorFlow Serving has it.
          settings: bounds and habits.
          stats: receives counts.
        """
        self.settings, self.stats = settings, stats
        self._versions = VersionBook(base_dir)
        self._queue = RequestQueue(
            max_length=settings.max_queue_length,
            max_bytes=settings.max_queue_bytes,
            max_batch_size=settings.max_batch_size,
        )
        self._process: ModelProcess | None = None
        self._signature_defs: Mapping[str, Any] = {}
        self._running: set[Request] = set()
        self._tasks: set[asyncio.Task] = set()
        self._watcher: asyncio.Task | None = None
        self._look_now = asyncio.Event()
        self._has_looked = asyncio.Event()
        self.is_draining = False
        stats.watch_queue(lambda: len(self._queue))

    async def start(self) -> None:
        """Begins to look for versions; returns when the first one answers, or none could be loaded."""
        self._watcher = asyncio.create_task(self._watch())
        await self._has_looked.wait()

    async def stop(self) -> None:
        """Finishes what was let in, then ends the process."""
        self.is_draining = True
        while self._queue.peek() or self._running:
            waiting = [request.future for request in (*self._queue, *self._running)]
            await asyncio.wait(waiting, timeout=self.settings.request_timeout)
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._process is not None:
            await self._process.close()

    def abort(self) -> None:
        """Gives up whatever still waits or runs, at once; nothing to do after `stop`."""
        self.is_draining = True
        for request in (*self._queue, *self._running):
            request.fail(Code.UNAVAILABLE, "the server is shutting down")
        for task in (self._watcher, *self._tasks):
            if task is not None:
                task.cancel()  # one that starts or retires a process kills it
        if self._process is not None:
            self._process.kill()

    @property
    def is_ready(self) -> bool:
        """Whether a request would be worked on now."""
        return self._process is not None and not self._process.is_dead and not self.is_draining

    @property
    def version(self) -> int | None:
        """The version that answers, if there is one."""
        return self._process.version if self._process else None

    @property
    def info(self) -> ModelInfo | None:
        """What the model that answers can do; None while there is none."""
        return self._process.info if self._process else None

    def version_statuses(self) -> list[VersionStatus]:
        """See `ModelBackend`."""
        return self._versions.statuses()

    def signature_defs(self, version: int | None = None) -> tuple[int, Mapping[str, Any]]:
        """See `ModelBackend`."""
        if self._process is None and version is None:
            raise ServingError(Code.UNAVAILABLE, "no version of the model is loaded")
        if self._process is None or version not in (None, self._process.version):
            raise ServingError(Code.NOT_FOUND, f"version {version} of the model is not loaded")
        return self._process.version, self._signature_defs

    async def predict(
        self, inputs: Mapping[str, np.ndarray], *, signature_name: str, version: int | None = None
    ) -> tuple[int, dict[str, np.ndarray]]:
        """See `ModelBackend`."""
        number, signatures = self.signature_defs(version)
        limits = checks.Limits(self.settings.max_images, self.settings.max_pixels)
        checks.check_inputs(inputs, signatures, signature_name, limits)
        job = PredictJob(signature_name, dict(inputs), self.settings.max_pixels)
        return number, await self._submit(job, checks.count_bytes(inputs), version)

    async def colorize(self, job: ColorizeJob) -> ColorizedPhoto:
        """Colorizes a photo.

        Raises:
          ServingError: as `predict`.
        """
        job = dataclasses.replace(job, max_pixels=self.settings.max_pixels)
        return await self._submit(job, len(job.photo) + len(job.reference or b""), None)

    async def _submit(self, job: ColorizeJob | PredictJob, num_bytes: int, version: int | None) -> Any:
        if self.is_draining:
            raise ServingError(Code.UNAVAILABLE, "the server is shutting down")
        if self._process is None and self._has_looked.is_set():
            raise ServingError(Code.UNAVAILABLE, "no version of the model is loaded")
        loop = asyncio.get_running_loop()
        request = Request(job, loop.create_future(), version, num_bytes)
        message = f"not done within {self.settings.request_timeout:g} s"
        timer = loop.call_later(self.settings.request_timeout, request.fail, Code.DEADLINE_EXCEEDED, message)
        try:
            self._queue.add(request)
            self._dispatch()
            return await request.future
        finally:
            timer.cancel()
            request.future.cancel()  # the client may have left: then nobody waits any more

    def _dispatch(self) -> None:
        """Gives the process what it can take."""
        while self._process is not None and not self._process.is_dead and (head := self._queue.peek()):
            is_full = len(self._running) >= self.settings.process.num_threads
            if is_full or self._running and (head.goes_alone or any(r.goes_alone for r in self._running)):
                return
            if head.version not in (None, self._process.version):
                self._queue.take()
                head.fail(Code.NOT_FOUND, f"version {head.version} of the model is not loaded")
                continue
            batch = self._queue.take()
            self._running.update(batch)
            task = asyncio.create_task(self._run(batch, self._process))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: list[Request], process: ModelProcess) -> None:
        """Has a batch worked on; answers its requests, or puts them back."""
        again: list[Request] = []
        try:
            job = batch[0].job if isinstance(batch[0].job, ColorizeJob) else merge_jobs([r.job for r in batch])
            self.stats.batch_size.observe(len(batch))
            result = await asyncio.wait_for(process.run(job), self.settings.request_timeout)
            results = [result] if len(batch) == 1 else split_outputs(result, [r.job for r in batch])
            for request, part in zip(batch, results, strict=True):
                if not request.future.done():
                    request.future.set_result(part)
        except TimeoutError:
            self._fail(batch, Code.DEADLINE_EXCEEDED, f"not done within {self.settings.request_timeout:g} s")
            process.kill()  # nothing else ends a decoder that has lost its way
        except ProcessDiedError:
            for request in batch:
                request.num_deaths += 1
                request.goes_alone = True
            again = [request for request in batch if request.num_deaths < 2]
            # Not UNAVAILABLE: clients would try it again, and again end a process.
            self._fail(batch, Code.INTERNAL, "the process that worked on this request died", but=again)
        except ServingError as error:
            if len(batch) > 1:  # whose fault it is shows when each goes alone
                again = batch
                for request in batch:
                    request.goes_alone = True
            else:
                self._fail(batch, error.code, str(error), http_status=error.http_status)
        except Exception:
            log.exception("a batch failed")
            self._fail(batch, Code.INTERNAL, "internal error")
        finally:
            self._running.difference_update(batch)
            self._queue.put_back(again)
            if process.is_dead:
                self._look_now.set()
            self._dispatch()

    def _fail(
        self,
        batch: list[Request],
        code: Code,
        message: str,
        *,
        but: list[Request] | None = None,
        http_status: int | None = None,
    ) -> None:
        for request in batch:
            if request not in (but or []):
                request.fail(code, message, http_status=http_status)

    async def _watch(self) -> None:
        """Keeps a process of the right version alive, for as long as the server runs."""
        num_failures = 0
        while True:
            version_dir = await asyncio.to_thread(self._versions.choose)
            current = self._process
            is_dead = current is None or current.is_dead
            if version_dir is not None and (is_dead or int(version_dir.name) != current.version):
                is_known_good = current is not None and int(version_dir.name) == current.version
                if await self._load(version_dir, is_known_good):
                    num_failures = 0
                elif is_known_good:
                    num_failures += 1
                else:
                    continue  # the version below may do
            self._has_looked.set()
            delay = self.settings.poll_seconds * min(2.0**num_failures, _MAX_BACKOFF)
            self._look_now.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), delay)

    async def _load(self, version_dir: Path, is_known_good: bool) -> bool:
        """Starts a process for a version and lets it take over; says whether that worked."""
        version, old = int(version_dir.name), self._process
        if not is_known_good:
            self._versions.set_state(version, "LOADING")
        starting = asyncio.create_task(ModelProcess.start(version_dir, self.settings.process))
        try:
            signatures = await asyncio.to_thread(checks.read_signature_defs, version_dir)
            process = await starting
        except ServingError as error:
            starting.cancel()
            log.warning("version %d is refused: %s", version, error)
            if not is_known_good:
                self._versions.refuse(version_dir, str(error))
            return False
        self._process, self._signature_defs = process, signatures
        self._versions.set_state(version, "AVAILABLE")
        self.stats.model_version.set(version)
        if old is not None and old.is_dead:
            self.stats.restarts.inc()
        elif old is not None:
            self._versions.set_state(old.version, "UNLOADING")
            task = asyncio.create_task(self._retire(old))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._dispatch()
        return True

    async def _retire(self, process: ModelProcess) -> None:
        """Lets a process of an old version finish."""
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.close(), self.settings.request_timeout)
        finally:
            process.kill()
        self._versions.set_state(process.version, "END")
