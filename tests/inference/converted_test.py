"""Converted models in a `Colorizer`: found, checked, and the same pictures as from the SavedModel."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from colorization import Colorizer, Hint, checksums, image_io
from colorization.evaluation import report
from colorization.inference import converted, model_info, tflite, version_files
from colorization.inference.version_files import ModelError

ROOT = Path(__file__).parents[2]
SHIPPED = {runtime: ROOT / "saved_models" / f"colorizer_{runtime}" for runtime in ("litert", "onnx")}
NAME = "colorizer_steer_float32_any.tflite"
RNG = np.random.default_rng(0)


def write_model(folder, source, flavour="steer", quantization="float32"):
    """As `convert` does; returns the file."""
    options = {"quantization": quantization, "image_size": None}
    path = folder / f"colorizer_{flavour}_{quantization}_any.tflite"
    path.write_bytes(tflite.convert(source, flavour=flavour, **options))
    if flavour == "steer":
        converted.encoder_path(path).write_bytes(tflite.convert_encoder(source, **options))
    info = model_info.make_info(flavour=flavour, **options, work_size=64, z_dim=2, source="tiny/1")
    converted.info_path(path).write_text(json.dumps(info))
    files = [file for file in folder.iterdir() if file.name.startswith(path.stem) and "sha256" not in file.name]
    checksums.write_manifest(converted.manifest_path(path), folder, files)
    return path


@pytest.fixture(scope="module")
def tiny_dir(source, tmp_path_factory):
    """The tiny network, converted; don't write into it."""
    folder = tmp_path_factory.mktemp("converted")
    write_model(folder, source)
    return folder


