"""A test set of old photos: degrades clean grey ones as time, printers and scanners do.

Written with NumPy and Pillow alone, and apart from `colorization/data/augment.py`: a model must not be tested by the
very code that trained it. Strengths are fixed and fairly strong; only positions and angles come from the seed.

All functions take and return grey levels as float32 (H, W), 0 (black) to 255, if not said otherwise.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_SUPERSAMPLING = 4  # scratches and dots of ink are drawn this much larger, then shrunk


def degrade(grey: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Degrades a photo.

    Args:
      grey: uint8 (H, W), the clean photo.
      kind: one of `KINDS`.
      seed: of positions and angles; 0 or more. The same arguments give the same result.

    Returns:
      rgb uint8 (H, W, 3); grey (R = G = B) for all kinds but "sepia".
    """
    rng = np.random.default_rng([list(KINDS).index(kind), seed])
    result = KINDS[kind](grey.astype(np.float32), rng)
    if result.ndim == 2:
        result = np.repeat(result[..., np.newaxis], 3, axis=-1)
    return np.clip(np.round(result), 0, 255).astype(np.uint8)


def fade(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bleaches from one side to the other and darkens the corners: blacks rise by 40 to 110 levels."""
    height, width = grey.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    side = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)  # -0.71 to 0.71
    black = 75.0 + 50.0 * side
    faded = black + (225.0 - black) * grey / 255.0
    corner = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.5  # 0 in the middle, 1 in the corners
    return faded * (1.0 - 0.35 * corner)


def tone_sepia(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Prints in brown on yellowed paper: (H, W, 3)."""
    warmth = rng.uniform(0.8, 1.2)
    ink, paper = np.array([48.0, 28.0, 14.0]), np.array([250.0, 250.0 - 18.0 * warmth, 250.0 - 60.0 * warmth])
    return ink + (paper - ink) * grey[..., np.newaxis] / 255.0


def scratch(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws six scratches, three hairs and forty specks of dust."""
    height, width = grey.shape
    size = np.array([width, height]) * _SUPERSAMPLING
    light, dark = Image.new("L", tuple(size)), Image.new("L", tuple(size))
    pens = [ImageDraw.Draw(light), ImageDraw.Draw(dark)]
    for _ in range(6):
        x, lean = rng.uniform(0.0, size[0]), rng.normal(0.0, 0.03 * size[0])
        top, bottom = np.sort(rng.uniform(-0.3, 1.3, 2)) * size[1]
        line = [x, top, x + lean, max(bottom, top + 0.3 * size[1])]
        pens[rng.integers(2)].line(line, fill=int(rng.integers(120, 256)), width=int(rng.integers(3, 8)))
    for _ in range(3):
        corner, extent, start = rng.uniform(0.0, 0.8, 2) * size, rng.uniform(0.1, 0.3, 2) * size, rng.uniform(0, 360)
        pens[rng.integers(2)].arc([*corner, *(corner + extent)], start, start + 120.0, fill=200, width=4)
    for _ in range(40):
        center, radius = rng.uniform(0.0, 1.0, 2) * size, rng.uniform(1.0, 7.0)
        pens[rng.integers(2)].ellipse([*(center - radius), *(center + radius)], fill=int(rng.integers(120, 256)))
    light, dark = (np.asarray(mask.resize((width, height), Image.Resampling.BOX)) / 255.0 for mask in (light, dark))
    return (grey + light * (245.0 - grey)) * (1.0 - dark) + dark * 15.0


def print_halftone(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Prints as a newspaper does, with round dots of black ink that grow with darkness, and scans that softly."""
    height, width = grey.shape
    period, angle = rng.uniform(3.0, 5.0) * _SUPERSAMPLING, np.radians(rng.uniform(30.0, 60.0))
    shape = (width * _SUPERSAMPLING, height * _SUPERSAMPLING)
    darkness = 1.0 - np.asarray(Image.fromarray(grey).resize(shape, Image.Resampling.BILINEAR)) / 255.0
    y, x = np.mgrid[: shape[1], : shape[0]].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    # In periods from the centre of the nearest dot. A dot of that radius has the area of its darkness.
    distance = np.hypot(*((part / period + 0.5) % 1.0 - 0.5 for part in (along, across)))
    ink = distance < np.sqrt(darkness / np.pi)
    ink = Image.fromarray((ink * 255).astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
    soft = np.asarray(ink.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / 255.0
    return 225.0 - 190.0 * soft


def lower_contrast(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leaves 30 % of the contrast, around a middle or a light grey."""
    return rng.uniform(120.0, 170.0) + 0.3 * (grey - 127.5)


def blur_and_grain(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurs like a soft lens (sigma 1.6 px) and adds grain of 1.5 px, 14 levels strong."""
    soft = Image.fromarray(np.round(grey).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.6))
    height, width = grey.shape
    coarse = rng.normal(0.0, 1.0, (round(height / 1.5), round(width / 1.5))).astype(np.float32)
    grain = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray(soft, np.float32) + 14.0 * grain / grain.std()


def compress_jpeg(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shrinks by a third and stores as JPEG of quality 12 to 20: a picture from an early web page."""
    height, width = grey.shape
    small = Image.fromarray(np.round(grey).astype(np.uint8)).resize((width * 2 // 3, height * 2 // 3))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=int(rng.integers(12, 21)))
    return np.asarray(Image.open(file).resize((width, height), Image.Resampling.BICUBIC), np.float32)


KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "fade": fade,
    "sepia": tone_sepia,
    "scratches": scratch,
    "halftone": print_halftone,
    "low contrast": lower_contrast,
    "blur and grain": blur_and_grain,
    "jpeg": compress_jpeg,
}
"""What can befall a photo, by name."""
