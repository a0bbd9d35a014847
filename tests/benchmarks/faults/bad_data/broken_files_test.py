"""The ways of breaking a file do break it."""

import random

import pytest

from benchmarks.faults import synthetic_photos
from benchmarks.faults.bad_data import broken_files
from colorization import image_io


@pytest.mark.parametrize("kind", broken_files.KINDS)
def test_broken_files_cannot_be_read(tmp_path, kind):
    rng = random.Random(0)
    for path in synthetic_photos.write_photos(tmp_path / "photos", 10):
        assert image_io.read_rgb(path).shape == (40, 48, 3)
        broken_files.break_file(path, kind, rng)
        with pytest.raises(image_io.ImageError):
            image_io.read_rgb(path)
