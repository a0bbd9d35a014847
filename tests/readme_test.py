"""README and the recipes in flags/ are true: their commands exist and take these flags, their paths are there.

A command is started with --only_check_args, with which it parses its flags and stops.
"""

import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHIPPED = "saved_models/colorizer"
FLAGFILES = sorted((ROOT / "flags").glob("*.flags"))


def read_blocks(language: str) -> list[str]:
    """The fenced blocks of README in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def split_commands(text: str) -> list[list[str]]:
    """The commands of a shell block, each as its words; comments are dropped and continued lines joined."""
    words = [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]
    return [command for command in words if command]


def assert_flags_are_accepted(module: str, args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--only_check_args", *args], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def read_header_command(flagfile: Path) -> list[str]:
    """The command that the comment at the head of a flagfile gives, as its words."""
    lines = flagfile.read_text(encoding="utf-8").splitlines()
    comments = itertools.takewhile(lambda line: line.startswith("#"), lines)
    header = "\n".join(line.lstrip("# ") for line in comments).replace("\\\n", " ")
    commands = split_commands("\n".join(re.findall(r"^python -m .*", header, flags=re.MULTILINE)))
    assert len(commands) == 1, f"{flagfile.name}: its header shows one command, `python -m colorization.NAME ...`"
    return commands[0]


@pytest.mark.parametrize("words", sum(map(split_commands, read_blocks("bash")), []), ids=" ".join)
def test_command_in_readme_is_accepted(words):
    match words:
        case ["python", "-m", module, *args]:
            if module.startswith("colorization."):
                assert_flags_are_accepted(module, args)
            else:
                assert module in {"pip", "venv", "http.server"}
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        case [program, *args] if program.startswith("colorization-"):
            scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
            assert_flags_are_accepted(scripts[program].removesuffix(":run"), args)
        case ["pip", "install", "-r", requirements]:
            assert (ROOT / requirements).is_file()
        case ["docker", "run", *args]:  # not to be had everywhere; the folder and the name must be right
            assert f"source=$PWD/{SHIPPED},target=/models/colorizer" in "".join(args) and (ROOT / SHIPPED).is_dir()
        case ["curl", *args]:
            (url,) = [arg for arg in args if arg.startswith("http")]
            assert url.removeprefix("http://127.0.0.1:8501") in ("/colorize", "/v1/models/colorizer:predict")
        case ["pip", "install", "."] | ["source", ".venv/bin/activate"] | ["tensorboard", _]:
            pass
        case _:
            pytest.fail("this test does not know how to check that command")


@pytest.mark.parametrize("code", read_blocks("python"))
def test_python_in_readme_runs(code, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r'save\("(.+?)"\)', code):
        assert (tmp_path / name).stat().st_size > 0


def test_paths_in_readme_exist():
    targets = re.findall(r"\]\(([^)#]+)", README) + re.findall(r'(?:src|href)="([^"#]+)"', README)
    names = [name for block in read_blocks("text") for name in re.findall(r"^([\w./]+?)/?(?:  |$)", block, re.M)]
    assert len(targets) > 3 and len(names) > 10
    missing = [path for path in [*targets, *names] if "://" not in path and not (ROOT / path).exists()]
    assert not missing


def test_map_of_the_tree_is_complete():
    shown = "".join(read_blocks("text"))
    parts = [path for path in (ROOT / "colorization").iterdir() if path.suffix == ".py" or any(path.glob("*.py"))]
    missing = [path.name for path in parts if not re.search(rf"^colorization/{path.name}[/ ]", shown, re.MULTILINE)]
    assert missing == ["__init__.py"]


def test_readme_has_no_gaps():
    assert "TODO" not in README


def test_flagfiles_in_readme_are_those_in_the_folder():
    named = set(re.findall(r"flags/\w+\.flags", README))
    assert named == {f"flags/{path.name}" for path in FLAGFILES}


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.name)
def test_flagfile_is_accepted_by_the_command_in_its_header(path):
    _, _, module, *args = read_header_command(path)
    assert f"--flagfile=flags/{path.name}" in args
    assert_flags_are_accepted(module, args)
