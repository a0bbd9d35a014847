"""What a worker does: colorizes photos of an archive with the code of `colorize`, as a model of Beam's RunInference.

RunInference loads the model once in each process and shares it between the threads there. Its examples are groups of
photos, not single ones, so that the next photos are decoded and the last ones written while the network works.
"""

import contextlib
import dataclasses
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import shared

from colorization import cli
from colorization.archives import files, record_files
from colorization.archives.plan import Item
from colorization.image_files import ImageError, make_line
from colorization.inference import photo_jobs, photo_pipeline
from colorization.inference.colorizer import Colorizer
from colorization.isolation.photo_files import Limits, PhotoFiles

LEFT_OUT = "; left out"  # how the reason of a file ends that is no photo, and whose name promises none
_NUM_TRANSFERS = 8  # files that are fetched from a store, or sent there, at a time


@dataclasses.dataclass(frozen=True)
class Settings:
    """How photos are colorized; all of it can be sent to other processes.

    Attributes:
      model_dir: see `Colorizer.load`, as `runtime`.
      runtime: what runs the model.
      device: see `cli.start_tensorflow`.
      seed: see `photo_pipeline.colorize_jobs`, as the next two.
      saturation: factor for chroma.
      batch_size: most photos that are worked on together.
      limits: what a file may cost.
      beam_options: for Beam's file systems.
    """

    model_dir: str | None = None
    runtime: str = "tensorflow"
    device: str = "auto"
    seed: int = 0
    saturation: float = 1.0
    batch_size: int = 8
    limits: Limits = Limits()
    beam_options: tuple[str, ...] = ()


# The processes that read and write files outlive a handler, for runners make a new one of these for every bundle.
_thread = threading.local()

# A photo's label, and one line that says why it failed; None if it is done.
Outcome = tuple[str, str | None]


class ColorizeHandler(ModelHandler[tuple[Item, ...], list[Outcome], Colorizer]):
    """Takes groups of photos from file to file."""

    def __init__(self, settings: Settings):
        """Loads nothing yet.

        Args:
          settings: how photos are colorized.
        """
        super().__init__(min_batch_size=1, max_batch_size=1)  # a group is whole already
        self._settings = settings

    def load_model(self) -> Colorizer:
        """Loads the model, once in a process.

        Raises:
          ModelError: there is none, or it is broken.
        """
        files.set_options(PipelineOptions(list(self._settings.beam_options)))
        if self._settings.runtime == "tensorflow":
            cli.start_tensorflow(self._settings.device)
        return Colorizer.load(self._settings.model_dir, runtime=self._settings.runtime)

    def run_inference(
        self,
        batch: Sequence[tuple[Item, ...]],
        model: Colorizer,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[list[Outcome]]:
        """Colorizes groups of photos and writes the results.

        Args:
          batch: the groups.
          model: what `load_model` returned.
          inference_args: not used.

        Returns:
          For each group what became of its photos.
        """
        del inference_args
        try:
            if getattr(_thread, "limits", None) != self._settings.limits:
                _thread.limits, _thread.files = self._settings.limits, PhotoFiles(self._settings.limits)
            return [list(colorize_items(items, model, _thread.files, self._settings)) for items in batch]
        except BaseException:
            _thread.limits = None  # its files are closed, perhaps: a second try needs new ones
            raise

    def get_metrics_namespace(self) -> str:
        """Names what RunInference measures."""
        return "colorization"


class ColorizeDoFn(beam.DoFn):
    """What RunInference does with a handler, for a runner that cannot have RunInference."""

    def __init__(self, handler: ColorizeHandler):
        """Loads nothing yet."""
        super().__init__()
        self._handler = handler
        self._shared = shared.Shared()

    def setup(self) -> None:
        """Loads the model, unless this process has it."""
        self._model = self._shared.acquire(self._handler.load_model)

    def process(self, group: tuple[Item, ...]) -> Iterable[list[Outcome]]:
        """Colorizes a group of photos."""
        return self._handler.run_inference([group], self._model)


def colorize_items(
    items: Sequence[Item], colorizer: Colorizer, photo_files: PhotoFiles, settings: Settings
) -> Iterator[Outcome]:
    """Colorizes photos and writes the results, replacing files that exist.

    Args:
      items: with equally many outputs each.
      colorizer: the model.
      photo_files: reads and writes files of this machine.
      settings: how.

    Yields:
      What became of each.
    """
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(futures.ThreadPoolExecutor(_NUM_TRANSFERS))
        scratch_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colorization-")))
        places = [_Place(item, scratch_dir / str(index)) for index, item in enumerate(items)]
        jobs = {}
        for place, reason in zip(places, pool.map(_Place.fetch, places), strict=True):
            if reason is None:
                jobs[place.job] = place
            else:
                yield place.label, reason
        outcomes = photo_pipeline.colorize_jobs(
            list(jobs),
            lambda: colorizer,
            photo_files,
            seed=settings.seed,
            saturation=settings.saturation,
            batch_size=settings.batch_size,
        )
        sent = []
        for job, error in outcomes:
            if error is None:
                sent.append((jobs[job], pool.submit(jobs[job].send)))
            else:
                yield jobs[job].label, _describe(error, jobs[job])
        for place, future in sent:
            yield place.label, future.result()


class _Place:
    """Where a photo and its results are on this machine: themselves, or copies in `folder` on their way."""

    def __init__(self, item: Item, folder: Path):
        self.item = item
        self.label = make_line(item.label)
        self._folder = folder
        self._is_copied = item.offset is not None or not files.is_local(item.source)
        self._copies = {path: folder / str(i) for i, path in enumerate(item.outputs) if not files.is_local(path)}
        photo = folder / "photo" if self._is_copied else Path(item.source)
        outputs = tuple(self._copies.get(path, Path(path)) for path in item.outputs)
        self.job = photo_jobs.PhotoJob(photo, outputs, item.is_guess)

    def fetch(self) -> str | None:
        """Brings the photo here; returns why that failed."""
        if obstacle := photo_jobs.find_obstacle(self.job, overwrite=True):
            return self.strip(make_line(obstacle))
        try:
            if self._is_copied or self._copies:
                self._folder.mkdir()
            if self._is_copied:
                self.job.photo.write_bytes(self._read())
        except Exception as error:  # each file system raises its own kinds
            return files.make_reason("", error).removeprefix(": ")
        return None

    def send(self) -> str | None:
        """Brings the results where they belong; returns why that failed."""
        try:
            for output, copy in self._copies.items():
                files.write_file(output, copy.read_bytes())
        except (files.FilesError, OSError) as error:
            return str(error)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)  # room for the next ones
        return None

    def strip(self, line: str) -> str:
        """Takes the photo's path, or that of a copy, off the start of a line."""
        for path in (self.job.photo, *self._copies.values()):
            line = line.removeprefix(f"{make_line(str(path))}: ")
        return line

    def _read(self) -> bytes:
        if self.item.offset is not None:
            return record_files.parse(record_files.read(self.item.source, self.item.offset))[1]
        with files.open_file(self.item.source) as file:
            return file.read()


def _describe(error: ImageError, place: _Place) -> str:
    """Makes a failure's reason, without the photo's path, which may be that of a copy."""
    reason = place.strip(str(error))
    if place.item.is_guess and error.kind == "no image":
        return f"{reason}{LEFT_OUT}"
    return f"{reason}{cli.LIMIT_ADVICE.get(error.kind, '')}"
