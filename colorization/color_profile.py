"""ICC profiles: from a file's own pixels to sRGB and back.

Little CMS does the work, through imagecodecs because that takes 16-bit arrays as well (Pillow's ImageCms has no 16-bit
RGB). Intent: relative colorimetric with black-point compensation, as photo editors do by default.

Reference: ICC.1:2022, Image technology colour management.
"""

import functools

import imagecodecs
import numpy as np

_SPACES = {b"GRAY": "GRAY", b"RGB ": "RGB", b"CMYK": "CMYK"}  # colour space field of a profile's header


def to_srgb(pixels: np.ndarray, space: str, profile: bytes | None) -> tuple[np.ndarray, bytes | None]:
    """Converts a file's pixels to sRGB.

    Args:
      pixels: uint8 or uint16, full range: (H, W) for "GRAY", (H, W, 3) for "RGB", (H, W, 4) for "CMYK" (0: no ink).
      space: "GRAY", "RGB" or "CMYK".
      profile: the profile embedded in the file; a broken one or one for other pixels counts as none.

    Returns:
      rgb: (H, W, 3) of the same dtype, gamma-encoded sRGB; a read-only view of `pixels` if those are grey and are sRGB.
      profile: the one to embed in an RGB file that is made of it, see `from_srgb`; None if there was none.
    """
    profile_space = _SPACES.get(profile[16:20]) if profile else None
    if space == "GRAY" and profile_space != "GRAY":  # grey files with an RGB profile are common
        pixels, space = np.broadcast_to(pixels[..., np.newaxis], (*pixels.shape, 3)), "RGB"
    if space == profile_space:
        try:
            if space != "RGB":
                return _transform(pixels, profile, _srgb_profile()), _srgb_profile()
            kind = _classify(profile)
            rgb = pixels if kind == "srgb" else _transform(pixels, profile, _srgb_profile())
            return rgb, _srgb_profile() if kind == "input" else profile
        except imagecodecs.CmsError:
            pass
    return (_cmyk_to_rgb(pixels) if space == "CMYK" else pixels), None


def from_srgb(rgb: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Converts sRGB pixels to those that a file with this profile holds.

    Args:
      rgb: (H, W, 3) uint8 or uint16, full range, gamma-encoded sRGB.
      profile: what `to_srgb` returned.

    Returns:
      (H, W, 3) of the same dtype; `rgb` itself if the profile is None or sRGB.
    """
    if profile is None or _classify(profile) == "srgb":
        return rgb
    return _transform(rgb, _srgb_profile(), profile)


def _transform(pixels: np.ndarray, source: bytes, target: bytes) -> np.ndarray:
    return imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        source,
        target,
        colorspace=_SPACES[source[16:20]].lower(),
        outcolorspace="rgb",
        outdtype=pixels.dtype,
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )


@functools.lru_cache(maxsize=16)
def _classify(profile: bytes) -> str:
    """Tells an RGB profile's kind: "srgb" (within rounding), "both" directions, or "input" only."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    srgb = _transform(grid, profile, _srgb_profile())
    if np.abs(srgb.astype(int) - grid).max() <= 1:
        return "srgb"
    try:
        _transform(srgb, _srgb_profile(), profile)
    except imagecodecs.CmsError:
        return "input"
    return "both"


@functools.cache
def _srgb_profile() -> bytes:
    profile = imagecodecs.cms_profile("srgb")
    # Bytes 24-35 hold the time of making; a fixed one makes equal photos equal files.
    return profile[:24] + np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes() + profile[36:]


def _cmyk_to_rgb(cmyk: np.ndarray) -> np.ndarray:
    top = np.iinfo(cmyk.dtype).max
    paper = (top - cmyk).astype(np.float32) / top
    return np.rint(paper[..., :3] * paper[..., 3:] * top).astype(cmyk.dtype)
