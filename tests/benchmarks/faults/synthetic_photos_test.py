"""Photos are in colour, readable, and the same for the same seed."""

from benchmarks.faults import synthetic_photos
from colorization import image_io


def test_photos(tmp_path):
    paths = synthetic_photos.write_photos(tmp_path / "a", 3)
    again = synthetic_photos.write_photos(tmp_path / "b", 3)
    other = synthetic_photos.write_photos(tmp_path / "c", 3, seed=1)
    assert [path.name for path in paths] == ["0000.png", "0001.jpg", "0002.png"]
    assert not any(image_io.is_grey(image_io.read_rgb(path)) for path in paths)
    contents = [[path.read_bytes() for path in some] for some in (paths, again, other)]
    assert contents[0] == contents[1] and contents[0] != contents[2] and len(set(contents[0])) == 3
