"""What every command shares: flag parsing, quiet TensorFlow logging, exit statuses, one-line errors.

A command is a module with absl flags, a `main(argv)` that returns its exit status (None means 0), and

    def run() -> None:  # the console script
        cli.run(main)

    if __name__ == "__main__":
        run()

It imports heavy modules inside `main`, after `start_tensorflow`, so that `--help` and a wrong flag answer at once.

Exit statuses: 0 all done; 1 some inputs failed or the work broke off; 2 the call itself is wrong; 130 interrupted.
"""

import contextlib
import gc
import io
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags
from absl import logging as absl_logging

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What a message about a limit ends with, by the `kind` of the ImageError; the flags of `colorize` and `archive`.
LIMIT_ADVICE = {
    "pixels": "; --max_megapixels sets the limit",
    "seconds": "; --decode_seconds sets the limit",
    "memory": "; --decode_memory_mb sets the limit",
}
# Apache Beam's, for `archive` and `prepare`. Here, for flags are defined before Beam is imported.
BEAM_RUNNERS = (
    "DirectRunner",
    "DaskRunner",
    "PortableRunner",
    "FlinkRunner",
    "SparkRunner",
    "DataflowRunner",
    "PrismRunner",
)
_FILE_ERRORS = ("ResourceExhaustedError", "PermissionDeniedError", "NotFoundError", "UnavailableError")  # TensorFlow's


class CommandError(Exception):
    """Ends the command with exit status 1; the message is one line that names the culprit."""

    exit_status = 1


class UsageError(CommandError):
    """Ends the command with exit status 2: the call itself is wrong (nothing found, model missing, ...)."""

    exit_status = 2


def run(main: Callable[[list[str]], int | None], argv: Sequence[str] | None = None) -> None:
    """Parses the flags, calls `main` with the program name and the positional arguments, and exits.

    Args:
      main: takes argv without the flags and returns the exit status; raises CommandError or UsageError.
      argv: the command line, program name first; sys.argv by default.

    Raises:
      SystemExit: always, with the exit status.
    """

    def parse(argv: Sequence[str]) -> list[str]:
        return _parse_flags(main.__module__, argv)

    def guarded(argv: list[str]) -> int | None:
        try:
            return main(argv)
        except CommandError as error:
            _fail(str(error), error.exit_status)
        except KeyboardInterrupt:
            _fail("interrupted", 130)

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # else a name that is not UTF-8 could not be printed
    absl_logging.set_verbosity(absl_logging.WARNING)  # TensorFlow's INFO lines mean nothing to a user
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    app.run(guarded, argv=None if argv is None else list(argv), flags_parser=parse)


def start_tensorflow(device: str = "auto", *, start_devices: bool = True, for_training: bool = False) -> None:
    """Imports TensorFlow without its start-up chatter and makes it use one kind of device.

    Call it before importing anything that imports TensorFlow. TF_CPP_MIN_LOG_LEVEL alone does not silence
    TensorFlow 2.21, so standard error is set aside meanwhile; set that variable yourself to see everything.

    Args:
      device: "auto" (a GPU if there is one), "cpu", or "gpu:N" with N from 0.
      start_devices: whether devices are started. Workers that train together start them when they have found each
        other, and not before.
      for_training: whether oneDNN computes on every CPU, unless TF_ENABLE_ONEDNN_OPTS says otherwise. TensorFlow leaves
        it out on CPUs without AVX512-VNNI, where it is slower for single photos, but twice as fast for batches.

    Raises:
      UsageError: no such device here.
    """
    if for_training:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with contextlib.nullcontext() if _LOG_LEVEL in os.environ else _quiet_start():
        with _no_garbage_collection():
            import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        elif device in [f"gpu:{i}" for i in range(len(gpus))]:
            tf.config.set_visible_devices(gpus[int(device.removeprefix("gpu:"))], "GPU")
        elif device != "auto":
            raise UsageError(f"--device={device}: not found; TensorFlow sees cpu and {len(gpus)} GPUs on this machine")
        if start_devices:
            tf.config.list_logical_devices()  # they speak up when they are first used


