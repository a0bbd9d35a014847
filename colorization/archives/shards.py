"""TFRecord shards written by Beam: each worker writes whole shards, with the code that `prepare` has without Beam."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from colorization import unfinished
from colorization.archives import files, runners
from colorization.data import records
from colorization.data.skip_report import SkipReport

# A shard's number, whether it was written, and its photos: how many were seen, and which skipped for what reason.
_Result = tuple[int, bool, int, dict[str, str]]


def write_shards(plan: records.ShardPlan, output_dir: Path, report: SkipReport, options: PipelineOptions) -> int:
    """Writes the shards that are missing.

    Args:
      plan: what goes where; all workers must find its photos under the same path.
      output_dir: existing folder that all workers have.
      report: receives each photo; broken and grey ones are left out.
      options: Beam's, with the runner.

    Returns:
      How many were written.

    Raises:
      runners.RunnerError: the pipeline broke off; shards that are there are whole.
      files.FilesError: the results cannot be written.
    """
    results_path = unfinished.make_path(output_dir)
    try:
        runners.run(functools.partial(_build, plan, output_dir, str(results_path)), options)
        results: list[_Result] = json.loads(results_path.read_bytes())
    except OSError as error:
        raise files.FilesError(files.make_reason(str(results_path), error)) from error
    finally:
        results_path.unlink(missing_ok=True)
    for _, _, num_seen, skipped in sorted(results):
        for name, reason in skipped.items():
            report.add(name, reason)
        for _ in range(num_seen - len(skipped)):
            report.add("", None)
    return sum(was_written for _, was_written, _, _ in results)


def _build(plan: records.ShardPlan, output_dir: Path, results_path: str, pipeline: beam.Pipeline) -> None:
    """Adds the transforms, a single chain as in `pipeline.py`."""
    (
        pipeline
        | "Shards" >> beam.Create(range(plan.num_shards))
        | "Write" >> beam.Map(functools.partial(_write_shard, plan, output_dir))
        | "Together" >> beam.GroupByKey()
        | "Results" >> beam.MapTuple(functools.partial(_write_results, results_path))
    )


def _write_shard(plan: records.ShardPlan, output_dir: Path, index: int) -> tuple[int, str]:
    report = SkipReport("prepared")
    was_written = records.write_shard(plan, index, output_dir, report)
    # Names that are no UTF-8 are safe in JSON, and not in Beam's own encoding.
    return 0, json.dumps((index, was_written, report.num_seen, report.skipped))


def _write_results(path: str, key: int, results: Iterable[str]) -> None:
    del key
    files.write_file(path, f"[{','.join(sorted(results))}]".encode())
