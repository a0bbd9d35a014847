"""Takes photos from file to file: processes decode and encode while the network works, within bounded memory."""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorization.image_io import ImageError, Photo
from colorization.inference.hints import Hint
from colorization.inference.photo_jobs import PhotoJob
from colorization.isolation.channel import make_array
from colorization.isolation.photo_files import PhotoFiles

if TYPE_CHECKING:
    from colorization.inference.colorizer import Colorizer

_BATCH_PIXELS = 4_000_000  # of all photos that go through the network together
_WAITING_PIXELS = 25_000_000  # about as many wait decoded for the network, and as many to be written

Outcome = tuple[PhotoJob, ImageError | None]


def colorize_jobs(
    jobs: Sequence[PhotoJob],
    load_colorizer: Callable[[], "Colorizer"],
    files: PhotoFiles,
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
      files: reads the photos and writes the results.
      seed: for the draws; sample i has the same noise for all photos.
      saturation: factor for chroma, at least 0.
      batch_size: most photos that are worked on together.
      hints: colours asked for at points, the same in all photos.
      reference: photo in colour, rgb (H, W, 3) uint8 or uint16, whose mood all photos take; for one output each.

    Yields:
      Each job when its results are written, with None, or as soon as it has failed, with the error.

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
        reads = _start_reading(pool, files, jobs, max_waiting=2 * batch_size)
        colorizer = load_colorizer()
        if reference is not None:
            zs = [colorizer.encode_reference(reference)]
        else:
            zs = [None] if num_samples == 1 else list(colorizer.draw_z(num_samples, seed))
        writer = _Writer(pool, files)
        for batch, failures in _make_batches(reads, batch_size):
            yield from failures
            for sample, z in enumerate(zs if batch else []):
                is_last = sample == len(zs) - 1
                results = [_make_result(photo.rgb, is_last=is_last) for _, photo in batch]
                colorizer.colorize_batch(
                    [photo.rgb for _, photo in batch],
                    z=z,
                    saturation=saturation,
                    hints=[hints] * len(batch),
                    out=results,
                )
                yield from writer.write_batch(batch, sample, results)
            batch.clear()  # or the photos would stay until the next ones are there
        yield from writer.finish()
    except BaseException:
        files.close()  # nobody waits for what is being read and written
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _make_result(rgb: np.ndarray, *, is_last: bool) -> np.ndarray:
    """Where a result goes: over the photo itself if that is not needed any more, else into new shared memory."""
    return rgb if is_last and rgb.flags.writeable else make_array(rgb.shape, rgb.dtype)


Read = tuple[PhotoJob, Photo | ImageError]


def _start_reading(
    pool: concurrent.futures.Executor, files: PhotoFiles, jobs: Sequence[PhotoJob], *, max_waiting: int
) -> Iterator[Read]:
    """Begins to decode the first photos; the iterator gives all, in order, and decodes further ones ahead."""
    unread = iter(jobs)
    reads: collections.deque[tuple[PhotoJob, concurrent.futures.Future]] = collections.deque()

    def read_ahead(num_photos: int) -> None:
        while len(reads) < num_photos and (job := next(unread, None)):
            reads.append((job, pool.submit(files.read, job.photo)))

    def results() -> Iterator[Read]:
        while reads:
            job, future = reads.popleft()
            try:
                photo = future.result()
            except ImageError as error:
                read_ahead(2)
                yield job, error
                continue
            # The next photos are probably about as large.
            read_ahead(min(max_waiting, 1 + _WAITING_PIXELS // _num_pixels(photo.rgb)))
            yield job, photo
            del photo, future  # or they would stay until the next one is read

    read_ahead(2)
    return results()


def _make_batches(
    reads: Iterator[Read], batch_size: int
) -> Iterator[tuple[list[tuple[PhotoJob, Photo]], list[Outcome]]]:
    """Groups photos, many small or one large; with each group come the failures met on the way."""
    batch: list[tuple[PhotoJob, Photo]] = []
    failures: list[Outcome] = []
    num_pixels = 0
    for job, photo in reads:
        if isinstance(photo, ImageError):
            failures.append((job, photo))
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

    def __init__(self, pool: concurrent.futures.Executor, files: PhotoFiles):
        self._pool, self._files = pool, files
        self._writes: collections.deque[tuple[PhotoJob, int, int, concurrent.futures.Future]] = collections.deque()
        self._num_pixels = 0
        self._errors: dict[PhotoJob, ImageError] = {}

    def write_batch(
        self, batch: Sequence[tuple[PhotoJob, Photo]], sample: int, results: list[np.ndarray]
    ) -> Iterator[Outcome]:
        """Queues a sample of each photo, taken out of `results`; yields jobs that it waited for, or that are done."""
        for job, photo in batch:
            photo = dataclasses.replace(photo, rgb=results.pop(0))
            size = _num_pixels(photo.rgb)
            self._writes.append((job, sample, size, self._pool.submit(_write, self._files, job.outputs[sample], photo)))
            del photo  # written, it shall be gone
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
        except ImageError as error:
            self._errors[job] = error
        if sample == len(job.outputs) - 1:
            yield job, self._errors.pop(job, None)


def _write(files: PhotoFiles, path: Path, photo: Photo) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    files.write(path, photo)


def _num_pixels(rgb: np.ndarray) -> int:
    return rgb.shape[0] * rgb.shape[1]
