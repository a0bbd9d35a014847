"""The benchmark's photos are what they should be; its numbers are not tested. It runs in Chromium, on a whole site."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import browser_speed

ROOT = Path(__file__).parents[2]


def test_photo_is_grey_and_of_the_size_asked_for():
    with Image.open(io.BytesIO(browser_speed.draw_photo(300, 200))) as photo:
        assert (photo.format, photo.mode, photo.size) == ("JPEG", "L", (300, 200))
        assert np.asarray(photo).std() > 10


def test_site_is_needed():
    done = subprocess.run([sys.executable, "-m", "benchmarks.browser_speed"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "--site_dir" in done.stdout + done.stderr
