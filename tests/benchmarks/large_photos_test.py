import pytest

from benchmarks import large_photos
from colorization import image_io


@pytest.mark.parametrize(
    "name, file_format, dtype",
    [("gray.jpg", "JPEG", "uint8"), ("rgb.png", "PNG", "uint8"), ("deep.tif", "TIFF", "uint16")],
)
def test_photos_are_of_their_kind(tmp_path, name, file_format, dtype):
    large_photos.write_photo(tmp_path / name, 60, 45)
    photo = image_io.read_photo(tmp_path / name)
    assert photo.rgb.shape == (45, 60, 3) and (photo.format, photo.rgb.dtype) == (file_format, dtype)
    assert photo.rgb.std() > 0 and image_io.is_grey(photo.rgb) == (name == "gray.jpg")