def start_jax() -> None:
    """Imports JAX, and Keras to compute with it; call it before importing anything that imports Keras.

    Optax and Keras import TensorFlow where there is one. Here that happens without chatter.

    Raises:
      UsageError: JAX is not installed.
    """
    os.environ["KERAS_BACKEND"] = "jax"
    try:
        with contextlib.nullcontext() if _LOG_LEVEL in os.environ else _quiet_start():
            import jax  # noqa: F401
            import keras  # noqa: F401
            import optax  # noqa: F401

            with contextlib.suppress(ImportError):
                import tensorflow  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed: pip install -r requirements-jax.txt") from error


def start_beam() -> None:
    """Imports Apache Beam, which warns of every optional part that it does not find; call it before other such imports.

    Raises:
      UsageError: it is not installed.
    """
    logging.getLogger().setLevel(logging.ERROR)
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise UsageError("Apache Beam is not installed: pip install -r requirements-beam.txt") from error


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """The variable goes again, for processes started later shall not take it for the user's."""
    os.environ[_LOG_LEVEL] = "2"
    try:
        with stderr_set_aside():
            yield
    finally:
        del os.environ[_LOG_LEVEL]


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """For imports: all that they make stays until the end, and looking through it takes a fifth of TensorFlow's start.

    The collector leaves it alone afterwards, too, which saves as much again when the process ends.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def stderr_set_aside() -> Iterator[None]:
    """Keeps what C++ code writes to standard error in a file, and shows it only if an import fails.

    TensorFlow, its converter and LiteRT write pages that mean nothing to a user; what matters comes as an exception.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except ImportError:
            file.seek(0)
            os.write(saved, file.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def parse_shares(pairs: Sequence[str]) -> dict[str, float]:
    """Reads the value of --group_shares, pairs like flowers=0.2.

    Raises:
      UsageError: if it is no list of such pairs.
    """
    text = f"--group_shares={','.join(pairs)}"
    try:
        shares = {name: float(share) for name, share in (pair.split("=") for pair in pairs)}
    except ValueError as error:
        raise UsageError(f"{text}: expected pairs like flowers=0.2") from error
    if "" in shares or len(shares) < len(pairs):
        raise UsageError(f"{text}: each subfolder has a name, and one share")
    if any(not 0.0 <= share < math.inf for share in shares.values()):
        raise UsageError(f"{text}: a share is a number of at least 0")
    return shares


@contextlib.contextmanager
def write_errors(path: str | os.PathLike) -> Iterator[None]:
    """Makes what a disk refuses (it is full, read-only, someone else's) one line and exit status 1.

    Args:
      path: what is being written, or its folder; named where the error names no file.

    Raises:
      CommandError: for OSError, and for what TensorFlow raises in its place.
    """
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename or path}: {error.strerror or error}") from error
    except Exception as error:
        tf = sys.modules.get("tensorflow")  # where it is not imported, no error is one of its
        if tf is None or not isinstance(error, tuple(getattr(tf.errors, kind) for kind in _FILE_ERRORS)):
            raise
        # "{{node ...}} FILE; REASON [Op:...]", and more lines of no use
        reason = re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", str(error).splitlines()[0])
        raise CommandError(reason if str(path) in reason else f"{path}: {reason}") from error


def _parse_flags(module: str, argv: Sequence[str]) -> list[str]:
    """absl's own parser exits 1 after a page of usage, for --help too; ours exits 2 after one line, and 0."""
    options = argv[1 : argv.index("--")] if "--" in argv else argv[1:]
    if {"--help", "-help", "-h"} & set(options):
        print((sys.modules[module].__doc__ or "").strip())
        print(flags.FLAGS.module_help(argv[0] if module == "__main__" else module))
        sys.exit(0)
    try:
        arguments = flags.FLAGS(list(argv))
    except (flags.Error, ValueError) as error:  # the latter for a flagfile that is no text
        _fail(" ".join(str(error).split()), 2)
    except SystemExit:  # --helpfull and its like, which exit 1
        sys.exit(0)
    for name in flags.FLAGS:  # bounds let NaN pass
        if isinstance(value := flags.FLAGS[name].value, float) and not math.isfinite(value):
            _fail(f"flag --{name}={value}: must be a finite number", 2)
    return arguments


def _fail(message: str, exit_status: int) -> None:
    program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)  # names of files may hold anything
    print(f"{program}: {line}", file=sys.stderr)
    sys.exit(exit_status)
