import dataclasses
import os
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization import image_io
from colorization.image_io import ImageError
from colorization.isolation import photo_files
from colorization.isolation.photo_files import Limits, PhotoFiles

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def files():
    with PhotoFiles() as files:
        yield files


def hang(path):
    time.sleep(60)


def crash(path):
    os.abort()


def bloat(path):
    with image_io.image_errors(path, "damaged image"):
        bytearray(600 << 20)


@pytest.mark.parametrize("name", ["gray.png", "turned.jpg", "deep.png", "glass.png", "page.tif"])
def test_photos_are_read_and_written_as_image_io_does(files, tmp_path, name):
    pixels = {
        "gray.png": RNG.integers(0, 256, (20, 30), np.uint8),
        "deep.png": RNG.integers(0, 65536, (20, 30), np.uint16),
        "glass.png": RNG.integers(0, 256, (20, 30, 4), np.uint8),
    }.get(name, RNG.integers(0, 256, (20, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    photo, expected = files.read(tmp_path / name), image_io.read_photo(tmp_path / name)
    for field in dataclasses.fields(photo):
        np.testing.assert_equal(getattr(photo, field.name), getattr(expected, field.name))
    assert photo.rgb.dtype == expected.rgb.dtype
    files.write(tmp_path / "out", photo)
    image_io.write_photo(tmp_path / "expected", expected)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_grey_photo_has_one_channel_in_memory(files, tmp_path):
    Image.fromarray(RNG.integers(0, 256, (20, 30), np.uint8)).save(tmp_path / "gray.png")
    rgb = files.read(tmp_path / "gray.png").rgb
    assert rgb.strides == (30, 1, 0) and not rgb.flags.writeable


@pytest.mark.parametrize(
    "function, limits, kind, reason",
    [
        (hang, Limits(seconds=0.3), "seconds", "it took longer than 0.3 s"),
        (crash, Limits(), "other", "its process crashed (SIGABRT)"),
        (bloat, Limits(), "memory", "not enough memory"),
    ],
)
def test_what_a_file_does_to_its_decoder_is_one_line(tmp_path, function, limits, kind, reason):
    with PhotoFiles(limits) as files:
        with pytest.raises(ImageError) as caught:
            files.call(function, "a\nphoto.jpg")
        assert (str(caught.value), caught.value.kind) == (f"a\\nphoto.jpg: {reason}", kind)


@pytest.mark.parametrize(
    "num_pixels, seconds, megabytes, most", [(100, 10, 512, 3), (16_000_000, 10, 512, 3), (40_000_000, 25, 1280, 1)]
)
def test_large_photos_get_more_time_and_memory_and_go_alone(num_pixels, seconds, megabytes, most):
    running, counts, all_limits, barrier = [], [], [], threading.Barrier(most)

    class Processes:
        def call(self, *args, **limits):
            running.append(args)
            barrier.wait(timeout=10)
            counts.append(len(running))
            barrier.wait(timeout=10)
            running.remove(args)
            all_limits.append(limits)

    files = PhotoFiles()
    files._processes = Processes()
    threads = [threading.Thread(target=files.call, args=(len, i), kwargs={"num_pixels": num_pixels}) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [most] * 3
    assert all_limits == [{"seconds": seconds, "memory_bytes": megabytes << 20}] * 3


def test_photos_above_the_limit_are_not_decoded(files, tmp_path):
    path = tmp_path / "photo.png"
    for width, height in ((9000, 6000), (20000, 20000)):  # Pillow's own limit: 179 million
        header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 0, 0, 0, 0)
        chunks = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 9) + b"IDAT"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
        with pytest.raises(ImageError) as caught:
            files.read(path)
        message = f"{path}: {width}x{height} pixels are more than the limit of 50000000"
        assert (str(caught.value), caught.value.kind) == (message, "pixels")
    Image.new("L", (30, 20)).save(path)
    for max_pixels in (600, 599):
        with PhotoFiles(Limits(max_pixels=max_pixels)) as limited:
            if max_pixels == 600:
                assert limited.read(path).rgb.shape == (20, 30, 3)
            else:
                with pytest.raises(ImageError, match="30x20 pixels are more than the limit of 599"):
                    limited.read(path)


def test_a_failed_write_leaves_what_was_there(files, tmp_path, monkeypatch):
    (tmp_path / "out").write_bytes(b"before")
    photo = image_io.Photo(np.zeros((2, 3, 3), np.uint8), None, "nonsense")
    with pytest.raises(ImageError, match="^" + str(tmp_path / "out") + ": "):
        files.write(tmp_path / "out", photo)
    monkeypatch.setattr(photo_files, "_write", crash_when_writing)
    with pytest.raises(ImageError, match="out: its process crashed"):
        files.write(tmp_path / "out", photo)
    with pytest.raises(ImageError, match="/nowhere/out: No such file or directory"):
        files.write(Path("/nowhere/out"), photo)
    assert os.listdir(tmp_path) == ["out"] and (tmp_path / "out").read_bytes() == b"before"


def crash_when_writing(path, descriptor, photo):
    os.write(descriptor.number, b"half")
    os.abort()
