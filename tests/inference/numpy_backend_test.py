"""What runs without TensorFlow against what runs with it."""

import numpy as np
import pytest

from colorization.inference import numpy_backend, processing, tensorflow_backend

RNG = np.random.default_rng(0)
SHAPES = [(75, 110), (300, 40), (1, 1), (40, 700), (33, 20)]


def draw_photo(height, width, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max + 1, (height, width, 3), dtype)


def test_work_shapes_are_the_same():
    sizes = [*RNG.integers(1, 8000, (300, 2)).tolist(), [1, 1], [1, 50000], [4000, 6000], [240, 160]]
    for height, width in sizes:
        expected = tuple(processing.work_shape(height, width, 160).numpy())
        assert numpy_backend.work_shape(height, width, 160) == expected


def draw_grey_photo(height, width, dtype):
    return np.broadcast_to(draw_photo(height, width, dtype)[..., :1], (height, width, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("draw", [draw_photo, draw_grey_photo])
@pytest.mark.parametrize("shape", SHAPES)
def test_lightness_at_the_work_size_is_the_same(shape, draw, dtype):
    rgb = draw(*shape, dtype)
    for small_shape in [(32, 64), (160, 32)]:
        small = numpy_backend.shrink_l(rgb, small_shape)
        assert small.dtype == np.float32 and small.shape == (1, *small_shape, 1)
        np.testing.assert_allclose(small, tensorflow_backend.shrink_l(rgb, small_shape), atol=5e-5)  # 0.0025 L*


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_reference_is_the_same(dtype):
    rgb = draw_photo(75, 110, dtype)
    for actual, expected in zip(
        numpy_backend.shrink_reference(rgb, (32, 64)), tensorflow_backend.shrink_reference(rgb, (32, 64)), strict=True
    ):
        assert actual.dtype == np.float32 and actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [(np.uint8, 1), (np.uint16, 12)])
@pytest.mark.parametrize("draw", [draw_photo, draw_grey_photo])
@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_are_the_same(shape, draw, dtype, tolerance):
    """Enlarging, and shrinking for photos smaller than the work size; colours far out of gamut."""
    photo = draw(*shape, dtype)
    ab = RNG.uniform(-1, 1, (1, 64, 96, 2)).astype(np.float32)
    rgb = numpy_backend.recolor(photo, ab, 0.8)
    expected = tensorflow_backend.recolor(photo, tensorflow_backend.to_tensor(ab), 0.8)
    difference = np.abs(rgb.astype(int) - expected)
    assert rgb.dtype == dtype and rgb.shape == (*shape, 3)
    assert difference.max() <= tolerance
    assert dtype == np.uint16 or (difference > 0).mean() < 1e-3


def test_bands_join_without_seams_also_in_the_photo_itself(monkeypatch):
    rgb = draw_photo(75, 110)
    ab = RNG.uniform(-0.3, 0.3, (1, 32, 64, 2)).astype(np.float32)
    l, whole = numpy_backend.shrink_l(rgb, (32, 64)), numpy_backend.recolor(rgb, ab, 1.0)
    monkeypatch.setattr(numpy_backend, "_BAND_PIXELS", 1000)
    np.testing.assert_array_equal(numpy_backend.shrink_l(rgb, (32, 64)), l)
    assert numpy_backend.recolor(rgb, ab, 1.0, out=rgb) is rgb
    np.testing.assert_array_equal(rgb, whole)
