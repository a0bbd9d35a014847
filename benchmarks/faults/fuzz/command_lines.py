"""Command lines with flags that do not exist, values that are none, and combinations that nobody needs.

Commands are run in this process up to where they start TensorFlow.
"""

import contextlib
import importlib
import io
import sys
import tempfile
from pathlib import Path
from unittest import mock

from absl import flags
from absl.testing import flagsaver
from hypothesis import strategies as st

from benchmarks.faults import synthetic_photos
from colorization import cli

COMMANDS = ("colorize", "convert", "evaluate", "export", "prepare", "serve", "train")
# What each command needs at least, ROOT being the folder that CommandLines makes.
USUAL = {
    "colorize": ("ROOT/photos", "--output_dir=ROOT/new"),
    "convert": ("--output_dir=ROOT/new", "--quantization=float32", "--val_dir=ROOT/photos"),
    "evaluate": ("--output_dir=ROOT/new", "--data_dir=ROOT/photos"),
    "export": ("--run_dir=ROOT/empty", "--export_dir=ROOT/new"),
    "prepare": ("--output_dir=ROOT/new", "--data_dir=ROOT/photos"),
    "serve": (),
    "train": ("--run_dir=ROOT/new", "--data_dir=ROOT/photos"),
}
_NUMBERS = ("0", "1", "2", "-1", "0.5", "nan", "inf", "-inf", "1e400", "1e308", str(2**31), str(2**64), "1" * 5000)
_TEXTS = (
    "",
    " ",
    "auto",
    "cpu",
    "gpu:0",
    "none",
    "no_such_thing",
    "\udcff",
    "ä",
    "a" * 5000,
    "..",
    "\n",
    "*",
    "[",
    "{}",
)
_ABSL = ("flagfile", "undefok", "verbosity", "stderrthreshold", "logger_levels", "log_dir", "v", "only_check_args")


class StartsTensorFlowError(BaseException):
    """The command line was good enough for a start; no Exception, which commands may catch."""


class CommandLines:
    """Draws and checks command lines of one command; its flags must be the only ones in the process."""

    def __init__(self, command: str):
        """Imports the command and makes files that its flags may name, in a folder of its own."""
        self._module = importlib.import_module(f"colorization.{command}")
        self._command = command
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self._folder.name)
        synthetic_photos.write_photos(root / "photos", 2)
        (root / "empty").mkdir()
        (root / "no_text").write_bytes(bytes(range(256)))
        (root / "flags.txt").write_text("--seed=1\n--no_such_flag\n")
        paths = [str(root / name) for name in ("photos", "photos/0000.png", "empty", "no_text", "flags.txt", "new")]
        paths += [str(root / "no_text" / "below"), "/proc/1/mem", "/dev/null"]
        values = st.sampled_from((*_NUMBERS, *_TEXTS, *paths)) | st.text(max_size=5) | st.integers().map(str)
        own = [flag.name for flag in flags.FLAGS.get_key_flags_for_module(self._module)]
        names = st.sampled_from([*own, *own, *own, *_ABSL, "no_such_flag"])
        argument = st.builds("--{}={}".format, names, values) | st.builds("--{}".format, names) | values
        some = st.lists(argument, max_size=6)
        usual = [argument.replace("ROOT", str(root)) for argument in USUAL[command]]
        self.strategy = some | st.builds(lambda extra: [*usual, *extra], some)

    def check(self, arguments: list[str]) -> None:
        """Runs the command up to TensorFlow: it may go on, or exit with 0, 1 or 2; if with 2, after one line.

        Raises:
          AssertionError: it exits otherwise.
          Exception: what must not leave the command.
        """
        arguments = [argument.replace("\0", "") for argument in arguments]  # the system takes none
        stdout, stderr = io.StringIO(), io.StringIO()
        starts = mock.patch.object(cli, "start_tensorflow", side_effect=StartsTensorFlowError)
        status = None
        with flagsaver.flagsaver(), starts, contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            argv, sys.argv = sys.argv, [f"{self._command}.py", *arguments]
            try:
                cli.run(self._module.main, sys.argv)
            except StartsTensorFlowError:
                return
            except SystemExit as end:
                status = end.code
            finally:
                sys.argv = argv
        assert status in (0, 1, 2), (status, stderr.getvalue())
        if status == 2:
            assert stderr.getvalue().rstrip("\n").count("\n") == 0 and stderr.getvalue().strip(), stderr.getvalue()
