"""Requests that wait for the model process, and which of them it gets next."""

import asyncio
import collections
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizeJob, PredictJob


@dataclasses.dataclass(eq=False)
class Request:
    """A job on its way.

    Attributes:
      job: what to do.
      future: gets the result, or a ServingError; done early if the client left or the time is over.
      version: of the model for which the job was checked; None for any.
      num_bytes: that its inputs take.
      goes_alone: not to be merged, nor to be worked on beside others: it is under suspicion.
      num_deaths: model processes that died while they had it.
    """

    job: ColorizeJob | PredictJob
    future: asyncio.Future
    version: int | None
    num_bytes: int
    goes_alone: bool = False
    num_deaths: int = 0

    def fail(self, code: Code, message: str, *, http_status: int | None = None) -> None:
        """Answers with an error, if there is no answer yet; arguments as of ServingError."""
        if not self.future.done():
            self.future.set_exception(ServingError(code, message, http_status=http_status))


class RequestQueue:
    """First in, first out, within bounds; requests that fit together leave together."""

    def __init__(self, *, max_length: int, max_bytes: int, max_batch_size: int):
        """Makes an empty queue.

        Args:
          max_length: requests that may wait.
          max_bytes: that their inputs may take together.
          max_batch_size: rows of a batch; 1 merges nothing.
        """
        self._requests: collections.deque[Request] = collections.deque()
        self._max_length, self._max_bytes, self._max_batch_size = max_length, max_bytes, max_batch_size

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests)

    def add(self, request: Request) -> None:
        """Appends a request.

        Raises:
          ServingError: RESOURCE_EXHAUSTED; there are too many, or they are too large.
        """
        self._drop_settled()
        too_many = len(self._requests) >= self._max_length
        if too_many or sum(r.num_bytes for r in self._requests) + request.num_bytes > self._max_bytes:
            raise ServingError(Code.RESOURCE_EXHAUSTED, "too many requests are waiting; try again later")
        self._requests.append(request)

    def put_back(self, requests: list[Request]) -> None:
        """Puts requests in front again, in their order; they were let in before."""
        self._requests.extendleft(reversed(requests))

    def peek(self) -> Request | None:
        """The next request that somebody still waits for."""
        self._drop_settled()
        return self._requests[0] if self._requests else None

    def take(self) -> list[Request]:
        """Takes the next request, and those behind it that may share its batch."""
        first = self.peek()
        if first is None:
            return []
        batch = [self._requests.popleft()]
        key = batch_key(first)
        if key is None or self._max_batch_size == 1:
            return batch
        num_rows = count_rows(first.job)
        for other in list(self._requests):
            if batch_key(other) == key and num_rows + count_rows(other.job) <= self._max_batch_size:
                num_rows += count_rows(other.job)
                self._requests.remove(other)
                batch.append(other)
        return batch

    def _drop_settled(self) -> None:
        if any(request.future.done() for request in self._requests):
            self._requests = collections.deque(r for r in self._requests if not r.future.done())


def batch_key(request: Request) -> Any:
    """Requests of equal keys can be one batch; None for one that cannot be merged."""
    job = request.job
    if request.goes_alone or not isinstance(job, PredictJob) or not job.inputs or count_rows(job) == 0:
        return None
    if any(array.ndim == 0 or len(array) != count_rows(job) for array in job.inputs.values()):
        return None
    return request.version, job.signature_name, tuple((n, a.dtype, a.shape[1:]) for n, a in sorted(job.inputs.items()))


def count_rows(job: PredictJob) -> int:
    """Rows of the first input."""
    array = next(iter(job.inputs.values()))
    return len(array) if array.ndim else 1


def merge_jobs(jobs: list[PredictJob]) -> PredictJob:
    """One job of several with equal keys."""
    if len(jobs) == 1:
        return jobs[0]
    inputs = {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}
    return dataclasses.replace(jobs[0], inputs=inputs)


def split_outputs(outputs: dict[str, np.ndarray], jobs: list[PredictJob]) -> list[dict[str, np.ndarray]]:
    """The outputs of each job of a merged one."""
    if len(jobs) == 1:
        return [outputs]
    ends = np.cumsum([count_rows(job) for job in jobs])[:-1]
    parts = {name: np.split(array, ends) for name, array in outputs.items()}
    return [{name: arrays[index] for name, arrays in parts.items()} for index in range(len(jobs))]