def make_photo(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def measure_difference(actual, expected):
    """Largest and mean difference in levels."""
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    difference = np.abs(actual.astype(int) - expected)
    return difference.max(), difference.mean()


@pytest.mark.parametrize("options", [{}, {"seed": 3}, {"hints": 1}, {"reference": 1}, {"hints": 1, "seed": 3}], ids=str)
def test_everything_that_a_colorizer_takes_gives_the_same(tiny_dir, tiny_model_dir, options):
    red_and_blue = np.zeros((40, 40, 3), np.uint8) + np.uint8([230, 60, 20])
    red_and_blue[:, 25:] = (20, 80, 200)
    values = {"hints": [Hint(20, 20, (0, 255, 0), 9)], "reference": red_and_blue}
    options = {name: values.get(name, value) for name, value in options.items()}
    colorizer, original = Colorizer.load(tiny_dir, runtime="litert"), Colorizer.load(tiny_model_dir)
    assert (colorizer.work_size, colorizer.z_dim) == (64, 2)
    for photo in (make_photo(60, 90), make_photo(100, 70, 3), make_photo(30, 41, dtype=np.uint16)):
        expected = original.colorize(photo, **options)
        largest, mean = measure_difference(colorizer.colorize(photo, **options), expected)
        levels = np.iinfo(photo.dtype).max // 255
        assert largest <= 2 * levels and mean < 0.1 * levels
        automatic = original.colorize(photo)
        assert bool(options) == bool((automatic != expected).any())


@pytest.mark.parametrize("runtime", SHIPPED)
def test_the_shipped_files_are_the_shipped_model(runtime):
    """Photos in colour, with noise, a hint and a reference: at most 2 levels, 0.1 on average."""
    colorizer, original = Colorizer.load(runtime=runtime), Colorizer.load()
    photos = [
        image_io.read_rgb(ROOT / "examples" / name, max_short_side=256) for name in ("horses.jpg", "eileen_collins.jpg")
    ]
    reference = np.stack([photos[0][..., 0]] * 3, axis=-1) // np.uint8([1, 2, 3])
    for options in ({}, {"seed": 1, "hints": [Hint(60, 40, (143, 183, 221), 12)]}, {"reference": reference}):
        for photo in photos:
            largest, mean = measure_difference(
                colorizer.colorize(photo, **options), original.colorize(photo, **options)
            )
            assert largest <= 2 and mean < 0.1


@pytest.mark.parametrize("runtime", SHIPPED)
def test_the_shipped_files_were_made_of_the_newest_shipped_version(runtime):
    path = converted.find_file(None, runtime)
    assert path.parent == SHIPPED[runtime]
    version_dir = version_files.find_version_dir()
    info = json.loads(converted.info_path(path).read_text())
    assert info["source"] == f"colorizer/{version_dir.name}, SHA-256 {report.hash_model(version_dir)}"
    manifest = json.loads(converted.manifest_path(path).read_text())
    assert set(manifest) == {path.name, converted.encoder_path(path).name, converted.info_path(path).name}
    checksums.verify_manifest(converted.manifest_path(path), path.parent)
    assert all(entry["size"] < 25_000_000 for entry in manifest.values())


def test_names_of_files():
    path = Path("out/colorizer_steer_float32_any.onnx")
    assert converted.encoder_path(path) == Path("out/colorizer_steer_float32_any_encoder.onnx")
    assert converted.info_path(path) == Path("out/colorizer_steer_float32_any.onnx.json")
    assert converted.info_path(path.with_suffix(".tflite")) == Path("out/colorizer_steer_float32_any.json")
    assert converted.manifest_path(path) == Path("out/colorizer_steer_float32_any.onnx.sha256.json")


def test_a_file_or_its_folder_is_found(tmp_path, tiny_dir):
    assert converted.find_file(tiny_dir, "litert") == tiny_dir / NAME
    assert converted.find_file(tiny_dir / NAME, "litert") == tiny_dir / NAME
    for name in ("colorizer_chroma_float32_any.tflite", "colorizer_rgb_int8_256x256.tflite"):
        (tmp_path / name).touch()
    assert converted.find_file(tmp_path, "litert").name == "colorizer_chroma_float32_any.tflite"
    (tmp_path / "colorizer_chroma_int8_any.tflite").touch()
    with pytest.raises(ModelError, match="several models: colorizer_chroma_float32_any.tflite, colorizer_chroma_int8"):
        converted.find_file(tmp_path, "litert")
    with pytest.raises(ModelError, match="python -m colorization.convert --format=onnx --flavour=steer"):
        converted.find_file(tmp_path, "onnx")


def test_a_model_without_noise_and_hints_says_so(source, tmp_path, tiny_model_dir):
    path = write_model(tmp_path, source, flavour="chroma")
    colorizer, photo = Colorizer.load(tmp_path, runtime="litert"), make_photo(60, 90)
    largest, _ = measure_difference(colorizer.colorize(photo), Colorizer.load(tiny_model_dir).colorize(photo))
    assert largest <= 1
    with pytest.raises(
        ModelError, match=f"^{re.escape(str(path))}: this model takes no noise, so it gives no samples$"
    ):
        colorizer.colorize(photo, seed=1)
    with pytest.raises(ModelError, match="this model takes no hints$"):
        colorizer.colorize(photo, hints=[Hint(1, 1, (255, 0, 0))])


@pytest.mark.parametrize("suffix", [".tflite", "_encoder.tflite", ".json"])
def test_an_altered_file_is_named(tiny_dir, tmp_path, suffix):
    folder = shutil.copytree(tiny_dir, tmp_path / "model")
    path = folder / NAME.replace(".tflite", suffix)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Colorizer.load(folder, runtime="litert")
    assert str(caught.value) == f"{path}: altered since it was written (checksum differs)"


def test_other_damage_is_one_line(tiny_dir, tmp_path):
    folder = shutil.copytree(tiny_dir, tmp_path / "model")
    converted.manifest_path(folder / NAME).unlink()
    path = converted.info_path(folder / NAME)
    info = json.loads(path.read_text())
    for content, message in (
        (
            json.dumps(info | {"flavour": "rgb", "image_size": [9, 8]}),
            f"{folder / NAME}: made for rgb and 9x8; colorize",
        ),
        ("{}", f"{path}: not the description of a converted model"),
        ("", f"{path}: not the description of a converted model"),
    ):
        path.write_text(content)
        with pytest.raises(ModelError, match=f"^{re.escape(message)}"):
            Colorizer.load(folder, runtime="litert")
    path.unlink()
    with pytest.raises(ModelError, match=f"^{re.escape(str(path))}: No such file or directory; convert writes it"):
        Colorizer.load(folder, runtime="litert")
