import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import full_size, processing

SHAPE = (2, 3)  # of the work size here
AB = np.random.default_rng(1).uniform(-0.5, 0.5, (1, *SHAPE, 2)).astype(np.float32)


def make_photo(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


PHOTOS = {
    "colour": make_photo(75, 110, 3),
    "grey": np.repeat(make_photo(75, 110, 1), 3, axis=-1),
    "view of one channel": np.broadcast_to(make_photo(75, 110, 1), (75, 110, 3)),
    "16 bits": make_photo(75, 110, 3, dtype=np.uint16),
    "one row": make_photo(1, 3000, 3),
    "one column": make_photo(3000, 1, 3),
    "not contiguous": make_photo(110, 150, 3)[::-1, ::2],
}


@pytest.mark.parametrize("rgb", PHOTOS.values(), ids=PHOTOS)
def test_strips_give_what_the_whole_gives(rgb, monkeypatch):
    """Bit for bit, however it is cut; and, to rounding, what `processing` makes of the photo in one piece."""
    l, result = full_size.shrink_l(rgb, np.array(SHAPE)), full_size.recolor(rgb, tf.constant(AB), 1.5)
    for num_pixels in (1000, 777):
        monkeypatch.setattr(full_size, "_CHUNK_PIXELS", num_pixels)
        np.testing.assert_array_equal(full_size.shrink_l(rgb, np.array(SHAPE)), l)
        np.testing.assert_array_equal(full_size.recolor(rgb, tf.constant(AB), 1.5), result)

    whole_l = processing.to_l(np.ascontiguousarray(rgb))[tf.newaxis]
    np.testing.assert_allclose(l, processing.shrink_l(whole_l, SHAPE), atol=1e-5)
    ab = processing.upsample_ab(AB, rgb.shape[:2])[0]
    expected = processing.recolor(whole_l[0], ab, 1.5, tf.as_dtype(rgb.dtype)).numpy()
    assert np.abs(result.astype(int) - expected).max() <= (1 if rgb.dtype == np.uint8 else 40)


def test_the_photo_itself_can_take_the_result(monkeypatch):
    monkeypatch.setattr(full_size, "_CHUNK_PIXELS", 1000)
    for rgb in (make_photo(75, 110, 3), make_photo(75, 110, 3, dtype=np.uint16)):
        expected = full_size.recolor(rgb, tf.constant(AB), 1.0)
        assert full_size.recolor(rgb, tf.constant(AB), 1.0, out=rgb) is rgb
        np.testing.assert_array_equal(rgb, expected)


def test_rows_are_enlarged_as_tensorflow_does():
    wide = np.random.default_rng(0).uniform(-1, 1, (7, 5, 2)).astype(np.float32)
    for height in (1, 3, 7, 40, 1000):
        expected = tf.image.resize(wide[np.newaxis], (height, 5))[0]
        rows = [full_size._upsample_rows(wide, slice(y, y + 1), height)[0] for y in range(height)]
        np.testing.assert_allclose(rows, expected, atol=1e-6)
