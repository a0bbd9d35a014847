import imagecodecs
import numpy as np

from colorization import color_profile

D65 = [0.3127, 0.3290, 1.0]
WIDE = imagecodecs.cms_profile(
    "rgb", whitepoint=D65, primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], gamma=1.8
)
GRAY = imagecodecs.cms_profile("gray", whitepoint=D65, gamma=1.8)
SRGB = imagecodecs.cms_profile("srgb")


def srgb_of_gamma(values: np.ndarray, gamma: float) -> np.ndarray:
    """IEC 61966-2-1 encoding, values and result in [0, 1]."""
    linear = values**gamma
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_gray_profile_sets_lightness_and_becomes_srgb():
    for dtype, tolerance in ((np.uint8, 1), (np.uint16, 60)):
        top = np.iinfo(dtype).max
        gray = np.linspace(0, top, 30).round().astype(dtype).reshape(5, 6)
        rgb, profile = color_profile.to_srgb(gray, "GRAY", GRAY)
        expected = srgb_of_gamma(gray / top, 1.8) * top
        assert rgb.shape == (5, 6, 3) and rgb.dtype == dtype
        np.testing.assert_allclose(rgb, np.repeat(expected[..., None], 3, 2), atol=tolerance)
        assert profile[16:20] == b"RGB "
        assert color_profile.from_srgb(rgb, profile) is rgb


def test_rgb_profile_goes_to_srgb_and_back():
    for dtype, tolerance in ((np.uint8, 2), (np.uint16, 200)):
        top = np.iinfo(dtype).max
        gray = np.repeat(np.linspace(0, 1, 16)[:, None, None], 3, axis=2)
        muted = np.array([[[0.5, 0.4, 0.3]], [[0.3, 0.5, 0.6]]])
        pixels = (np.concatenate([gray, muted]) * top).round().astype(dtype)
        rgb, profile = color_profile.to_srgb(pixels, "RGB", WIDE)
        np.testing.assert_allclose(rgb[:16] / top, srgb_of_gamma(gray, 1.8), atol=tolerance / top)
        assert int(rgb[16, 0, 0]) - int(pixels[16, 0, 0]) > 0.05 * top  # wider primaries: redder in sRGB
        assert profile == WIDE
        np.testing.assert_allclose(color_profile.from_srgb(rgb, profile), pixels, atol=2 * tolerance)


def test_srgb_profile_leaves_pixels_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    rgb, profile = color_profile.to_srgb(pixels, "RGB", SRGB)
    assert rgb is pixels and profile == SRGB


def test_gray_pixels_with_rgb_profile():
    rgb, profile = color_profile.to_srgb(np.full((2, 2), 128, np.uint8), "GRAY", WIDE)
    np.testing.assert_allclose(rgb, 255 * srgb_of_gamma(np.full((2, 2, 3), 128 / 255), 1.8), atol=1)
    assert profile == WIDE


def test_unusable_profiles_count_as_none():
    pixels = np.full((2, 2, 3), 90, np.uint8)
    for profile in (b"", b"rubbish", WIDE[:200], GRAY, b"\0" * 16 + b"RGB " + b"\0" * 200):
        rgb, kept = color_profile.to_srgb(pixels, "RGB", profile)
        np.testing.assert_array_equal(rgb, pixels)
        assert kept is None


def test_cmyk_without_profile():
    ink = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [0, 0, 0, 102]]], np.uint8)
    rgb, profile = color_profile.to_srgb(ink, "CMYK", None)
    assert rgb.tolist() == [[[255, 255, 255], [0, 255, 255], [255, 255, 0], [0, 0, 0], [153, 153, 153]]]
    assert profile is None
    rgb, _ = color_profile.to_srgb(ink.astype(np.uint16) * 257, "CMYK", None)
    assert rgb[0, 4].tolist() == [153 * 257] * 3


def test_profile_made_here_is_always_the_same():
    assert color_profile._srgb_profile.__wrapped__() == color_profile._srgb_profile()
    assert color_profile._srgb_profile()[24:36] == bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
