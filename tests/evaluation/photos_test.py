import numpy as np
import pytest
from PIL import Image

from colorization.evaluation import photos


def write_photo(path, size=(40, 30), color=(200, 60, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def data_dir(tmp_path):
    for name in ("b/2.png", "b/1.png", "a/deep/3.png", "c.png"):
        write_photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a photo")
    return tmp_path


def names(files, data_dir):
    return [photos.relative_name(file, data_dir) for file in files]


def test_lists_nested_photos_in_a_fixed_order(data_dir):
    files = photos.list_evaluation_photos(data_dir, expected_num_photos=4)
    assert names(files, data_dir) == ["a/deep/3.png", "b/1.png", "b/2.png", "c.png"]


def test_max_photos_are_spread_over_the_list(data_dir):
    assert names(photos.list_evaluation_photos(data_dir, max_photos=2), data_dir) == ["a/deep/3.png", "b/2.png"]
    assert len(photos.list_evaluation_photos(data_dir, max_photos=9)) == 4


def test_an_unexpected_number_of_photos_is_an_error(data_dir):
    with pytest.raises(ValueError, match="holds 4 photos, 5 expected"):
        photos.list_evaluation_photos(data_dir, expected_num_photos=5)


@pytest.mark.parametrize(("name", "message"), [("missing", "no such folder"), ("empty", "no photos found")])
def test_a_folder_without_photos_is_an_error(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        photos.list_evaluation_photos(tmp_path / name)


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (1800, 600)])
def test_read_square_takes_the_centre(tmp_path, size):
    third = (max(size) // 3, min(size))
    bands = [Image.new("RGB", third, color) for color in ("red", "lime", "blue")]
    wide = Image.new("RGB", (max(size), min(size)))
    for index, band in enumerate(bands):
        wide.paste(band, (index * third[0], 0))
    (wide if size[0] > size[1] else wide.transpose(Image.Transpose.ROTATE_90)).save(tmp_path / "photo.png")
    square = photos.read_square(tmp_path / "photo.png")
    assert square.shape == (256, 256, 3) and square.dtype == np.uint8
    assert (square == [0, 255, 0]).all()


def test_read_square_averages_when_it_shrinks(tmp_path):
    checks = (np.indices((1024, 1024)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checks).convert("RGB").save(tmp_path / "checks.png")
    square = photos.read_square(tmp_path / "checks.png").astype(int)
    assert abs(square[8:-8, 8:-8] - 127.5).max() < 3  # without antialiasing: 0 or 255
