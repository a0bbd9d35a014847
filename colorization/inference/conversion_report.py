"""Compares a converted model with the SavedModel that it was made of: what it changes, weighs and takes.

A photo goes through both on the same path, and the results are measured against the photo itself: PSNR of 8-bit sRGB,
mean over photos. What a conversion may change of it is limited. The flavours `chroma` and `steer` are measured as they
are used: chroma enlarged and joined to the photo's lightness; `steer` twice, alone, and with the photo as its own
reference and a hint.

A photo that is grey itself cannot say which result is right. For it, the loss is estimated: the SavedModel is taken to
score 24 dB, and the conversion's differences to be independent of the SavedModel's errors, so that squares add up.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from colorization import color, image_io
from colorization.inference import converted, processing, runtimes
from colorization.inference.conversion import Size, SourceModel, default_size

MAX_PSNR_CHANGE = {"float32": 0.05, "float16": 0.05, "dynamic": 0.2, "int8": 0.5}  # dB, either way
MAX_BYTES = {"int8": 8_000_000}
_ASSUMED_PSNR = 24.0  # dB, of the SavedModel's result for a photo that is grey; the shipped ones score about that
_SHORT_SIDE = 256  # px, of compared photos, unless the file's input is fixed
_NUM_WARM_UPS, _NUM_TIMED = 3, 15
_HINT_AB, _HINT_PIXELS = (0.4, -0.3), slice(8, 12)  # of the square that `steer` is asked to colour: violet

# What one way through both models gives: differences, in the report's unit, and two pictures, uint8 (H, W, 3).
_Comparison = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Report:
    """What came of a comparison.

    Attributes:
      num_photos: compared photos.
      num_grey: those among them that are grey, whose part of the PSNR is estimated.
      max_difference: largest difference from the SavedModel's output over all photos and channels, in `unit`.
      mean_difference: its mean.
      unit: "levels of 255" of sRGB for `rgb`, "units of a*, b*" (CIE) for the others.
      source_psnr: dB, mean over photos, of the SavedModel's results.
      psnr: dB, of the converted model's.
      num_bytes: of the model's files.
      runtime: that ran it, of `runtimes.RUNTIMES`.
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
    runtime: str
    latency_size: Size
    latency_ms: dict[int, float]

    @property
    def psnr_lost(self) -> float:
        """dB; negative if the conversion came out nearer to the photos."""
        return self.source_psnr - self.psnr


def compare(
    path: Path,
    runtime: str,
    source: SourceModel,
    photos: Sequence[np.ndarray],
    *,
    flavour: str,
    image_size: Size | None,
    num_bytes: int,
) -> Report:
    """Runs a converted model beside its source.

    Args:
      path: the converted model; the noise encoder, if it has one, beside it as `converted.encoder_path` says.
      runtime: that runs it, of `runtimes.RUNTIMES`.
      source: the model that it was made of.
      photos: one or more photos, rgb uint8 (H, W, 3) of any sizes.
      flavour: of the file.
      image_size: of the file, height and width; None if they are open.
      num_bytes: of all its files.

    Returns:
      the numbers.
    """
    predict = runtimes.open_model(path, runtime, num_threads=2)
    encode = None
    if converted.encoder_path(path).exists():
        encode = runtimes.open_model(converted.encoder_path(path), runtime, num_threads=2)
    rows = []
    for photo in photos:
        original = fit_photo(photo, comparison_size(flavour, image_size))
        for difference, expected, actual in _run(flavour, predict, encode, source, original, image_size):
            if image_io.is_grey(photo):
                psnrs = _ASSUMED_PSNR, _to_psnr(_to_error(_ASSUMED_PSNR) + _squared_error(actual, expected))
            else:
                psnrs = _to_psnr(_squared_error(expected, original)), _to_psnr(_squared_error(actual, original))
            rows.append((difference.max(), difference.mean(), *psnrs))
    max_differences, mean_differences, source_psnrs, psnrs = zip(*rows, strict=True)
    latency_size = image_size or default_size(source, flavour)
    return Report(
        num_photos=len(photos),
        num_grey=sum(map(image_io.is_grey, photos)),
        max_difference=float(np.max(max_differences)),
        mean_difference=float(np.mean(mean_differences)),
        unit="levels of 255" if flavour == "rgb" else "units of a*, b*",
        source_psnr=float(np.mean(source_psnrs)),
        psnr=float(np.mean(psnrs)),
        num_bytes=num_bytes,
        runtime=runtime,
        latency_size=latency_size,
        latency_ms={
            num_threads: _time(path, runtime, _make_feed(flavour, source, latency_size), num_threads)
            for num_threads in (1, 2)
        },
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
            f"  latency      {latency} ({height}x{width} px, {runtimes.RUNTIMES[report.runtime][0]})",
        ]
    )


