"""Colorizes whole archives with Apache Beam: on the cores of this machine, or on a cluster that is there already.

  python -m colorization.archive --input='photos/**' --output=out --num_workers=2
  python -m colorization.archive --input='gs://archive/photos-*.tfrecord' --output=gs://archive/coloured \
      --runner=FlinkRunner -- --flink_master=HOST:8081 --parallelism=16

The results are those of `colorize`, byte for byte. Inputs and results may lie wherever Beam reads and writes: here, at
gs://, s3:// or hdfs://. Photos keep their path below the folder that stands before the first wildcard of --input. What
cannot be colorized is listed in errors.tsv beside the results: name, tab, reason. Run the same command again to do only
what is missing.

It needs requirements-beam.txt, the workers too. Beam's own options follow after "--".

Exit status: 0 all done; 1 some photos failed (the others are done), or the work broke off; 2 the call itself is wrong.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorization import cli, unfinished

if TYPE_CHECKING:
    from colorization.archives.handler import Settings
    from colorization.archives.plan import Plan

_INPUT = flags.DEFINE_multi_string(
    "input",
    None,
    "Photos, as a pattern: * and ? stand for all but a slash, ** for all; or TFRecord files of `name` and "
    "`image_bytes`, as `prepare` writes them, if there is .tfrecord in the last part. May be given several times.",
    required=True,
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results, made if missing.", required=True)
_RUNNER = flags.DEFINE_enum(
    "runner",
    "DirectRunner",
    cli.BEAM_RUNNERS,
    "What runs the pipeline: the first on this machine, the others with their own options after '--'.",
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", 1, "Processes of DirectRunner; for other runners their own options say it.", 1, 1024
)
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "As for `colorize`; the workers must find it under this path.")
_RUNTIME = flags.DEFINE_enum(
    "runtime", "tensorflow", ["tensorflow", "litert", "onnx", "openvino"], "What runs the model; as for `colorize`."
)
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 1, "Results per photo; as for `colorize`.", 1, 100)
_SEED = flags.DEFINE_integer("seed", 0, "Chooses the draws if --num_samples is 2 or more.", 0)
_SATURATION = flags.DEFINE_float("saturation", 1.0, "Factor for the strength of colour; 0 is grey.", 0.0, 10.0)
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Do photos again whose results are there.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Most photos that a worker works on together.", 1)
_MAX_MEGAPIXELS = flags.DEFINE_float("max_megapixels", 50.0, "Millions of pixels above which a photo is refused.", 0.0)
_DECODE_SECONDS = flags.DEFINE_float(
    "decode_seconds", 10.0, "Seconds for reading or writing a photo; as for `colorize`.", 0.1, 3600.0
)
_DECODE_MEMORY_MB = flags.DEFINE_integer(
    "decode_memory_mb", 512, "MiB for reading or writing a photo; as for `colorize`.", 128, 1 << 20
)
_DEVICE = flags.DEFINE_string("device", "auto", "'auto', 'cpu' or 'gpu:N'; of each worker.")


def main(argv: list[str]) -> int:
    """Colorizes what --input names; returns the exit status."""
    cli.start_beam()
    from colorization.archives import files, pipeline, runners

    try:
        options = runners.make_options(_RUNNER.value, num_workers=_NUM_WORKERS.value, arguments=argv[1:])
        files.set_options(options)
        settings = _make_settings(tuple(argv[1:]))
        plan = _make_plan()
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    print(f"{len(plan.items)} photos to colorize, {plan.num_there} are there", flush=True)
    try:
        outcomes = pipeline.colorize(plan, settings, options)
    except files.FilesError as error:
        raise cli.CommandError(str(error)) from error
    except runners.RunnerError as error:
        if error.kind in ("ModelError", "UsageError"):
            raise cli.UsageError(str(error)) from error
        raise cli.CommandError(f"the pipeline broke off; the same command does the rest: {error}") from error
    for label, reason in outcomes:
        print(f"{label}: {reason}", file=sys.stderr)
    num_failed = sum(not pipeline.is_left_out(outcome) for outcome in outcomes)
    num_done = len(plan.items) - (len(outcomes) - len(plan.errors))
    print(f"{num_done} photos colorized into {plan.output_dir}, {plan.num_there} were there, {num_failed} failed")
    return 1 if num_failed else 0


def _make_settings(beam_options: tuple[str, ...]) -> "Settings":
    from colorization.archives.handler import Settings
    from colorization.inference import version_files
    from colorization.isolation.photo_files import Limits

    model_dir = _MODEL_DIR.value and str(Path(_MODEL_DIR.value).absolute())
    if _RUNTIME.value == "tensorflow":
        version_files.find_version_dir(model_dir)  # better missed now than by the workers
    return Settings(
        model_dir=model_dir,
        runtime=_RUNTIME.value,
        device=_DEVICE.value,
        seed=_SEED.value,
        saturation=_SATURATION.value,
        batch_size=_BATCH_SIZE.value,
        limits=Limits(int(_MAX_MEGAPIXELS.value * 1e6), _DECODE_SECONDS.value, _DECODE_MEMORY_MB.value << 20),
        beam_options=beam_options,
    )


def _make_plan() -> "Plan":
    """Plans the results, and removes what killed processes left of earlier ones."""
    from colorization.archives import files
    from colorization.archives.plan import is_record_pattern, make_plan

    if any(map(is_record_pattern, _INPUT.value)):
        is_alone = _RUNNER.value == "DirectRunner" and _NUM_WORKERS.value == 1  # then the model runs in this process
        cli.start_tensorflow(_DEVICE.value if is_alone else "cpu")
    plan = make_plan(_INPUT.value, _OUTPUT.value, num_samples=_NUM_SAMPLES.value, overwrite=_OVERWRITE.value)
    if files.is_local(plan.output_dir):
        for folder in {Path(path).parent for item in plan.items for path in item.outputs}:
            unfinished.remove_leftovers(folder)
    return plan


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
