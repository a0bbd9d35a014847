"""The tree keeps its order: who imports whom, a test for every file, and packaging that leaves nothing out."""

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "colorization"

# What each part of the library may import of the project; a part is a folder, or a file at the package root.
ALLOWED = {
    "__init__": {"inference"},  # on first use only
    "archives": {"cli", "data", "image_files", "image_io", "inference", "isolation", "unfinished"},
    "checksums": set(),
    "browser": set(),  # puts files together, and reads none of the project's modules
    "cli": set(),
    "color": {"color_numpy"},
    "color_numpy": set(),
    "image_io": {"color_profile", "image_codecs", "image_files", "image_tiff"},
    "unfinished": set(),
    "image_codecs": set(),
    "image_files": {"image_codecs", "unfinished"},
    "image_tiff": {"image_codecs"},
    "color_profile": set(),
    "data": {"color", "image_io", "unfinished"},
    "models": set(),
    "provenance": set(),
    "training": {"checksums", "color", "jax_training", "models", "provenance"},
    "inference": {"checksums", "color", "color_numpy", "image_io", "isolation", "unfinished"},
    "isolation": {"image_files", "image_io"},
    "jax_training": {"color_numpy", "image_io", "models", "provenance"},
    "evaluation": {"color", "image_io", "training"},
    "serving": {"cli", "image_io", "inference"},
}
# Besides Python's own modules, all that these parts may import.
ALLOWED_LIBRARIES = {
    "__init__": set(),
    "cli": {"absl", "apache_beam", "jax", "keras", "optax", "tensorflow"},
    "isolation": {"numpy", "PIL"},  # its processes are to start at once
    "models": {"keras"},
}
# What is installed in another environment only, whose packages are not known here: library -> distribution.
ELSEWHERE = {"apache_beam": "apache-beam", "google_crc32c": "google-crc32c"}
UNTESTED = {"__init__.py": "only names what the folder offers"}

REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The folder of the library that a file belongs to, or the file's own name at the package root."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def read_imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, in full: `from colorization import color` is colorization.color."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            modules |= {f"{module}.{alias.name}" for alias in node.names}
    return modules


def imported_parts(path: Path) -> set[str]:
    """The parts of the project that a file imports, its own left out."""
    modules = [module.split(".") for module in read_imports(path)]
    return {names[1] for names in modules if names[0] == "colorization" and len(names) > 1} - {part_of(path)}


def imported_libraries(path: Path) -> set[str]:
    """The top-level names of all that a file imports and that neither Python nor the project brings."""
    names = {module.split(".")[0] for module in read_imports(path)}
    return names - set(sys.stdlib_module_names) - {"colorization"}


COMMANDS = [path for path in FILES if path.parent == PACKAGE and part_of(path) not in ALLOWED]
LIBRARY = [path for path in FILES if path not in COMMANDS]


def ids(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_imports_are_read_in_every_form(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "colorization" / "data" / "example.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import tensorflow as tf\nfrom colorization import color\nfrom . import files\nfrom ..models import unet\n"
        "def f():\n  from colorization.training.losses import huber\n"
    )
    assert read_imports(path) == {
        "tensorflow",
        "colorization.color",
        "colorization.data.files",
        "colorization.models.unet",
        "colorization.training.losses.huber",
    }


@pytest.mark.parametrize("path", LIBRARY, ids=ids)
def test_library_imports_only_what_its_part_may(path):
    """Also: nothing imports a command, for no command stands in ALLOWED."""
    part = part_of(path)
    assert imported_parts(path) <= ALLOWED[part]
    if part in ALLOWED_LIBRARIES:
        assert imported_libraries(path) <= ALLOWED_LIBRARIES[part]
    if part != "cli":
        assert "absl" not in imported_libraries(path), "flags belong to the commands"


@pytest.mark.parametrize("path", COMMANDS, ids=ids)
def test_command_imports_no_command_and_can_be_run(path):
    assert imported_parts(path) <= set(ALLOWED) - {"__init__"} | {"Colorizer", "Hint"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert {"main", "run"} <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert ast.unparse(tree.body[-1]) == "if __name__ == '__main__':\n    run()"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_only_color_imports_tensorflow_io(path):
    assert "tensorflow_io" not in imported_libraries(path) or path == PACKAGE / "color.py"


@pytest.mark.parametrize("path", [path for path in FILES if path.name not in UNTESTED], ids=ids)
def test_file_has_a_test_of_its_own(path):
    mirrored = ROOT / "tests" / path.relative_to(PACKAGE).with_name(f"{path.stem}_test.py")
    assert mirrored.is_file()


def test_import_of_the_package_loads_no_tensorflow():
    code = "import sys, colorization; print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_folder_and_command_is_packaged():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {".".join(path.relative_to(ROOT).parent.parts) for path in FILES}
    assert set(pyproject["tool"]["setuptools"]["packages"]) == folders | {"colorization.saved_models"}
    scripts = {f"colorization-{path.stem}": f"colorization.{path.stem}:run" for path in COMMANDS}
    assert pyproject["project"]["scripts"] == scripts


def read_requirements(path: Path) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_and_pip_extras_can_hold_them(path):
    """`pip install .` reads these files too, and takes no `-r` lines."""
    assert [str(line) for line in read_requirements(path) if not str(line.specifier).startswith("==")] == []


def test_every_library_is_required():
    """Not only brought along by another one, or by what the tests need."""
    required = {
        canonicalize_name(line.name)
        for path in REQUIREMENTS
        for line in read_requirements(path)
        if path.name != "requirements-dev.txt"
    }
    distributions = importlib.metadata.packages_distributions() | {key: [name] for key, name in ELSEWHERE.items()}
    libraries = set().union(*map(imported_libraries, FILES))
    missing = [name for name in libraries if not required & set(map(canonicalize_name, distributions.get(name, [])))]
    assert missing == []
