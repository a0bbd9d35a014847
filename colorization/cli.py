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
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags
from absl import logging as absl_logging

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


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

    absl_logging.set_verbosity(absl_logging.WARNING)  # TensorFlow's INFO lines mean nothing to a user
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    app.run(guarded, argv=None if argv is None else list(argv), flags_parser=parse)


def start_tensorflow(device: str = "auto") -> None:
    """Imports TensorFlow without its start-up chatter and makes it use one kind of device.

    Call it before importing anything that imports TensorFlow. TF_CPP_MIN_LOG_LEVEL alone does not silence
    TensorFlow 2.21, so standard error is set aside meanwhile; set that variable yourself to see everything.

    Args:
      device: "auto" (a GPU if there is one), "cpu", or "gpu:N" with N from 0.

    Raises:
      UsageError: no such device here.
    """
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
        tf.config.list_logical_devices()  # the devices speak up when they are first used


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


def _parse_flags(module: str, argv: Sequence[str]) -> list[str]:
    """absl's own parser exits 1 after a page of usage, for --help too; ours exits 2 after one line, and 0."""
    options = argv[1 : argv.index("--")] if "--" in argv else argv[1:]
    if {"--help", "-help", "-h"} & set(options):
        print((sys.modules[module].__doc__ or "").strip())
        print(flags.FLAGS.module_help(argv[0] if module == "__main__" else module))
        sys.exit(0)
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        _fail(" ".join(str(error).split()), 2)
    except SystemExit:  # --helpfull and its like, which exit 1
        sys.exit(0)


def _fail(message: str, exit_status: int) -> None:
    program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    print(f"{program}: {message}", file=sys.stderr)
    sys.exit(exit_status)
