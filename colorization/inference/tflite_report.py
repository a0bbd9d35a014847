"""Compares a converted model with the SavedModel that it was made of: what it changes, weighs and takes.

A photo goes through both on the same path, and the results are measured against the photo itself: PSNR of 8-bit sRGB,
mean over photos. What a conversion may change of it is limited. The `chroma` flavour is measured as it is used: its
chroma enlarged and joined to the photo's lightness.

A photo that is grey itself cannot say which result is right. For it, the loss is estimated: the SavedModel is taken to
score 24 dB, and the conversion's differences to be independent of the SavedModel's errors, so that squares add up.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from colorization import color, image_io
from colorization.inference import processing
from colorization.inference.tflite import Size, SourceModel, default_size

MAX_PSNR_CHANGE = {"float32": 0.05, "float16": 0.05, "dynamic": 0.2, "int8": 0.5}  # dB, either way
MAX_BYTES = {"int8": 8_000_000}
_ASSUMED_PSNR = 24.0  # dB, of the SavedModel's result for a photo that is grey; the shipped ones score about that
_SHORT_SIDE = 256  # px, of compared photos, unless the file's input is fixed
_NUM_WARM_UPS, _NUM_TIMED = 3, 15


@dataclasses.dataclass(frozen=True)
class Report:
    """What came of a comparison.

    Attributes:
      num_photos: compared photos.
      num_grey: those among them that are grey, whose part of the PSNR is estimated.
      max_difference: largest difference from the SavedModel's output over all photos and channels, in `unit`.
      mean_difference: its mean.
      unit: "levels of 255" of sRGB for `rgb`, "units of a*, b*" (CIE) for `chroma`.
      source_psnr: dB, mean over photos, of the SavedModel's results.
      psnr: dB, of the converted model's.
      num_bytes: of the file.
      latency_size: height and width at which latency was taken.
      latency_ms: milliseconds per photo, median, by number of threads.
    """

    num_photos: int
    num_grey: int
    max_difference: float
    mean_difference: float
    unit: str
    source_psnr: float
    psnr: float
    num_bytes: int
    latency_size: Size
    latency_ms: dict[int, float]

    @property
    def psnr_lost(self) -> float:
        """dB; negative if the conversion came out nearer to the photos."""
        return self.source_psnr - self.psnr


def compare(
    content: bytes, source: SourceModel, photos: Sequence[np.ndarray], *, flavour: str, image_size: Size | None
) -> Report:
    """Runs a converted model beside its source.

    Args:
      content: of the TensorFlow Lite file.
      source: the model that it was made of.
      photos: one or more photos, rgb uint8 (H, W, 3) of any sizes.
      flavour: the file's, as `image_size`.
      image_size: see `tflite.convert`.

    Returns:
      the numbers.
    """
    runner = _make_runner(content, num_threads=2)
    run = _run_rgb if flavour == "rgb" else _run_chroma
    rows = []
    for photo in photos:
        original = fit_photo(photo, comparison_size(flavour, image_size))
        difference, expected, actual = run(runner, source, original, image_size)
        if image_io.is_grey(photo):
            psnrs = _ASSUMED_PSNR, _to_psnr(_to_error(_ASSUMED_PSNR) + _squared_error(actual, expected))
        else:
            psnrs = _to_psnr(_squared_error(expected, original)), _to_psnr(_squared_error(actual, original))
        rows.append((difference.max(), difference.mean(), *psnrs))
    max_differences, mean_differences, source_psnrs, psnrs = zip(*rows, strict=True)
    latency_size = image_size or default_size(source, flavour)
    return Report(
        num_photos=len(rows),
        num_grey=sum(map(image_io.is_grey, photos)),
        max_difference=float(np.max(max_differences)),
        mean_difference=float(np.mean(mean_differences)),
        unit="levels of 255" if flavour == "rgb" else "units of a*, b*",
        source_psnr=float(np.mean(source_psnrs)),
        psnr=float(np.mean(psnrs)),
        num_bytes=len(content),
        latency_size=latency_size,
        latency_ms={num_threads: _time(content, flavour, latency_size, num_threads) for num_threads in (1, 2)},
    )


def find_violations(report: Report, quantization: str) -> list[str]:
    """Names the limits that a conversion passes, one phrase each; none if it is fit for use."""
    violations = []
    limit = MAX_PSNR_CHANGE[quantization]
    if not abs(report.psnr_lost) <= limit:  # so written, NaN is a violation
        violations.append(f"PSNR changes by {-report.psnr_lost:+.3f} dB, the limit is {limit} dB")
    max_bytes = MAX_BYTES.get(quantization)
    if max_bytes is not None and report.num_bytes > max_bytes:
        violations.append(f"{report.num_bytes / 1e6:.2f} MB, the limit is {max_bytes / 1e6:.0f} MB")
    return violations


def format_report(report: Report) -> str:
    """The report for people: lines without a final newline."""
    height, width = report.latency_size
    estimated = f", estimated for the {report.num_grey} that are grey" if report.num_grey else ""
    latency = ", ".join(f"{ms:.1f} ms with {n} thread{'s' * (n > 1)}" for n, ms in report.latency_ms.items())
    return "\n".join(
        [
            f"against the SavedModel, {report.num_photos} photos:",
            f"  difference   mean {report.mean_difference:.4f}, max {report.max_difference:.2f} {report.unit}",
            f"  PSNR lost    {report.psnr_lost:.4f} dB ({report.source_psnr:.3f} to {report.psnr:.3f}{estimated})",
            f"  size         {report.num_bytes:,} bytes",
            f"  latency      {latency} ({height}x{width} px, LiteRT)",
        ]
    )


def comparison_size(flavour: str, image_size: Size | None) -> Size | None:
    """Height and width at which photos are compared: `rgb` at the file's size, `chroma` at 256 px; None for any."""
    if image_size is None or flavour == "rgb":
        return image_size
    height, width = (round(side * _SHORT_SIDE / min(image_size)) for side in image_size)
    return height, width