def comparison_size(flavour: str, image_size: Size | None) -> Size | None:
    """Height and width at which photos are compared: `rgb` at the file's size, others at 256 px; None for any."""
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


def _run(
    flavour: str,
    predict: runtimes.Predict,
    encode: runtimes.Predict | None,
    source: SourceModel,
    original: np.ndarray,
    image_size: Size | None,
) -> list[_Comparison]:
    """All ways of one photo through both models."""
    if flavour == "rgb":
        return [_run_rgb(predict, source, original)]
    l = processing.to_l(original[np.newaxis])
    shape = image_size or processing.work_shape(*original.shape[:2], source.work_size)
    small_l = processing.shrink_l(l, shape)
    if flavour == "chroma":
        chromas = [(source.signatures["predict_ab"](l=small_l)["ab"].numpy(), predict(l=small_l.numpy())["ab"])]
    else:
        _, small_ab = color.rgb_to_l_ab(processing.shrink_rgb(original[np.newaxis], shape))
        chromas = _steer(predict, encode, source, small_l.numpy(), small_ab.numpy())
    return [
        (
            np.abs(actual_ab - expected_ab) * color.AB_SCALE,
            *(
                processing.recolor(l, processing.upsample_ab(ab, original.shape[:2]), 1.0, tf.uint8)[0].numpy()
                for ab in (expected_ab, actual_ab)
            ),
        )
        for expected_ab, actual_ab in chromas
    ]


def _run_rgb(predict: runtimes.Predict, source: SourceModel, original: np.ndarray) -> _Comparison:
    (expected,) = source.signatures["colorize"](rgb=tf.constant(original[np.newaxis]))["rgb"].numpy()
    (outputs,) = predict(rgb=original[np.newaxis]).values()  # of another name in ONNX
    actual = outputs[0]
    return np.abs(actual.astype(np.int16) - expected), expected, actual


def _steer(
    predict: runtimes.Predict, encode: runtimes.Predict | None, source: SourceModel, l: np.ndarray, ab: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Chroma of source and file: without noise and hints, and with `ab` as reference, or noise, and a hint."""
    zero = np.zeros((1, source.z_dim), np.float32)
    no_hints = np.zeros((*l.shape[:3], 3), np.float32)
    one_hint = no_hints.copy()
    one_hint[:, _HINT_PIXELS, _HINT_PIXELS] = (*_HINT_AB, 1.0)
    expected_z = actual_z = np.random.default_rng(0).standard_normal((1, source.z_dim), np.float32)
    if encode is not None:
        expected_z = source.signatures["encode_z"](l=tf.constant(l), ab=tf.constant(ab))["z"].numpy()
        actual_z = encode(l=l, ab=ab)["z"]
    pairs = []
    for expected_noise, actual_noise, hints in ((zero, zero, no_hints), (expected_z, actual_z, one_hint)):
        expected = source.signatures["steer_ab"](
            l=tf.constant(l), z=tf.constant(expected_noise), hints=tf.constant(hints)
        )
        pairs.append((expected["ab"].numpy(), predict(l=l, z=actual_noise, hints=hints)["ab"]))
    return pairs


def _squared_error(result: np.ndarray, original: np.ndarray) -> float:
    """Mean squared difference of two uint8 pictures."""
    return float(np.mean(np.square(result.astype(np.float64) - original)))


def _to_psnr(squared_error: float) -> float:
    """dB, of uint8 pictures; at most 100, for equal ones."""
    return min(100.0, 10.0 * math.log10(255.0**2 / max(squared_error, 1e-9)))


def _to_error(psnr: float) -> float:
    return 255.0**2 / 10.0 ** (psnr / 10.0)


def _make_feed(flavour: str, source: SourceModel, size: Size) -> dict[str, np.ndarray]:
    """Inputs for one call: a fixed random picture."""
    levels = np.random.default_rng(0).integers(0, 256, (1, *size, 3 if flavour == "rgb" else 1), np.uint8)
    if flavour == "rgb":
        return {"rgb": levels}
    feed = {"l": levels.astype(np.float32) / 127.5 - 1.0}
    if flavour == "steer":
        feed |= {"z": np.zeros((1, source.z_dim), np.float32), "hints": np.zeros((1, *size, 3), np.float32)}
    return feed


def _time(path: Path, runtime: str, feed: dict[str, np.ndarray], num_threads: int) -> float:
    """Median milliseconds of a call."""
    predict = runtimes.open_model(path, runtime, num_threads=num_threads)
    seconds = []
    for _ in range(_NUM_WARM_UPS + _NUM_TIMED):
        start = time.perf_counter()
        predict(**feed)
        seconds.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(seconds[_NUM_WARM_UPS:])
