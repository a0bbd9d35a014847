import os
import pickle
import subprocess
import sys

import pytest

from colorization import image_files
from colorization.image_files import ImageError


def error_of(path, action=None):
    with pytest.raises(ImageError) as caught, image_files.image_errors(path, "damaged"):
        if action is None:
            with image_files.open_regular(path) as file:
                file.read()
        else:
            raise action
    return str(caught.value), caught.value.kind


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for name, reason, kind in (
        ("pipe.jpg", "not a file", "no image"),
        (".", "not a file", "no image"),
        ("empty.jpg", "the file is empty", "no image"),
        ("loop.jpg", "Too many levels of symbolic links", "other"),
        ("missing.jpg", "No such file or directory", "other"),
    ):
        path = tmp_path / name
        assert error_of(path) == (f"{path}: {reason}", kind)


def test_errors_are_one_line_whatever_the_name():
    name = os.fsdecode(b"new\nline \xff.jpg")
    assert error_of(name, ValueError("bad")) == ("new\\nline \\udcff.jpg: bad", "other")
    assert error_of("a", MemoryError()) == ("a: not enough memory", "memory")
    assert error_of("a", ValueError()) == ("a: damaged (ValueError: )", "other")
    assert error_of("a", KeyError("x")) == ("a: damaged (KeyError: 'x')", "other")


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("a.jpg: too large", "pixels")))
    assert (str(error), error.kind) == ("a.jpg: too large", "pixels")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    with image_files.replace_file(path) as file:
        file.write(b"old")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), image_files.replace_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_disk_that_takes_no_more_is_named(tmp_path):
    """A limit on the size of files stands for the full disk: the same writes fail, with another number."""
    formats = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "PPM", "TIFF"]
    code = f"""if True:
        import resource
        import numpy as np
        from colorization import image_io
        rgb = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        for name in {formats}:
            try:
                image_io.write_photo(name, image_io.Photo(rgb, None, name))
            except image_io.ImageError as error:
                print(error)
    """
    for name in formats:
        (tmp_path / name).write_bytes(b"before")
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout.splitlines(), done.stderr) == ([f"{name}: File too large" for name in formats], "")
    assert sorted(os.listdir(tmp_path)) == sorted(formats)
    assert {(tmp_path / name).read_bytes() for name in formats} == {b"before"}
