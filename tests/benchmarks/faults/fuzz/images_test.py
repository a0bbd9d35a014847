"""The quick part of the fuzzing of image files; and cases that it found."""

import dataclasses
import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from PIL import Image

from benchmarks.faults.fuzz import images
from colorization import image_io

QUICK = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=200, **QUICK)
@given(images.damaged_images())
def test_only_image_errors_leave_the_decoder(data):
    images.check(data)


def test_seeds_are_whole_files_of_every_format():
    formats = set()
    for seed in images.make_seeds():
        try:
            formats.add(image_io.decode_photo(seed, "x").format)
        except image_io.ImageError:
            formats.add("refused")
    assert formats == {"AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "refused"}
    assert len(images.make_seeds()) > 100


def test_a_repaired_png_is_read_again():
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, "PNG")
    data = bytearray(file.getvalue())
    data[16:20] = struct.pack(">I", 2)  # the width; each row has a byte to spare, but the checksum is wrong
    with pytest.raises(image_io.ImageError):
        image_io.decode_photo(bytes(data), "x")
    images.repair_png(data)
    assert Image.open(io.BytesIO(data)).size == (2, 2)


def test_nonsense_that_a_decoder_returns_is_found(monkeypatch):
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    images.check(file.getvalue())
    photo = image_io.decode_photo(file.getvalue(), "x")
    monkeypatch.setattr(image_io, "decode_photo", lambda *_: dataclasses.replace(photo, rgb=photo.rgb[:, :0]))
    with pytest.raises(AssertionError):
        images.check(file.getvalue())