def fit_photo(rgb: np.ndarray, size: Size | None) -> np.ndarray:
    """Cuts and resizes a photo.

    Args:
      rgb: uint8 (H, W, 3).
      size: the largest centre piece of these proportions is resized to this height and width; None keeps the photo's
        own and makes the shorter side 256.

    Returns:
      rgb: uint8 (height, width, 3).
    """
    height, width, _ = rgb.shape
    if size is None:
        scale = _SHORT_SIDE / min(height, width)
        size = round(height * scale), round(width * scale)
    scale = min(height / size[0], width / size[1])
    crop = max(1, min(height, round(size[0] * scale))), max(1, min(width, round(size[1] * scale)))
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    piece = Image.fromarray(rgb[top : top + crop[0], left : left + crop[1]])
    return np.asarray(piece.resize(size[::-1], Image.Resampling.BICUBIC))


def _make_runner(content: bytes, *, num_threads: int):
    interpreter = Interpreter(model_content=content, num_threads=num_threads)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner()


def _run_rgb(runner, source: SourceModel, original: np.ndarray, image_size: Size | None):
    """Differences in levels, and the results of source and file, for one photo."""
    del image_size  # the photo has it
    (expected,) = source.signatures["colorize"](rgb=tf.constant(original[np.newaxis]))["rgb"].numpy()
    (actual,) = runner(rgb=original[np.newaxis])["rgb"]
    return np.abs(actual.astype(np.int16) - expected), expected, actual


def _run_chroma(runner, source: SourceModel, original: np.ndarray, image_size: Size | None):
    """As `_run_rgb`; differences in CIE units."""
    l = processing.to_l(original[np.newaxis])
    small = processing.shrink_l(l, image_size or processing.work_shape(*original.shape[:2], source.work_size))
    expected_ab = source.signatures["predict_ab"](l=small)["ab"]
    actual_ab = runner(l=small.numpy())["ab"]
    expected, actual = (
        processing.recolor(l, processing.upsample_ab(ab, original.shape[:2]), 1.0, tf.uint8)[0].numpy()
        for ab in (expected_ab, tf.constant(actual_ab))
    )
    return np.abs(actual_ab - expected_ab.numpy()) * color.AB_SCALE, expected, actual


def _squared_error(result: np.ndarray, original: np.ndarray) -> float:
    """Mean squared difference of two uint8 pictures."""
    return float(np.mean(np.square(result.astype(np.float64) - original)))


def _to_psnr(squared_error: float) -> float:
    """dB, of uint8 pictures; at most 100, for equal ones."""
    return min(100.0, 10.0 * math.log10(255.0**2 / max(squared_error, 1e-9)))


def _to_error(psnr: float) -> float:
    return 255.0**2 / 10.0 ** (psnr / 10.0)


def _time(content: bytes, flavour: str, size: Size, num_threads: int) -> float:
    """Median milliseconds per photo of a fixed random picture."""
    runner = _make_runner(content, num_threads=num_threads)
    levels = np.random.default_rng(0).integers(0, 256, (1, *size, 3 if flavour == "rgb" else 1), np.uint8)
    feed = {"rgb": levels} if flavour == "rgb" else {"l": levels.astype(np.float32) / 127.5 - 1.0}
    seconds = []
    for _ in range(_NUM_WARM_UPS + _NUM_TIMED):
        start = time.perf_counter()
        runner(**feed)
        seconds.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(seconds[_NUM_WARM_UPS:])
