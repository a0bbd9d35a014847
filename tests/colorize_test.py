import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from colorization import image_io
from colorization.inference import saved_model

ROOT = Path(__file__).parents[1]


def run_colorize(*args, cwd=ROOT):
    command = [sys.executable, "-m", "colorization.colorize", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def save_photo(path, *, size=(70, 50), mode="L", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": (), "RGB": (3,), "LA": (2,)}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], *channels), np.uint8)
    Image.fromarray(pixels, mode=mode).save(path, **options)


@pytest.fixture
def photos(tmp_path):
    """A folder with two good photos, one in a folder inside, and two bad ones."""
    folder = tmp_path / "photos"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = "my aunt"
    save_photo(folder / "turned.jpg", exif=exif)
    save_photo(folder / "sub" / "glass.png", mode="LA")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "empty.png").touch()
    return folder


def test_a_folder_is_colorized_and_failures_are_named(photos, tmp_path, tiny_model_dir):
    output_dir = photos / "out"
    args = [photos, f"--output_dir={output_dir}", "--recursive", f"--model_dir={tiny_model_dir}"]
    done = run_colorize(*args)
    assert done.returncode == 1
    assert done.stdout == f"2 of 4 photos colorized into {output_dir}\n"
    lines = sorted(done.stderr.splitlines())
    assert len(lines) == 2
    assert lines[0].startswith(f"{photos}/broken.jpg: not a readable")
    assert lines[1] == f"{photos}/empty.png: the file is empty"
    assert {path.relative_to(output_dir).as_posix() for path in output_dir.rglob("*.*")} == {
        "turned.jpg",
        "sub/glass.png",
    }

    turned = Image.open(output_dir / "turned.jpg")
    assert (turned.format, turned.mode, turned.size) == ("JPEG", "RGB", (50, 70))
    assert turned.getexif()[0x010E] == "my aunt" and turned.getexif().get(0x0112, 1) == 1
    glass = np.array(Image.open(output_dir / "sub" / "glass.png"))
    np.testing.assert_array_equal(glass[..., 3], np.array(Image.open(photos / "sub" / "glass.png"))[..., 1])
    assert np.ptp(glass[..., :3].astype(int), axis=-1).mean() > 20  # coloured

    # Again: what exists is refused, and nothing in output_dir has become an input.
    before = (output_dir / "turned.jpg").read_bytes()
    (output_dir / "sub" / "glass.png").unlink()
    leftover = output_dir / "sub" / ".0123456789abcdef.tmp"  # of a process that was killed hours ago
    leftover.write_bytes(b"half a photo")
    os.utime(leftover, (0, 0))
    done = run_colorize(*args, "--saturation=0")
    assert not leftover.exists()
    assert done.returncode == 1
    assert done.stdout == f"1 of 4 photos colorized into {output_dir}\n"
    assert f"{photos}/turned.jpg: {output_dir}/turned.jpg exists; --overwrite replaces it" in done.stderr.splitlines()
    assert (output_dir / "turned.jpg").read_bytes() == before
    assert np.ptp(np.array(Image.open(output_dir / "sub" / "glass.png"))[..., :3].astype(int), axis=-1).max() == 0


def test_hostile_files_are_named_and_change_nothing_for_the_others(tmp_path, tiny_model_dir):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for name in (
        "with spaces.jpg",
        "größe 日本.png",
        os.fsdecode(b"bytes \xff.gif"),
        "no suffix",
        "image.jpg%3Fts%3D1",
    ):
        save_photo(good / name, format="PNG")
    Image.fromarray(np.float32([[0, 64, 128, 255]] * 5)).save(good / "floats.pfm", format="PPM")
    shutil.copytree(good, bad)
    save_photo(bad / "large.png", size=(120, 100))
    cut = (bad / "large.png").read_bytes()[:2000]
    (bad / "cut.png").write_bytes(cut)
    (bad / "header.gif").write_bytes(b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02")
    (bad / "text.jpg").write_text("no photo")
    (bad / "new\nline.png").touch()
    (bad / "notes.txt").write_text("no photo")
    (bad / "loop.png").symlink_to("loop.png")
    (bad / "round").symlink_to(".")
    os.mkfifo(bad / "pipe.png")
    expected = {
        "large.png": "120x100 pixels are more than the limit of 5000; --max_megapixels sets the limit",
        "cut.png": "",  # told by the decoder
        "header.gif": "65535x65535 pixels are more than the limit of 5000; --max_megapixels sets the limit",
        "text.jpg": "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image",
        "new\\nline.png": "the file is empty",
        "notes.txt": "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image; left out",
        "loop.png": "Too many levels of symbolic links",
        "pipe.png": "not a file",
    }
    options = [f"--model_dir={tiny_model_dir}", "--recursive", "--max_megapixels=0.005"]
    done = run_colorize(bad, f"--output_dir={tmp_path / 'out'}", *options)
    assert done.returncode == 1
    assert done.stdout == f"6 of 13 photos colorized into {tmp_path / 'out'}\n"
    lines = dict(line.removeprefix(f"{bad}/").split(": ", 1) for line in done.stderr.splitlines())
    assert lines.pop("cut.png") and lines == {name: text for name, text in expected.items() if text}

    alone = run_colorize(good, f"--output_dir={tmp_path / 'alone'}", *options)
    assert (alone.returncode, alone.stderr) == (0, "")
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("out", "alone")]
    assert contents[0] == contents[1] and set(contents[0]) == {path.name for path in good.iterdir()}


def test_samples_differ_and_depend_on_the_seed(photos, tmp_path, tiny_model_dir):
    results = set()
    for seed in (1, 2):
        output_dir = tmp_path / str(seed)
        args = [photos / "turned.jpg", f"--output_dir={output_dir}", f"--model_dir={tiny_model_dir}"]
        done = run_colorize(*args, "--num_samples=2", f"--seed={seed}")
        assert (done.returncode, done.stderr) == (0, "")
        assert {path.name for path in output_dir.iterdir()} == {"turned_1.jpg", "turned_2.jpg"}
        results |= {path.read_bytes() for path in output_dir.iterdir()}
    assert len(results) == 4


def colorize_one(photo, output_dir, *options):
    """Colorizes one photo, which must succeed; returns its pixels, int (H, W, 3)."""
    done = run_colorize(photo, f"--output_dir={output_dir}", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return np.array(Image.open(output_dir / photo.name)).astype(int)


def test_hints_count_pixels_of_the_upright_photo(photos, tmp_path, tiny_model_dir):
    photo, model = photos / "turned.jpg", f"--model_dir={tiny_model_dir}"
    hints = tmp_path / "hints.json"
    hints.write_text('{"points": [{"x": 8, "y": 61, "color": "#ff0000", "radius": 6}]}')  # the file is 50 pixels high
    automatic = colorize_one(photo, tmp_path / "automatic", model)
    hinted = colorize_one(photo, tmp_path / "hinted", model, f"--hints={hints}")
    assert automatic.shape == hinted.shape == (70, 50, 3)
    difference = np.abs(hinted - automatic).mean(axis=-1)
    assert difference[57:65, 4:12].mean() > 10
    assert difference[:45].mean() < 0.5 and difference[:, 30:].mean() < 0.5

    samples = tmp_path / "samples"
    done = run_colorize(photo, f"--output_dir={samples}", model, f"--hints={hints}", "--num_samples=2")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in samples.iterdir()} == {"turned_1.jpg", "turned_2.jpg"}


def test_a_reference_colours_all_photos(photos, tmp_path, tiny_model_dir):
    moods = {}
    for name, level in {"orange": (230, 120, 20), "blue": (20, 80, 200)}.items():
        Image.new("RGB", (90, 60), level).save(tmp_path / f"{name}.png")
        args = [photos / "turned.jpg", photos / "sub", f"--model_dir={tiny_model_dir}"]
        done = run_colorize(*args, f"--output_dir={tmp_path / name}", f"--reference={tmp_path / name}.png")
        assert (done.returncode, done.stderr) == (0, "")
        moods[name] = [np.array(Image.open(tmp_path / name / photo)) for photo in ("turned.jpg", "glass.png")]
    for orange, blue in zip(*moods.values(), strict=True):
        red_minus_blue = [mood[..., 0].mean() - mood[..., 2].mean() for mood in (orange, blue)]
        assert red_minus_blue[0] > red_minus_blue[1] + 20


def test_a_model_without_a_noise_encoder_takes_no_reference(photos, tmp_path, tiny_generator):
    version_dir = saved_model.export_saved_model(tiny_generator, tmp_path / "model", work_size=64)
    Image.new("RGB", (90, 60), (230, 120, 20)).save(tmp_path / "orange.png")
    args = [photos / "turned.jpg", f"--model_dir={tmp_path / 'model'}", f"--reference={tmp_path / 'orange.png'}"]
    done = run_colorize(*args, f"--output_dir={tmp_path / 'out'}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"colorize: {version_dir}: this model takes no reference photo\n"


@pytest.mark.parametrize(
    "args, message",
    [
        (["photos", "--hints=hints.json"], "--hints belongs to one photo; give one, and no folder"),
        (["a.jpg", "b.jpg", "--hints=hints.json"], "--hints belongs to one photo; give one, and no folder"),
        (["photos/turned.jpg", "--hints=none.json"], "none.json: No such file or directory"),
        (["photos/turned.jpg", "--hints=photos/turned.jpg"], "photos/turned.jpg: not a text in UTF-8"),
        (["photos/turned.jpg", "--hints=red.json"], "red.json: point 1: color is 'red'; it must be like #b03a2e"),
        (
            ["photos/turned.jpg", "--hints=hints.json", "--model_dir=MODEL"],
            "hints.json: point 2: x=60 lies outside the photo, 50 pixels wide and 70 high",
        ),
        (["photos", "--reference=none.jpg"], "none.jpg: No such file or directory"),
        (["photos", "--reference=photos/broken.jpg"], "photos/broken.jpg: not a readable"),
        (["photos", "--reference=photos/turned.jpg"], "photos/turned.jpg: grey; a reference photo must be in colour"),
        (
            ["photos", "--reference=x", "--num_samples=2"],
            "--reference gives one result per photo; leave out --num_samples",
        ),
    ],
)
def test_wrong_hints_and_references_are_one_line_and_status_2(
    photos, tmp_path, tiny_model_dir, monkeypatch, args, message
):
    points = [{"x": 1, "y": 1, "color": "#ff0000"}, {"x": 60, "y": 1, "color": "#ff0000"}]
    (tmp_path / "hints.json").write_text(json.dumps(points))
    (tmp_path / "red.json").write_text('[{"x": 1, "y": 1, "color": "red"}]')
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    args = [arg.replace("MODEL", str(tiny_model_dir)) for arg in args]
    done = run_colorize(*args, "--output_dir=out", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"colorize: {message}") and done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    "args, message",
    [
        (["--output_dir=out"], "no photo or folder given; --help explains"),
        (["photos"], "flag --output_dir=None: Flag --output_dir must have a value other than None."),
        (["missing", "--output_dir=out"], "missing: no such file or folder"),
        (["photos", "--output_dir=out", "--num_sample=2"], "Unknown command line flag 'num_sample'."),
        (["photos", "photos", "--output_dir=out"], "photos/broken.jpg and photos/broken.jpg: both would be written to"),
        (["photos", "--output_dir=photos/empty.png"], "--output_dir=photos/empty.png: File exists"),
        (["photos", "--output_dir=out", "--saturation=-1"], "flag --saturation=-1: -1.0 is not a number in the range"),
        (["photos", "--output_dir=out", "--model_dir=nowhere"], "nowhere: no model found"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(photos, tmp_path, monkeypatch, args, message):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run_colorize(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"colorize: {message}") and done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


# A run of the command that must end without TensorFlow and Keras; it prints which of them it finds.
WITHOUT_TENSORFLOW = """
import sys
from colorization import cli, colorize
sys.argv[0] = "colorize"
try:
    cli.run(colorize.main)
finally:
    print({"tensorflow", "keras", "tensorflow_io"} & set(sys.modules))
"""


def run_without_tensorflow(*args):
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def by_tensorflow(tmp_path_factory):
    """Calls by name, and the folder with their results of the default runtime and the shipped model."""
    folder = tmp_path_factory.mktemp("by_tensorflow")
    photos, hints = folder / "photos", folder / "hints.json"
    save_photo(photos / "grey.png")
    save_photo(photos / "sub" / "glass.webp", mode="RGB", lossless=True)
    deep = np.random.default_rng(0).integers(0, 65536, (40, 60), np.uint16)
    (photos / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    (photos / "empty.png").touch()
    hints.write_text('[{"x": 8, "y": 31, "color": "#ff0000", "radius": 6}]')
    calls = {
        "folder": [photos, "--recursive"],
        "samples": [photos / "grey.png", "--num_samples=2", "--seed=5", f"--hints={hints}"],
    }
    for name, args in calls.items():
        assert run_colorize(*args, f"--output_dir={folder / name}").returncode == (name == "folder")
    return calls, folder


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_other_runtimes_give_the_same_pictures_without_tensorflow(by_tensorflow, tmp_path, runtime):
    """At most 2 levels of 255 apart, 0.1 on average."""
    calls, expected_dir = by_tensorflow
    for name, args in calls.items():
        done = run_without_tensorflow(*args, f"--output_dir={tmp_path / name}", f"--runtime={runtime}")
        assert done.returncode == (name == "folder") and done.stdout.endswith("set()\n")
        assert done.stderr == ("" if name == "samples" else f"{args[0]}/empty.png: the file is empty\n")
        paths = [path.relative_to(expected_dir) for path in (expected_dir / name).rglob("*.*")]
        assert len(paths) == {"folder": 3, "samples": 2}[name]
        for path in paths:
            actual, expected = (image_io.read_photo(root / path).rgb for root in (tmp_path, expected_dir))
            assert actual.dtype == expected.dtype
            difference = np.abs(actual.astype(int) - expected) / (np.iinfo(expected.dtype).max // 255)
            assert difference.max() <= (12 if path.suffix == ".webp" else 2)  # which is written with losses
            assert difference.mean() < 0.1


@pytest.mark.parametrize(
    "args, message",
    [
        (["--runtime=torch"], "flag --runtime=torch: value should be one of <tensorflow|litert|onnx|openvino>"),
        (["--runtime=litert", "--device=gpu:0"], "--device=gpu:0: --runtime=litert runs on the CPU"),
        (["--runtime=litert", "--model_dir=saved_models/colorizer"], "saved_models/colorizer: no colorizer_steer_..."),
        (
            ["--runtime=openvino"],
            f"{ROOT}/saved_models/colorizer_openvino: no colorizer_steer_..._any.xml there; it is",
        ),
        (
            ["--runtime=litert", "--model_dir=CHROMA", "--num_samples=2"],
            "CHROMA: this model takes no noise, so it gives no samples",
        ),
    ],
)
def test_what_a_runtime_cannot_do_is_one_line_and_status_2(photos, tmp_path, args, message):
    chroma = tmp_path / "colorizer_chroma_float32_any.tflite"
    shutil.copy(ROOT / "saved_models" / "colorizer_litert" / "colorizer_steer_float32_any.tflite", chroma)
    info = {"flavour": "chroma", "image_size": None, "work_size": 160}  # its description alone is looked at
    chroma.with_suffix(".json").write_text(json.dumps(info))
    args, message = [arg.replace("CHROMA", str(chroma)) for arg in args], message.replace("CHROMA", str(chroma))
    done = run_colorize(photos / "turned.jpg", f"--output_dir={tmp_path / 'out'}", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"colorize: {message}") and done.stderr.count("\n") == 1
