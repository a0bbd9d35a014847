"""Writes a folder of photos into TFRecord shards, for training from a bucket or a slow disk.

    python -m colorization.prepare --data_dir=PHOTOS --output_dir=SHARDS
    python -m colorization.train --records='SHARDS/photos-*.tfrecord' --run_dir=runs/mine

Run the same command again to write only the shards that are missing.

With --runner, Apache Beam writes the shards, several at a time in processes of their own or on a cluster, as for
`archive`; it needs requirements-beam.txt. All workers must reach both folders. Beam's own options follow after "--":

    python -m colorization.prepare --data_dir=PHOTOS --output_dir=SHARDS --runner=DirectRunner --num_workers=8
"""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli

if TYPE_CHECKING:
    from colorization.data.records import ShardPlan
    from colorization.data.skip_report import SkipReport

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, searched recursively.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the shards.")
_PHOTOS_PER_SHARD = flags.DEFINE_integer("photos_per_shard", 2048, "Photos in each shard.", 1)
_MAX_SHORT_SIDE = flags.DEFINE_integer("max_short_side", 256, "Shrink larger photos to this short side, in pixels.", 32)
_JPEG_QUALITY = flags.DEFINE_integer("jpeg_quality", 92, "JPEG quality of the stored photos.", 1, 100)
_NUM_THREADS = flags.DEFINE_integer("num_threads", 4, "Shards that are written at a time.", 1)
_RUNNER = flags.DEFINE_enum(
    "runner",
    None,
    cli.BEAM_RUNNERS,
    "Apache Beam's runner to write the shards with; without it, --num_threads threads do it.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 1, "Processes of --runner=DirectRunner; for other runners their own options say it.", 1, 1024
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the photos' order.")


def main(argv: list[str]) -> int:
    """Writes the shards; returns the exit status: 1 if a photo could not be read."""
    if len(argv) > 1 and _RUNNER.value is None:
        raise cli.UsageError(
            f"{argv[1]}: unexpected argument; photos come from --data_dir, Beam's options need --runner"
        )
    if _DATA_DIR.value is None or _OUTPUT_DIR.value is None:
        raise cli.UsageError("--data_dir and --output_dir are both needed")
    if _RUNNER.value is not None:
        cli.start_beam()
    cli.start_tensorflow("cpu")
    from colorization import image_io, unfinished
    from colorization.data import records
    from colorization.data.skip_report import SkipReport

    root, output_dir = Path(_DATA_DIR.value), Path(_OUTPUT_DIR.value)
    try:
        files = image_io.list_photos([root], recursive=True) if root.is_dir() else []
        if not files:
            raise cli.UsageError(f"{root}: no photos found")
        output_dir.mkdir(parents=True, exist_ok=True)
        unfinished.remove_leftovers(output_dir)
        plan = records.make_plan(
            root,
            files,
            photos_per_shard=_PHOTOS_PER_SHARD.value,
            max_short_side=_MAX_SHORT_SIDE.value,
            jpeg_quality=_JPEG_QUALITY.value,
            seed=_SEED.value,
        )
        records.write_index(plan, output_dir)
        report = SkipReport("prepared")
        write_shards = _write_shards if _RUNNER.value is None else _write_shards_by_beam
        num_written = write_shards(plan, output_dir, report, argv[1:])
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    print(f"{output_dir}: {num_written} shards written, {plan.num_shards - num_written} were there")
    print(report.summary())
    return 1 if any(reason != "grey" for reason in report.skipped.values()) else 0


def _write_shards(plan: "ShardPlan", output_dir: Path, report: "SkipReport", arguments: Sequence[str]) -> int:
    """Writes the missing shards in threads; returns how many."""
    del arguments
    from tqdm import tqdm

    from colorization.data import records

    with ThreadPoolExecutor(_NUM_THREADS.value) as pool:
        jobs = pool.map(lambda i: records.write_shard(plan, i, output_dir, report), range(plan.num_shards))
        with cli.write_errors(output_dir):
            return sum(tqdm(jobs, total=plan.num_shards, unit="shard", disable=None))


def _write_shards_by_beam(plan: "ShardPlan", output_dir: Path, report: "SkipReport", arguments: Sequence[str]) -> int:
    """Writes the missing shards with --runner; returns how many."""
    from colorization.archives import runners, shards

    options = runners.make_options(_RUNNER.value, num_workers=_NUM_WORKERS.value, arguments=arguments)
    plan = dataclasses.replace(plan, root=plan.root.absolute())  # workers may be in other folders
    try:
        return shards.write_shards(plan, output_dir.absolute(), report, options)
    except runners.RunnerError as error:
        raise cli.CommandError(f"the pipeline broke off; the same command does the rest: {error}") from error


def run() -> None:
    """Entry point of the console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
