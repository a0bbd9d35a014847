"""Apache Beam's runners: their options, and a pipeline's run from start to end."""

import contextlib
import importlib
import io
import logging
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms import environments

_DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"  # Beam knows it by its full name only
_QUIET = "ERROR"  # level of the workers' log messages; users who ask for another want to see them
_GRACE_SECONDS = 15.0  # for Beam itself to notice that a worker is gone
_TAKE_OTHER_OPTIONS = {"PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner", "PrismRunner"}


class RunnerError(Exception):
    """A pipeline that did not come to its end; the message is one line.

    Attributes:
      kind: name of the class of the exception behind it.
    """

    def __init__(self, message: str, kind: str):
        super().__init__(message)
        self.kind = kind


def make_options(runner: str, *, num_workers: int, arguments: Sequence[str]) -> pipeline_options.PipelineOptions:
    """Makes Beam's options.

    Args:
      runner: one of `cli.BEAM_RUNNERS`.
      num_workers: processes of DirectRunner; the others have options of their own for it.
      arguments: further options, as Beam's command lines have them: "--name=value".

    Raises:
      ValueError: an option is unknown to Beam, or lacks a value. Those of other programs, such as a Flink job server,
        Beam learns only from them. Or the first is no option: a pattern without quotes, of which the shell made files.
    """
    if arguments and not arguments[0].startswith("-"):
        raise ValueError(f"{arguments[0]}: unexpected argument; patterns need quotes, Beam's options begin with --")
    defaults = [f"--default_sdk_harness_log_level={_QUIET}"]  # an argument of the same name prevails
    if runner == "DirectRunner" and num_workers > 1:
        defaults += [f"--direct_num_workers={num_workers}"]
    if runner == "DaskRunner" and not any("--dask_" in argument for argument in arguments):
        raise ValueError("--runner=DaskRunner needs a cluster: -- --dask_client_address=HOST:PORT")
    if runner == "DaskRunner" and not any("partition" in argument for argument in arguments):
        defaults += ["--dask_partition_size=1"]  # or Dask would give 128 groups of photos to one worker
    if runner == "DaskRunner":
        importlib.import_module(_DASK_RUNNER.rpartition(".")[0])  # only then Beam knows its options
    arguments = [f"--runner={_DASK_RUNNER if runner == 'DaskRunner' else runner}", *defaults, *arguments]
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options = pipeline_options.PipelineOptions(arguments)
            logging.disable(logging.WARNING)  # of the options that are looked for here
            unknown = options.get_all_options(retain_unknown_options=True).keys() - options.get_all_options().keys()
    except SystemExit as error:  # argparse's way, after a page of usage
        raise ValueError(f"Beam's options: {complaint.getvalue().strip().rpartition('error: ')[2]}") from error
    finally:
        logging.disable(logging.NOTSET)
    if unknown and runner not in _TAKE_OTHER_OPTIONS:
        raise ValueError(f"--{min(unknown)}: Beam has no such option")
    return options


def is_dask(options: pipeline_options.PipelineOptions) -> bool:
    """Tells whether the runner is Dask's."""
    return options.view_as(pipeline_options.StandardOptions).runner == _DASK_RUNNER


def run(build: Callable[[beam.Pipeline], None], options: pipeline_options.PipelineOptions) -> None:
    """Builds a pipeline, runs it, and waits for its end.

    Args:
      build: adds the transforms.
      options: as `make_options` makes them.

    Raises:
      RunnerError: the pipeline failed, or could not be started.
    """
    name = options.view_as(pipeline_options.StandardOptions).runner
    runner = _make_direct_runner(options) if name == "DirectRunner" else None  # None: as the options say
    with _silence(options), _watch_workers(options) as ends:
        try:
            with beam.Pipeline(runner=runner, options=options) as pipeline:
                build(pipeline)
        except KeyboardInterrupt as error:
            if not ends:
                raise
            raise RunnerError(ends[0], "WorkerError") from error
        except Exception as error:  # runners raise all kinds
            raise RunnerError(ends[0], "WorkerError") if ends else _summarize(error) from error


@contextlib.contextmanager
def _silence(options: pipeline_options.PipelineOptions) -> Iterator[None]:
    """Keeps what Beam logs off standard error, unless it is asked for: what matters of it ends the pipeline."""
    level = logging.getLogger().level
    if _is_quiet(options):
        logging.getLogger().setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)


@contextlib.contextmanager
def _watch_workers(options: pipeline_options.PipelineOptions) -> Iterator[list[str]]:
    """Notices DirectRunner's processes that die, of which only a thread's exception tells.

    Beam may wait for their answers for ever; then the wait is broken off as by Ctrl-C, but by another signal: SIGINT is
    ignored in what a script starts in the background. To be used in the main thread.

    Yields:
      How they ended.
    """
    ends: list[str] = []
    is_over = threading.Event()
    hook = threading.excepthook

    def note(args: threading.ExceptHookArgs) -> None:
        if args.thread is not None and args.thread.name == "run_worker":
            ends.append(f"a worker died ({args.exc_value})")
            if not is_over.wait(_GRACE_SECONDS):
                os.kill(os.getpid(), signal.SIGUSR1)
        elif not _is_quiet(options):
            hook(args)

    handler = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    threading.excepthook = note
    try:
        yield ends
    finally:
        is_over.set()
        threading.excepthook = hook
        signal.signal(signal.SIGUSR1, handler)


def _make_direct_runner(options: pipeline_options.PipelineOptions) -> fn_runner.FnApiRunner:
    """Makes what DirectRunner falls back to here: asked by name, it would download Prism, which ignores its options.

    Several workers are processes; they say nothing on standard error, page upon page, unless they are asked to.
    """
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision_info = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    environment = None
    if options.view_as(pipeline_options.DirectOptions).direct_num_workers != 1:
        command = f"{shlex.quote(sys.executable)} -m apache_beam.runners.worker.sdk_worker_main"
        command += f" 2>{os.devnull}" if _is_quiet(options) else ""
        environment = environments.SubprocessSDKEnvironment.from_command_string(command)
    return fn_runner.FnApiRunner(
        default_environment=environment, provision_info=fn_runner.ExtendedProvisionInfo(provision_info)
    )


def _is_quiet(options: pipeline_options.PipelineOptions) -> bool:
    return options.view_as(pipeline_options.WorkerOptions).default_sdk_harness_log_level == _QUIET


def _summarize(error: Exception) -> RunnerError:
    """Takes out of an error what a user can read: a worker's comes as its whole traceback, in a string."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    pattern = re.compile(r"(?:\w+\.)*(\w*(?:Error|Exception|Interrupt)): (.+)")
    found = [match for line in lines if (match := pattern.fullmatch(line))]
    kind, message = found[-1].groups() if found else (type(error).__name__, lines[0])
    return RunnerError(re.sub(r"(: | )?\[while running .*", "", message), kind)
