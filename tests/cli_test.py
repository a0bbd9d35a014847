import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorization import cli

ROOT = Path(__file__).parents[1]

PROGRAM = '''"""Greets people.

  greet NAME
"""
from absl import flags
from colorization import cli

_COUNT = flags.DEFINE_integer("count", 1, "How often.", lower_bound=1)
_RATE = flags.DEFINE_float("rate", 1.0, "How fast.", lower_bound=0.0)
_DIR = flags.DEFINE_string("dir", None, "Where.", required=True)

def main(argv):
    if argv[1:] == ["usage"]:
        raise cli.UsageError("usage: nothing found")
    if argv[1:] == ["fails"]:
        raise cli.CommandError("work: broke off")
    if argv[1:] == ["interrupt"]:
        raise KeyboardInterrupt
    print(*argv[1:] * _COUNT.value)
    return 1 if argv[1:] == ["partly"] else None

if __name__ == "__main__":
    cli.run(main)
'''


@pytest.fixture
def run(tmp_path):
    """Runs the program with arguments: (exit status, standard output, standard error)."""
    program = tmp_path / "greet.py"
    program.write_text(PROGRAM)

    def run_program(*args):
        command = [sys.executable, str(program), *args]
        done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
        return done.returncode, done.stdout, done.stderr

    return run_program


def test_main_gets_the_positional_arguments_among_flags(run):
    assert run("Ada", "--dir=x", "Bob", "--count=2") == (0, "Ada Bob Ada Bob\n", "")


@pytest.mark.parametrize(
    "args, status, message",
    [
        (["--dir=x", "partly"], 1, ""),
        (["--dir=x", "fails"], 1, "greet: work: broke off\n"),
        (["--dir=x", "usage"], 2, "greet: usage: nothing found\n"),
        (["--dir=x", "interrupt"], 130, "greet: interrupted\n"),
        (["--dir=x", "--cuont=2"], 2, "greet: Unknown command line flag 'cuont'. Did you mean: count ?\n"),
        (["--dir=x", "--count=0"], 2, None),
        (["--dir=x", "--count=many"], 2, None),
        ([], 2, None),
        (["--dir"], 2, None),
        (["--dir=x", "--flagfile=missing"], 2, None),
        (["--dir=x", f"--flagfile={sys.executable}"], 2, None),  # no text
        (["--dir=x", "--rate=nan"], 2, "greet: flag --rate=nan: must be a finite number\n"),
        (["--dir=x", "--a\nb"], 2, None),
        (["--dir=x", "--rate=inf"], 2, "greet: flag --rate=inf: must be a finite number\n"),
    ],
)
def test_exit_statuses_and_one_line(run, args, status, message):
    returncode, _, stderr = run(*args)
    assert returncode == status
    assert stderr == message if message is not None else stderr.startswith("greet: ") and stderr.count("\n") == 1


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help(run, flag):
    status, stdout, stderr = run(flag)
    assert (status, stderr) == (0, "")
    assert "--count: How often." in stdout
    assert flag == "--helpfull" or stdout.startswith("Greets people.\n\n  greet NAME\n")
    assert flag == "--helpfull" or "--logtostderr" not in stdout


def test_only_check_args_stops_before_main(run):
    assert run("--dir=x", "--only_check_args", "fails") == (0, "", "")


def test_arguments_after_two_dashes_are_no_flags(run):
    assert run("--dir=x", "--", "--help") == (0, "--help\n", "")


