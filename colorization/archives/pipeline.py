"""The pipeline that colorizes an archive: groups of photos -> RunInference -> the list of those that failed."""

import functools
from collections.abc import Iterable, Sequence

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from colorization.archives import files, runners
from colorization.archives.handler import LEFT_OUT, ColorizeDoFn, ColorizeHandler, Outcome, Settings
from colorization.archives.plan import ERRORS_NAME, Item, Plan, find_missing
from colorization.image_files import make_line

# A group ends with waiting for its last photo, so it is not small; nor large, for it is given to a worker as a whole.
_MIN_GROUP, _MAX_GROUP = 8, 32
_NUM_GROUPS = 64  # of which there should be more than workers, so that these end at the same time


def colorize(plan: Plan, settings: Settings, options: PipelineOptions) -> list[Outcome]:
    """Colorizes what is planned and writes the list of what failed, if any did, beside the results.

    Args:
      plan: what goes where.
      settings: how.
      options: Beam's, with the runner.

    Returns:
      The photos that failed or were left out, and why.

    Raises:
      runners.RunnerError: the pipeline broke off; what is written is whole, and another call does the rest.
      files.FilesError: the list cannot be written or read.
    """
    errors_path = f"{plan.output_dir}/{ERRORS_NAME}"
    files.remove_file(errors_path)
    if plan.errors:
        files.write_file(errors_path, make_lines(plan.errors))
    if plan.items:
        groups = make_groups(plan.items)
        colorize_groups = _make_transform(ColorizeHandler(settings), options)
        runners.run(functools.partial(_build, groups, colorize_groups, plan.errors, errors_path), options)
    outcomes = read_lines(files.read_file(errors_path) or b"")
    labels = {label for label, _ in outcomes}
    lost = [item for item in find_missing(plan.items, plan.output_dir) if make_line(item.label) not in labels]
    if lost:
        raise runners.RunnerError(
            f"{make_line(lost[0].label)} and {len(lost) - 1} other photos have neither a result nor a line in "
            f"{errors_path}",
            "LostError",
        )
    return outcomes


def make_groups(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Groups photos as they come."""
    size = max(_MIN_GROUP, min(_MAX_GROUP, len(items) // _NUM_GROUPS))
    return [tuple(items[i : i + size]) for i in range(0, len(items), size)]


def make_lines(outcomes: Iterable[Outcome]) -> bytes:
    """Makes the list of what failed: a line each, name and reason with a tab between, sorted."""
    lines = sorted(f"{make_line(label)}\t{make_line(reason or '')}\n" for label, reason in outcomes)
    return "".join(lines).encode()


def read_lines(data: bytes) -> list[Outcome]:
    """Reads what `make_lines` made."""
    return [tuple(line.split("\t", 1)) for line in data.decode().splitlines()]


def is_left_out(outcome: Outcome) -> bool:
    """Tells whether a file is no photo, and its name promised none: no failure."""
    return bool(outcome[1]) and outcome[1].endswith(LEFT_OUT)


def _build(
    groups: Sequence[tuple[Item, ...]],
    colorize_groups: beam.PTransform,
    errors: Sequence[Outcome],
    errors_path: str,
    pipeline: beam.Pipeline,
) -> None:
    """Adds the transforms: a single chain without side inputs, for Dask's runner would do twice what these hang on."""
    (
        pipeline
        | "Groups" >> beam.Create(groups)
        | "Colorize" >> colorize_groups
        | "Failures" >> beam.FlatMap(_select_failures)
        | "Together" >> beam.GroupByKey()
        | "List" >> beam.MapTuple(functools.partial(_write_errors, errors_path, tuple(errors)))
    )


def _make_transform(handler: ColorizeHandler, options: PipelineOptions) -> beam.PTransform:
    """RunInference, but for Dask's runner: that one drops what comes at the end of a bundle, and so each last batch."""
    return beam.ParDo(ColorizeDoFn(handler)) if runners.is_dask(options) else RunInference(handler)


def _select_failures(outcomes: Iterable[Outcome]) -> list[tuple[int, Outcome]]:
    return [(0, outcome) for outcome in outcomes if outcome[1] is not None]


def _write_errors(path: str, earlier: Sequence[Outcome], key: int, outcomes: Iterable[Outcome]) -> None:
    del key
    files.write_file(path, make_lines([*earlier, *outcomes]))
