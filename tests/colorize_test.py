import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    done = run_colorize(*args, "--saturation=0")
    assert done.returncode == 1
    assert done.stdout == f"1 of 4 photos colorized into {output_dir}\n"
    assert f"{photos}/turned.jpg: {output_dir}/turned.jpg exists; --overwrite replaces it" in done.stderr.splitlines()
    assert (output_dir / "turned.jpg").read_bytes() == before
    assert np.ptp(np.array(Image.open(output_dir / "sub" / "glass.png"))[..., :3].astype(int), axis=-1).max() == 0


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
