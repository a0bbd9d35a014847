"""Folders of photos as one array."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization.jax_training.photos import PhotoArray, read_small
from tests.data.sources_test import colour_photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four flowers, two dogs, one photo at the top; a grey one and a broken one."""
    folder = tmp_path_factory.mktemp("photos")
    for name, num in (("flowers", 4), ("dogs/small", 2), (".", 1)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(num):
            Image.fromarray(colour_photo(index, 40 + index, 52)).save(folder / name / f"{index}.png")
    Image.fromarray(np.full((40, 48, 3), 77, np.uint8)).save(folder / "grey.png")
    (folder / "dogs" / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def photos(folder) -> PhotoArray:
    return PhotoArray(folder, max_short_side=64, num_workers=1)


def test_photos_lie_in_the_corner_of_their_canvas(folder, photos):
    assert photos.canvases.shape == (7, 96, 96, 3) and photos.canvases.dtype == np.uint8
    assert sorted(map(tuple, photos.sizes)) == sorted(
        [(40, 52), (41, 52), (42, 52), (43, 52)] + [(40, 52)] * 2 + [(41, 52)]
    )
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[0-9].png"))
    contents = {np.asarray(Image.open(folder / name)).tobytes() for name in files}
    shown = {canvas[:h, :w].tobytes() for canvas, (h, w) in zip(photos.canvases, photos.sizes, strict=True)}
    assert shown == contents


def test_what_cannot_be_used_is_named_with_its_reason(folder, photos):
    broken, grey = sorted(photos.skipped)
    assert broken.startswith(f"{folder / 'dogs' / 'broken.png'}: ")
    assert grey == f"{folder / 'grey.png'}: has no colour"


def test_groups_are_the_first_subfolders(photos):
    assert photos.group_names == ["", "dogs", "flowers"]
    assert np.bincount(photos.groups).tolist() == [1, 2, 4]


def test_shares_say_how_often_groups_come(photos):
    drawn = photos.draw(np.random.default_rng(1), (40, 100), {"dogs": 3.0, "": 1.0, "flowers": 0.0})
    assert drawn.shape == (40, 100) and drawn.dtype == np.int32
    counts = np.bincount(photos.groups[drawn.ravel()], minlength=3) / drawn.size
    np.testing.assert_allclose(counts, [0.25, 0.75, 0.0], atol=0.03)


def test_groups_without_a_share_come_as_often_as_they_are_many(photos):
    drawn = photos.draw(np.random.default_rng(1), (4000,), {})
    np.testing.assert_allclose(np.bincount(drawn) / 4000, np.full(7, 1 / 7), atol=0.03)


def test_a_share_of_no_group_is_refused(photos):
    with pytest.raises(ValueError, match="'cats' is no subfolder with photos; there are dogs, flowers"):
        photos.draw(np.random.default_rng(1), (1,), {"cats": 1.0})


def test_shares_of_0_for_all_are_refused(photos):
    with pytest.raises(ValueError, match="the shares of all photos are 0"):
        photos.draw(np.random.default_rng(1), (1,), {"": 0.0, "dogs": 0.0, "flowers": 0.0})


def test_a_folder_without_colour_is_refused(tmp_path):
    Image.fromarray(np.full((40, 48, 3), 77, np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(ValueError, match=f"{tmp_path}: no photos in colour found"):
        PhotoArray(tmp_path, max_short_side=64, num_workers=1)


def test_large_photos_are_shrunk_and_long_ones_lose_their_ends(tmp_path):
    photo = colour_photo(3, 100, 400)
    Image.fromarray(photo).save(tmp_path / "long.png")
    small = read_small(tmp_path / "long.png", 50)
    assert small.shape == (50, 75, 3)
    expected = Image.fromarray(photo).resize((200, 50), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(small, np.asarray(expected)[:, 62:137])


def test_16_bits_become_8(tmp_path):
    import imagecodecs

    deep = colour_photo(3, 20, 24).astype(np.uint16) * 257 + 100
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_array_equal(read_small(tmp_path / "deep.png", 64), colour_photo(3, 20, 24))
