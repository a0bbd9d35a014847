"""The evaluation protocol: what the colorizer is given, and what is measured on each photo.

Every number of this project comes from here: a photo's centre square is resized to 256 x 256, its lightness alone is
given to the colorizer as an 8-bit grey picture, and the 8-bit result is compared with the 8-bit resized original. The
same grey picture, taken as a result, is the grey baseline: what a tool scores that adds no colour at all.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tqdm

from colorization import color, image_io
from colorization.evaluation import fid
from colorization.evaluation.photos import read_square, relative_name
from colorization.training import metrics

PROTOCOL = (
    "centre square of each photo, resized to 256x256 (Pillow bicubic, antialiased), 8-bit sRGB; input: its L* as 8-bit "
    "grey; result: 8-bit sRGB 256x256; metrics per photo on 8-bit sRGB, then the mean over photos"
)

Colorize = Callable[[np.ndarray], np.ndarray]
"""Takes grey rgb uint8 (B, 256, 256, 3), R = G = B, and returns colour rgb uint8 of the same shape."""


@dataclasses.dataclass(frozen=True)
class PhotoMetrics:
    """One row of per_image.csv; units as in `colorization.training.metrics`.

    Attributes:
      file: path below the data folder, with forward slashes.
      psnr, ssim, ciede2000, colorfulness: of the result.
      grey_psnr, grey_ssim, grey_ciede2000, grey_colorfulness: of the grey baseline (original lightness, ab = 0).
      original_colorfulness: of the resized original.
    """

    file: str
    psnr: float
    ssim: float
    ciede2000: float
    colorfulness: float
    grey_psnr: float
    grey_ssim: float
    grey_ciede2000: float
    grey_colorfulness: float
    original_colorfulness: float


@dataclasses.dataclass(frozen=True)
class Batch:
    """Photos on their way through the evaluation.

    Attributes:
      original: rgb uint8 (B, 256, 256, 3), the resized photos.
      grey: rgb uint8 (B, 256, 256, 3), their lightness: the input and the grey baseline.
      result: rgb uint8 (B, 256, 256, 3), what the colorizer made of `grey`.
    """

    original: np.ndarray
    grey: np.ndarray
    result: np.ndarray


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came of every photo.

    Attributes:
      rows: the measured photos, in order.
      broken: one line, "PATH: reason", for each file that cannot be read.
    """

    rows: list[PhotoMetrics]
    broken: list[str]


@tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
def make_grey(rgb: tf.Tensor) -> tf.Tensor:
    """The grey picture of the same lightness: the colorizer's input, and the grey baseline.

    Args:
      rgb: uint8 (B, H, W, 3).

    Returns:
      rgb uint8 (B, H, W, 3) with R = G = B exactly.
    """
    l, ab = color.rgb_to_l_ab(tf.cast(rgb, tf.float32) / 255.0)
    grey = color.to_uint8(color.l_ab_to_rgb(l, tf.zeros_like(ab)))
    # Rounding may leave the channels one level apart; one of them for all three keeps the input truly grey.
    return tf.repeat(grey[..., 1:2], 3, axis=-1)


def colorize_squares(squares: np.ndarray, colorize: Colorize) -> Batch:
    """Runs the colorizer on prepared photos.

    Args:
      squares: rgb uint8 (B, 256, 256, 3) from `read_square`.
      colorize: see `Colorize`.

    Returns:
      the batch.

    Raises:
      ValueError: the colorizer returned another shape or dtype than it was given.
    """
    grey = make_grey(squares).numpy()
    result = np.asarray(colorize(grey))
    if result.shape != grey.shape or result.dtype != np.uint8:
        raise ValueError(f"the colorizer turned uint8 {grey.shape} into {result.dtype} {result.shape}")
    return Batch(original=squares, grey=grey, result=result)


def measure(batch: Batch, names: Sequence[str]) -> list[PhotoMetrics]:
    """Measures every photo of a batch.

    Args:
      batch: B colorized photos.
      names: B file names for the rows.

    Returns:
      B rows in the order of the batch.
    """
    columns = {name: value.numpy() for name, value in metrics.image_metrics(batch.result, batch.original).items()}
    baseline = metrics.image_metrics(batch.grey, batch.original)
    columns |= {f"grey_{name}": value.numpy() for name, value in baseline.items()}
    columns["original_colorfulness"] = metrics.colorfulness(batch.original).numpy()
    return [
        PhotoMetrics(file, **{name: float(values[i]) for name, values in columns.items()})
        for i, file in enumerate(names)
    ]


def evaluate_photos(
    files: Sequence[Path],
    data_dir: Path,
    colorize: Colorize,
    *,
    batch_size: int = 16,
    fid_meter: fid.FidMeter | None = None,
) -> Evaluation:
    """Reads, colorizes and measures photos, with a progress bar on stderr.

    Args:
      files: paths from `list_evaluation_photos`.
      data_dir: folder that the file names are given relative to.
      colorize: see `Colorize`.
      batch_size: photos per call of `colorize`, 1 or more; the last batch may be smaller.
      fid_meter: gathers the features for FID where given.

    Returns:
      a row or a reason for every one of `files`.
    """
    rows: list[PhotoMetrics] = []
    broken: list[str] = []
    with tqdm.tqdm(total=len(files), desc="evaluate", unit="photo", disable=None) as progress:
        for start in range(0, len(files), batch_size):
            chunk = files[start : start + batch_size]
            squares = {}
            for file in chunk:
                try:
                    squares[file] = read_square(file)
                except image_io.ImageError as error:
                    broken.append(str(error))
            if squares:
                batch = colorize_squares(np.stack(list(squares.values())), colorize)
                rows.extend(measure(batch, [relative_name(file, data_dir) for file in squares]))
                if fid_meter is not None:
                    fid_meter.update(original=batch.original, result=batch.result, grey=batch.grey)
            progress.update(len(chunk))
    if len(rows) + len(broken) != len(files):
        raise AssertionError(f"{len(files)} photos, but {len(rows)} rows and {len(broken)} broken")
    return Evaluation(rows, broken)