def test_tensorflow_starts_quietly_and_on_a_device_that_exists():
    code = (
        "from colorization import cli; cli.start_tensorflow('cpu')\n"
        "import sys, tensorflow as tf; print(tf.config.get_visible_devices('GPU'), flush=True)\n"
        "print('heard', file=sys.stderr)\n"
        "try: cli.start_tensorflow('gpu:99')\n"
        "except cli.UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    first, second = done.stdout.splitlines()
    assert first == "[]"
    assert second.startswith("--device=gpu:99: not found; TensorFlow sees cpu and ")
    assert done.stderr == "heard\n"


def test_onednn_is_on_for_training_unless_the_user_turns_it_off():
    code = (
        "import os; from colorization import cli; cli.start_tensorflow({}); print(os.getenv('TF_ENABLE_ONEDNN_OPTS'))"
    )

    def start(call: str, **changes: str) -> str:
        environ = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"} | changes
        command = [sys.executable, "-c", code.format(call)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, check=True).stdout.strip()

    assert start("'cpu'") == "None"
    assert start("'cpu', for_training=True") == "1"
    assert start("'cpu', for_training=True", TF_ENABLE_ONEDNN_OPTS="0") == "0"


def test_shares_are_pairs_of_a_subfolder_and_a_number():
    assert cli.parse_shares(["dogs=0.25", "old photos=2"]) == {"dogs": 0.25, "old photos": 2.0}
    assert cli.parse_shares([]) == {}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["dogs"], "expected pairs like flowers=0.2"),
        (["dogs=much"], "expected pairs like flowers=0.2"),
        (["=1"], "each subfolder has a name, and one share"),
        (["dogs=1", "dogs=2"], "each subfolder has a name, and one share"),
        (["dogs=nan"], "a share is a number of at least 0"),
    ],
)
def test_other_shares_are_refused(pairs, message):
    with pytest.raises(cli.UsageError, match=f"--group_shares={','.join(pairs)}: {message}"):
        cli.parse_shares(pairs)


def test_tensorflow_is_set_aside_from_garbage_collection_which_goes_on():
    code = (
        "import gc; from colorization import cli; cli.start_tensorflow('cpu')\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "True True\n"


def test_jax_starts_quietly_and_keras_computes_with_it():
    code = (
        "from colorization import cli; cli.start_jax()\n"
        "import keras; print(keras.backend.backend(), type(keras.ops.zeros(1)).__module__.split('.')[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (done.stdout, done.stderr) == ("jax jaxlib\n", "")


def test_without_jax_it_says_what_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\nfrom colorization import cli\n"
        "try: cli.start_jax()\nexcept cli.UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "jax is not installed: pip install -r requirements-jax.txt\n"


def test_stderr_is_set_aside_only_inside(capfd):
    with cli.stderr_set_aside():
        os.write(2, b"inside\n")
    os.write(2, b"outside\n")
    assert capfd.readouterr().err == "outside\n"


def test_what_was_set_aside_is_shown_if_an_import_fails(capfd):
    with pytest.raises(ImportError), cli.stderr_set_aside():
        os.write(2, b"why\n")
        raise ImportError
    assert capfd.readouterr().err == "why\n"


@pytest.mark.parametrize(
    "error, message",
    [
        (OSError(28, "No space left on device", "out/a.json"), "out/a.json: No space left on device"),
        (OSError(28, "No space left on device"), "out: No space left on device"),
        (OSError("broken"), "out: broken"),
    ],
)
def test_what_a_disk_refuses_is_one_line(error, message):
    with pytest.raises(cli.CommandError) as caught, cli.write_errors(Path("out")):
        raise error
    assert str(caught.value) == message and caught.value.exit_status == 1


def test_what_a_disk_refuses_to_tensorflow_is_one_line(tmp_path):
    import tensorflow as tf

    path = tmp_path / "none" / "x"
    with pytest.raises(cli.CommandError) as caught, cli.write_errors(tmp_path / "other"):
        tf.io.TFRecordWriter(str(path))
    assert str(caught.value) == f"{tmp_path / 'other'}: {path}; No such file or directory"
    text = "{{function_node x}} out/c_temp/part-0; No space left on device [Op:SaveV2]\nmore"
    with pytest.raises(cli.CommandError, match="^out/c_temp/part-0; No space left on device$"), cli.write_errors("out"):
        raise tf.errors.ResourceExhaustedError(None, None, text)
    with pytest.raises(tf.errors.InvalidArgumentError), cli.write_errors("out"):
        raise tf.errors.InvalidArgumentError(None, None, "a mistake of ours")
    with pytest.raises(ValueError), cli.write_errors("out"):
        raise ValueError
