import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization import image_io
from colorization.inference import reference

ROOT = Path(__file__).parents[2]


def save(path, levels, size=(40, 30)):
    Image.new("RGB", size, levels).save(path)
    return path


def test_a_photo_in_colour_is_read_small(tmp_path):
    rgb = reference.read_reference(save(tmp_path / "red.png", (200, 10, 20), size=(1500, 1024)))
    assert rgb.shape == (512, 750, 3) and rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, np.zeros_like(rgb) + np.uint8([200, 10, 20]))
    assert reference.read_reference(save(tmp_path / "small.png", (200, 10, 20))).shape == (30, 40, 3)


def test_a_grey_photo_is_refused(tmp_path):
    path = save(tmp_path / "grey.png", (128, 129, 126))
    with pytest.raises(image_io.ImageError) as caught:
        reference.read_reference(path)
    assert str(caught.value) == f"{path}: grey; a reference photo must be in colour"


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(image_io.ImageError, match="missing.jpg: No such file or directory"):
        reference.read_reference(tmp_path / "missing.jpg")


def test_it_is_read_without_tensorflow(tmp_path):
    path = save(tmp_path / "red.png", (200, 10, 20))
    code = f"import sys; from colorization.inference import reference; reference.read_reference({str(path)!r})"
    code += "; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
