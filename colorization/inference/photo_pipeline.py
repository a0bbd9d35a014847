"""Takes photos from file to file: threads decode and encode while the network works, within bounded memory."""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorization import image_io
from colorization.inference.hints import Hint
from colorization.inference.photo_jobs import PhotoJob

if TYPE_CHECKING:
    from colorization.inference.colorizer import Colorizer

_BATCH_PIXELS = 4_000_000  # of all photos that go through the network together
_WAITING_PIXELS = 25_000_000  # about as many wait decoded for the network, and as many to be written

Outcome = tuple[PhotoJob, str | None]


def colorize_jobs(
    jobs: Sequence[PhotoJob],
    load_colorizer: Callable[[], "Colorizer"],
    *,
    seed: int = 0,
    saturation: float = 1.0,
    batch_size: int = 8,
    hints: Sequence[Hint] = (),
    reference: np.ndarray | None = None,
) -> Iterator[Outcome]:
    """Colorizes photos and writes the results, replacing files that exist.

    Args:
      jobs: with equally many outputs each. With one output it is the automatic colour, z = 0, or that of the
        reference; else all are drawn.
      load_colorizer: called once, while the first photos are being decoded.
      seed: for the draws; sample i has the same noise for all photos.
      saturation: factor for chroma, at least 0.
      batch_size: most photos that are worked on together.
      hints: colours asked for at points, the same in all photos.
      reference: photo in colour, rgb (H, W, 3) uint8 or uint16, whose mood all photos take; for one output each.

    Yields:
      Each job when its results are written, with None, or as soon as it has failed, with one line that says why.

    Raises:
      ModelError: the model is too old for hints or a reference.
      HintError: a hint lies outside a photo.
      ValueError: the reference is grey, or there are several outputs beside it.
    """
    if not jobs:
        return
    num_samples = len(jobs[0].outputs)
    if reference is not None and num_samples > 1:
        raise ValueError("a reference gives each photo one result, not several")
    pool = concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        reads = _start_reading(pool, jobs, max_waiting=2 * batch_size)
        colorizer = load_colorizer()
        if reference is not None:
            zs = [colorizer.encode_reference(reference)]
        else:
            zs = [None] if num_samples == 1 else list(colorizer.draw_z(num_samples, seed))
        writer = _Writer(pool)
        for batch, failures in _make_batches(reads, batch_size):
            yield from failures
            for sample, z in enumerate(zs if batch else []):
                results = colorizer.colorize_batch(
                    [photo.rgb for _, photo in batch], z=z, saturation=saturation, hints=[hints] * len(batch)
                )
                for (job, photo), rgb in zip(batch, results, strict=True):
                    yield from writer.write(job, sample, dataclasses.replace(photo, rgb=rgb))
        yield from writer.finish()
    finally:
        pool.shutdown(cancel_futures=True)


Read = tuple[PhotoJob, image_io.Photo | image_io.ImageError]


def _start_reading(pool: concurrent.futures.Executor, jobs: Sequence[PhotoJob], *, max_waiting: int) -> Iterator[Read]:
    """Begins to decode the first photos; the iterator gives all, in order, and decodes further ones ahead."""
    unread = iter(jobs)
    reads: collections.deque[tuple[PhotoJob, concurrent.futures.Future]] = collections.deque()

    def read_ahead(num_photos: int) -> None:
        while len(reads) < num_photos and (job := next(unread, None)):
            reads.append((job, pool.submit(image_io.read_photo, job.photo)))

    def results() -> Iterator[Read]:
        while reads:
            job, future = reads.popleft()
            try:
                photo = future.result()
            except image_io.ImageError as error:
                read_ahead(2)
                yield job, error
                continue
            # The next photos are probably about as large.
            read_ahead(min(max_waiting, 1 + _WAITING_PIXELS // _num_pixels(photo.rgb)))
            yield job, photo

    read_ahead(2)
    return results()


def _make_batches(
    reads: Iterator[Read], batch_size: int
) -> Iterator[tuple[list[tuple[PhotoJob, image_io.Photo]], list[Outcome]]]:
    """Groups photos, many small or one large; with each group come the failures met on the way."""
    batch: list[tuple[PhotoJob, image_io.Photo]] = []
    failures: list[Outcome] = []
    num_pixels = 0
    for job, photo in reads:
        if isinstance(photo, image_io.ImageError):
            failures.append((job, str(photo)))
            continue
        size = _num_pixels(photo.rgb)
        if batch and (len(batch) == batch_size or num_pixels + size > _BATCH_PIXELS):
            yield batch, failures
            batch, failures, num_pixels = [], [], 0
        batch.append((job, photo))
        num_pixels += size
    yield batch, failures


class _Writer:
    """Writes photos in the pool's threads and keeps the number of pixels that wait bounded."""

    def __init__(self, pool: concurrent.futures.Executor):
        self._pool = pool
        self._writes: collections.deque[tuple[PhotoJob, int, int, concurrent.futures.Future]] = collections.deque()
        self._num_pixels = 0
        self._errors: dict[PhotoJob, str] = {}

    def write(self, job: PhotoJob, sample: int, photo: image_io.Photo) -> Iterator[Outcome]:
        """Queues a sample; yields the jobs that it had to wait for, or that are done anyway."""
        size = _num_pixels(photo.rgb)
        self._writes.append((job, sample, size, self._pool.submit(_write, job.outputs[sample], photo)))
        self._num_pixels += size
        while self._writes and (self._num_pixels > _WAITING_PIXELS or self._writes[0][-1].done()):
            yield from self._settle()

    def finish(self) -> Iterator[Outcome]:
        """Waits for all that is queued."""
        while self._writes:
            yield from self._settle()

    def _settle(self) -> Iterator[Outcome]:
        """Waits for the oldest write; yields its job if that was the last sample."""
        job, sample, size, future = self._writes.popleft()
        self._num_pixels -= size
        try:
            future.result()
        except image_io.ImageError as error:
            self._errors[job] = str(error)
        if sample == len(job.outputs) - 1:
            yield job, self._errors.pop(job, None)


def _write(path: Path, photo: image_io.Photo) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise image_io.ImageError(f"{path}: {error.strerror}") from error
    image_io.write_photo(path, photo)


def _num_pixels(rgb: np.ndarray) -> int:
    return rgb.shape[0] * rgb.shape[1]
