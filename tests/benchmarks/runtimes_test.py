import math

import numpy as np
import pytest
from PIL import Image

from benchmarks import runtimes


def write(folder, *colors):
    folder.mkdir()
    for number, color in enumerate(colors):
        Image.new("RGB", (8, 8), color).save(folder / f"{number}.png")
    return folder


def test_differences_are_those_of_the_pictures(tmp_path):
    """Against a photo in colour both results have an error of their own; of a grey one it is estimated."""
    photos = write(tmp_path / "photos", (200, 120, 40), (90, 90, 90))
    expected = write(tmp_path / "expected", (210, 130, 50), (90, 90, 90))
    result = write(tmp_path / "result", (220, 140, 60), (90, 96, 90))
    largest, mean, loss = runtimes.compare(photos, result, expected)
    assert (largest, mean) == (10, pytest.approx((10 + 2) / 2))
    error = 255**2 / 10**2.4
    assert loss == pytest.approx((20 * math.log10(2) + 10 * math.log10((error + 12) / error)) / 2)


def test_equal_pictures_lose_nothing(tmp_path):
    photos = write(tmp_path / "photos", (200, 120, 40))
    expected = write(tmp_path / "expected", (210, 130, 50))
    assert runtimes.compare(photos, expected, expected) == (0, 0.0, 0.0)


def test_photos_are_squares_of_each_size(tmp_path):
    data_dir = write(tmp_path / "data", (200, 120, 40), (1, 2, 3))
    runtimes.write_photos(tmp_path, data_dir, [16, 32], num_photos=2)
    for size in (16, 32):
        shapes = [np.asarray(Image.open(path)).shape for path in (tmp_path / str(size)).iterdir()]
        assert shapes == [(size, size, 3)] * 2
