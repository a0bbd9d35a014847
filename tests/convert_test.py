import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from colorization import Colorizer, Hint, checksums, convert
from colorization.inference import converted, tflite_metadata

ROOT = Path(__file__).parents[1]

# The command with a limit that nothing keeps.
STRICT = """
import sys
from colorization import cli, convert
cli.start_tensorflow("cpu")
from colorization.inference import conversion_report
conversion_report.MAX_PSNR_CHANGE["dynamic"] = -1.0
sys.argv[0] = "convert"
cli.run(convert.main)
"""
WITHOUT_LITERT = """
import importlib.util, sys
from colorization import cli, convert
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "ai_edge_litert" else find_spec(name)
sys.argv[0] = "convert"
cli.run(convert.main)
"""


@pytest.fixture
def photos_dir(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    (folder / "nested").mkdir(parents=True)
    for name, base in {"1.png": (200, 120, 40), "nested/2.jpg": (60, 90, 160)}.items():
        noise = rng.integers(-20, 20, (48, 64, 1))
        Image.fromarray((np.array(base) + noise).astype(np.uint8)).save(folder / name)
    return folder


def run_convert(*args, program=("-m", "colorization.convert")):
    command = [sys.executable, *program, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_a_float_model_is_written_with_its_words_and_numbers(tiny_model_dir, tmp_path, photos_dir):
    output_dir = tmp_path / "new" / "out"
    done = run_convert(
        f"--model_dir={tiny_model_dir}",
        f"--output_dir={output_dir}",
        "--quantization=float16",
        "--image_size=48x64",
        f"--val_dir={photos_dir}",
    )
    assert (done.returncode, done.stderr) == (0, "")
    path = output_dir / "colorizer_rgb_float16_48x64.tflite"
    assert set(output_dir.iterdir()) == {path, converted.info_path(path), converted.manifest_path(path)}
    checksums.verify_manifest(converted.manifest_path(path), output_dir)
    lines = done.stdout.splitlines()
    assert lines[0] == "against the SavedModel, 2 photos:" and lines[-1] == f"wrote {path}"
    content = path.read_bytes()
    numbers = json.loads(path.with_suffix(".json").read_text())
    report = numbers.pop("report")
    assert tflite_metadata.read_info(content) == numbers
    assert numbers["source"].startswith(f"{tiny_model_dir.name}/1, SHA-256 ")
    assert (report["num_photos"], report["num_grey"], report["num_bytes"]) == (2, 0, len(content))
    assert abs(report["psnr_lost"]) < 0.05
    rgb = np.full((1, 48, 64, 3), 100, np.uint8)
    result = Interpreter(model_content=content).get_signature_runner()(rgb=rgb)["rgb"]
    assert result[0, 0, 0, 0] > 110 and result.std(axis=(1, 2)).max() < 1  # all of one reddish colour


def test_int8_is_calibrated_on_given_photos_and_broken_ones_are_named(tiny_model_dir, tmp_path, photos_dir):
    (photos_dir / "broken.jpg").write_bytes(b"")
    done = run_convert(
        f"--model_dir={tiny_model_dir / '1'}",
        f"--output_dir={tmp_path}",
        "--quantization=int8",
        "--flavour=chroma",
        "--image_size=any",
        f"--calibration_dir={photos_dir}",
    )
    assert (done.returncode, done.stderr) == (1, f"{photos_dir / 'broken.jpg'}: the file is empty\n")
    content = (tmp_path / "colorizer_chroma_int8_any.tflite").read_bytes()
    assert tflite_metadata.read_info(content)["image_size"] is None
    ab = Interpreter(model_content=content).get_signature_runner()(l=np.zeros((1, 40, 30, 1), np.float32))["ab"]
    np.testing.assert_allclose(ab, np.broadcast_to(np.float32([0.3, -0.2]), (1, 40, 30, 2)), atol=5e-3)
    assert "estimated for the 8 that are grey" in done.stdout  # the example photos


@pytest.mark.parametrize("format_name", ["onnx", "openvino"])
def test_a_model_for_another_runtime_colorizes(tiny_model_dir, tmp_path, photos_dir, format_name):
    done = run_convert(
        f"--model_dir={tiny_model_dir}",
        f"--output_dir={tmp_path / 'out'}",
        f"--format={format_name}",
        "--flavour=steer",
        "--quantization=float32",
        f"--val_dir={photos_dir}",
    )
    assert (done.returncode, done.stderr) == (0, "")
    (path,) = tmp_path.glob("out/colorizer_steer_float32_any.*[lx]")  # .xml or .onnx
    manifest = json.loads(converted.manifest_path(path).read_text())
    assert len(manifest) == {"onnx": 3, "openvino": 5}[format_name]
    assert {file.name for file in path.parent.iterdir()} == {*manifest, converted.manifest_path(path).name}
    numbers = json.loads(converted.info_path(path).read_text())
    assert numbers["report"]["runtime"] == format_name and abs(numbers["report"]["psnr_lost"]) < 0.05
    photo, reference = make_photo(60, 90), np.asarray(Image.open(photos_dir / "1.png"))
    colorizer, original = Colorizer.load(path.parent, runtime=format_name), Colorizer.load(tiny_model_dir)
    for options in ({}, {"seed": 1}, {"hints": [Hint(9, 9, (255, 0, 0), 9)]}, {"reference": reference}):
        difference = np.abs(colorizer.colorize(photo, **options).astype(int) - original.colorize(photo, **options))
        assert difference.max() <= 2 and difference.mean() < 0.1


def make_photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


def test_a_conversion_outside_its_limit_is_not_written(tiny_model_dir, tmp_path, photos_dir):
    done = run_convert(
        f"--model_dir={tiny_model_dir}",
        f"--output_dir={tmp_path / 'out'}",
        "--quantization=dynamic",
        f"--val_dir={photos_dir}",
        program=("-c", STRICT),
    )
    assert done.returncode == 1
    path = tmp_path / "out" / "colorizer_rgb_dynamic_256x256.tflite"
    assert done.stderr.startswith(f"convert: {path}: not written: PSNR changes by ") and done.stderr.count("\n") == 1
    assert "PSNR lost" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "args, message",
    [
        (["--quantization=int4"], "flag --quantization=int4: value should be one of <float32|float16|dynamic|int8>"),
        (["--quantization=int8", "--image_size=0"], "--image_size=0: give 'any', a number or HEIGHTxWIDTH, each 1 to"),
        (["--quantization=int8", "--image_size=64x5000"], "--image_size=64x5000: give 'any', a number or"),
        (["--quantization=float32", "--calibration_dir=examples"], "--calibration_dir is for --quantization=int8;"),
        (["--quantization=float32", "--val_dir=missing"], "--val_dir: missing: no such folder"),
        (["--quantization=int8", "--calibration_dir=flags"], "--calibration_dir: flags: no photos found"),
        (["--quantization=int8", "photo.jpg"], "photo.jpg: unexpected argument; the model goes into --model_dir"),
        (["--quantization=float32", "--model_dir=docs"], "docs: no model found: "),
        (["--quantization=int8", "--flavour=steer"], "--quantization=int8: --flavour=steer can't have it;"),
        (["--quantization=dynamic", "--format=onnx"], "--quantization=dynamic is for --format=tflite;"),
        (
            ["--quantization=float32", "--format=openvino", "--image_size=any"],
            "--image_size=any: OpenVINO can't run rgb of any size; give it one",
        ),
        ([], "flag --quantization=None: Flag --quantization must have a value other than None."),
    ],
)
def test_wrong_calls_are_one_line_and_status_2(tmp_path, args, message):
    done = run_convert(f"--output_dir={tmp_path / 'out'}", *args)
    assert done.returncode == 2
    assert done.stderr.startswith(f"convert: {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_litert_it_says_what_to_install(tmp_path):
    done = run_convert(f"--output_dir={tmp_path}", "--quantization=int8", program=("-c", WITHOUT_LITERT))
    assert done.returncode == 2
    assert done.stderr == "convert: LiteRT is not installed: pip install -r requirements-litert.txt\n"


def test_photos_without_any_readable_one(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"")
    done = run_convert(f"--output_dir={tmp_path}", "--quantization=float32", f"--val_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"convert: --val_dir: {tmp_path / 'broken.jpg'}: the file is empty")


@pytest.mark.parametrize("text, size", [("64", (64, 64)), ("48x64", (48, 64)), ("any", None), (None, ())])
def test_image_sizes(text, size):
    assert convert._parse_image_size(text) == size


def test_few_photos_are_joined_by_their_quarters():
    photo = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    pieces = list(convert._cut_pieces([photo], at_least=2))
    assert [piece.shape for piece in pieces] == [(5, 6, 3)] + [(2, 3, 3)] * 4
    np.testing.assert_array_equal(pieces[2], photo[:2, 3:])
    np.testing.assert_array_equal(pieces[3], photo[3:, :3])
    assert len(list(convert._cut_pieces([photo], at_least=1))) == 1


def _finish(folder, path, content):
    """What the command does with a model in a folder of its own, `content` standing for all of it."""
    folder.mkdir()
    (folder / path.name).write_text(content)
    convert._finish(folder / path.name, path, {"of": content})


@pytest.mark.parametrize("num_renames", [0, 1, 2])
def test_stopped_halfway_a_model_never_stands_beside_the_description_of_another(tmp_path, monkeypatch, num_renames):
    path = tmp_path / "model.tflite"
    _finish(tmp_path / "first", path, "old")
    renames = []

    def rename_or_die(source, target):
        if Path(target).parent == tmp_path:
            if len(renames) == num_renames:
                raise KeyboardInterrupt  # as good as a kill: nobody cleans up
            renames.append(target)
        os.rename(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(convert.os, "replace", rename_or_die)
        _finish(tmp_path / "second", path, "new")
    content = path.read_text()
    description, manifest = path.with_suffix(".json"), tmp_path / "model.tflite.sha256.json"
    assert content == ("new" if num_renames else "old")
    assert not description.exists() or json.loads(description.read_text()) == {"of": content}
    assert not manifest.exists()
    _finish(tmp_path / "third", path, "new")
    assert path.read_text() == "new" and json.loads(description.read_text()) == {"of": "new"} and manifest.exists()
