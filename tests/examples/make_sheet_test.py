"""Tests of the before/after sheet."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from examples import make_sheet

ROOT = Path(__file__).parents[2]


def run_make_sheet(*paths: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "examples.make_sheet", *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_strip_has_the_width_of_the_sheet_and_keeps_proportions():
    strip = make_sheet.make_strip([Image.new("RGB", (40, 20), "red"), Image.new("RGB", (10, 10), "blue")])
    height = round((1600 - 8) / 3)  # aspects 2 and 1, one gap
    assert strip.size == (1600, height)
    assert strip.getpixel((2 * height - 1, height // 2)) == (255, 0, 0)
    assert strip.getpixel((2 * height + 4, height // 2)) == (255, 255, 255)
    assert strip.getpixel((2 * height + 8, height // 2)) == (0, 0, 255)


def test_sheet_shows_each_photo_above_its_result(tmp_path):
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    for i in range(5):
        Image.new("L", (30, 20), 40 * i).save(tmp_path / "before" / f"{i}.png")
        Image.new("RGB", (30, 20), (40 * i, 0, 200)).save(tmp_path / "after" / f"{i}.png")
    (tmp_path / "before" / "notes.md").write_text("not a photo")

    done = run_make_sheet(tmp_path / "before", tmp_path / "after", tmp_path / "sheet.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"5 photos before and after: {tmp_path / 'sheet.png'}\n"

    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    small = round((1600 - 3 * 8) / (4 * 1.5))  # four photos in the first pair of strips, one in the second
    large = round(1600 / 1.5)
    assert sheet.shape == (2 * small + 2 * large + 3 * 8, 1600, 3)
    third = 2 * (round(1.5 * small) + 8) + 5
    assert sheet[5, third].tolist() == [80, 80, 80]
    assert sheet[small + 8 + 5, third].tolist() == [80, 0, 200]
    assert sheet[2 * (small + 8) + large + 8 + 5, 5].tolist() == [160, 0, 200]


def test_missing_result_is_named_in_one_line(tmp_path):
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    done = run_make_sheet(tmp_path, tmp_path / "nowhere", tmp_path / "sheet.png")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'nowhere' / 'a.png'}: ")
    assert done.stderr.count("\n") == 1
