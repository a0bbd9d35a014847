import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from colorization.inference import tflite_sizes
from tests.browser.fake_npm import write_fake_npm

ROOT = Path(__file__).parents[1]


def run_bundle(*args, path):
    """Runs the command with `path`, a folder, in front of the PATH; None for an empty PATH."""
    paths = "" if path is None else f"{path}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "colorization.bundle", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PATH": paths})


@pytest.fixture(scope="module")
def npm_dir(tmp_path_factory):
    return write_fake_npm(tmp_path_factory.mktemp("bin"))


def test_a_site_replaces_the_former_one(tiny_model_dir, tmp_path, npm_dir):
    output_dir = tmp_path / "new" / "site"
    output_dir.mkdir(parents=True)
    (output_dir / "files.js").write_text("of a former site")
    (output_dir / "old.js").write_text("")
    done = run_bundle(
        f"--output_dir={output_dir}", f"--model_dir={tiny_model_dir}", "--quantization=float32", path=npm_dir
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["page", "runtime", "model", "wrote"]
    assert list(output_dir.parent.iterdir()) == [output_dir]
    assert not (output_dir / "old.js").exists()
    assert '"device/worker.js"' in (output_dir / "files.js").read_text()

    info = json.loads((output_dir / "model" / "model.json").read_text())
    assert (info["name"], info["version"], info["work_size"]) == (tiny_model_dir.name, 1, 64)
    assert info["takes_hints"] is True
    np.testing.assert_array_equal(info["z"][0], [0, 0])
    drawn = np.random.default_rng(0).standard_normal((31, 2), np.float32)  # as `colorize --num_samples=31`
    np.testing.assert_array_equal(np.float32(info["z"][1:]), drawn)

    places = tflite_sizes.SizePlaces(info["height_offsets"], info["width_offsets"])
    content = tflite_sizes.write_size((output_dir / "model" / info["file"]).read_bytes(), places, (64, 96))
    inputs = {"l": (1, 64, 96, 1), "z": (1, 2), "hints": (1, 64, 96, 3)}
    feed = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
    ab = Interpreter(model_content=content).get_signature_runner()(**feed)["ab"]
    np.testing.assert_allclose(ab, np.broadcast_to(np.float32([0.3, -0.2]), (1, 64, 96, 2)), atol=1e-6)


def test_a_failure_of_npm_leaves_the_former_site(tiny_model_dir, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "files.js").write_text("of a former site")
    npm_dir = write_fake_npm(tmp_path / "bin", complaint="npm error no network")
    done = run_bundle(f"--output_dir={tmp_path / 'site'}", f"--model_dir={tiny_model_dir}", path=npm_dir)
    assert done.returncode == 1
    assert done.stderr == f"bundle: {tmp_path / 'site'}: not written: npm ci: npm error no network\n"
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["files.js"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "site"]


@pytest.mark.parametrize(
    "args, message",
    [
        (["--quantization=int8"], "flag --quantization=int8: value should be one of <float32|float16|dynamic>"),
        (["model"], "model: unexpected argument; the model goes into --model_dir"),
        (["--output_dir=docs"], "--output_dir=docs: it is no empty folder and no former site"),
        (["--model_dir=docs"], "docs: no model found: "),
    ],
)
def test_wrong_calls_are_one_line_and_status_2(tmp_path, npm_dir, args, message):
    done = run_bundle(f"--output_dir={tmp_path / 'out'}", *args, path=npm_dir)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bundle: {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_npm_it_says_what_to_install(tmp_path):
    done = run_bundle(f"--output_dir={tmp_path / 'out'}", path=None)
    assert done.returncode == 2
    assert done.stderr == ("bundle: npm is not installed; it fetches the WebAssembly runtime and comes with Node.js\n")
