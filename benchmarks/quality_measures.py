"""What `quality.py` measures: a function for each demand, all on the protocol of `colorization.evaluation`.

Photos are centre squares at 256x256; the model sees their lightness as an 8-bit grey picture. Distances of colour are
Euclidean ones in (a*, b*), in CIE units: about 2 is the least that one sees, 8 is plain, red and green are 100 apart.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import degrade
from colorization import Colorizer, color
from colorization.evaluation import protocol, report
from colorization.inference import processing
from colorization.training import metrics

BATCH_SIZE = 16  # part of the protocol of `measure_noise`: each batch draws its own noise
PLAIN_DISTANCE = 8.0  # CIE units from which two samples differ plainly


@dataclasses.dataclass(frozen=True)
class Photos:
    """The photos, all in memory.

    Attributes:
      names: N file names.
      original: rgb uint8 (N, 256, 256, 3).
      grey: rgb uint8 (N, 256, 256, 3), R = G = B: what the model is given.
      automatic: rgb uint8 (N, 256, 256, 3): what it makes of them by itself, at z = 0.
    """

    names: Sequence[str]
    original: np.ndarray
    grey: np.ndarray
    automatic: np.ndarray

    def psnr(self, results: np.ndarray) -> np.ndarray:
        """PSNR in dB of each of N results: float64 (N,)."""
        return np.concatenate([_psnr(results[rows], self.original[rows]) for rows in batches(len(results))])


def batches(num: int) -> Iterator[slice]:
    """Slices of `BATCH_SIZE`, the last one may be shorter."""
    return (slice(start, min(start + BATCH_SIZE, num)) for start in range(0, num, BATCH_SIZE))


def take_photos(colorizer: Colorizer, names: Sequence[str], squares: Sequence[np.ndarray]) -> Photos:
    """Makes the grey and the automatic pictures.

    Args:
      colorizer: the model.
      names: N file names.
      squares: N times rgb uint8 (256, 256, 3) from `read_square`, 1 or more.
    """
    original = np.stack(squares)
    grey = np.concatenate([protocol.make_grey(original[rows]).numpy() for rows in batches(len(original))])
    return Photos(names, original, grey, colorize(colorizer, grey))


def colorize(colorizer: Colorizer, grey: np.ndarray, **options: Any) -> np.ndarray:
    """Colorizes rgb uint8 (N, 256, 256, 3) with the same options for all: the same shape and dtype."""
    return np.concatenate(
        [np.stack(colorizer.colorize_batch(list(grey[rows]), **options)) for rows in batches(len(grey))]
    )


@functools.cache
def read_signatures(colorizer: Colorizer) -> Mapping[str, Callable[..., dict[str, tf.Tensor]]]:
    """The signatures of the colorizer's model, by name: what `colorization.inference.saved_model` says of them."""
    return tf.saved_model.load(str(colorizer.model_dir)).signatures


def to_cie_ab(rgb: np.ndarray) -> np.ndarray:
    """a* and b* of rgb uint8 (..., 3): float32 (..., 2), CIE units."""
    return color.rgb_to_lab(np.float32(rgb) / 255.0).numpy()[..., 1:]


def mean_distance(ab: np.ndarray, other_ab: np.ndarray) -> np.ndarray:
    """Mean over pixels of the distance between float32 (B, H, W, 2): (B,)."""
    return np.linalg.norm(ab - other_ab, axis=-1).mean(axis=(1, 2))


def _psnr(results: np.ndarray, original: np.ndarray) -> np.ndarray:
    return metrics.psnr(results, original).numpy().astype(np.float64)


def measure_automatic(colorizer: Colorizer, photos: Photos, saturations: Sequence[float]) -> list[dict[str, float]]:
    """Measures the automatic colours beside the grey baseline.

    Args:
      colorizer: the model.
      photos: N photos.
      saturations: factors for chroma.

    Returns:
      for each saturation: `saturation`; `psnr` in dB, `grey_psnr`, `psnr_gain`; `colorfulness` and
      `original_colorfulness` (means), `colorfulness_delta` (their distance); `ciede2000`, `grey_ciede2000`,
      `ciede2000_percent_below_grey`.
    """
    table = []
    for saturation in saturations:
        results = photos.automatic if saturation == 1.0 else colorize(colorizer, photos.grey, saturation=saturation)
        rows = []
        for part in batches(len(results)):
            batch = protocol.Batch(photos.original[part], photos.grey[part], results[part])
            rows += protocol.measure(batch, photos.names[part])
        summary = report.summarize(rows)
        result, grey = summary["result"], summary["grey_baseline"]
        table.append(
            {
                "saturation": saturation,
                "psnr": result["psnr"],
                "grey_psnr": grey["psnr"],
                "psnr_gain": result["psnr"] - grey["psnr"],
                "colorfulness": result["colorfulness"],
                "original_colorfulness": summary["original"]["colorfulness"],
                "colorfulness_delta": summary["colorfulness_delta"],
                "ciede2000": result["ciede2000"],
                "grey_ciede2000": grey["ciede2000"],
                "ciede2000_percent_below_grey": 100.0 * (1.0 - result["ciede2000"] / grey["ciede2000"]),
            }
        )
    return table


def measure_noise(colorizer: Colorizer, photos: Photos, num_samples: int) -> dict[str, float]:
    """Measures how far samples lie apart, and what the best of them is worth.

    Batch number n of 16 photos gets the noise that `--seed=n` draws.

    Args:
      colorizer: the model.
      photos: N photos.
      num_samples: S, 2 or more.

    Returns:
      `num_samples`; of the photos' pairwise distances (mean over pixels, then over pairs): `distance_mean`,
      `distance_median`, and `plain_share`, that of photos with at least `PLAIN_DISTANCE`; against the automatic
      colours, in dB: `best_psnr_gain` of each photo's best sample, `mean_psnr_gain` of all.
    """
    distances, best, mean = [], [], []
    for number, rows in enumerate(batches(len(photos.grey))):
        noise = colorizer.draw_z(num_samples, seed=number)
        samples = [np.stack(colorizer.colorize_batch(list(photos.grey[rows]), z=z)) for z in noise]
        abs_ = [to_cie_ab(sample) for sample in samples]
        distances.append(np.mean([mean_distance(*pair) for pair in itertools.combinations(abs_, 2)], axis=0))
        gains = [_psnr(sample, photos.original[rows]) for sample in samples]
        gains = np.array(gains) - _psnr(photos.automatic[rows], photos.original[rows])
        best.append(gains.max(axis=0))
        mean.append(gains.mean(axis=0))
    distance = np.concatenate(distances)
    return {
        "num_samples": num_samples,
        "distance_mean": float(distance.mean()),
        "distance_median": float(np.median(distance)),
        "plain_share": float((distance >= PLAIN_DISTANCE).mean()),
        "best_psnr_gain": float(np.concatenate(best).mean()),
        "mean_psnr_gain": float(np.concatenate(mean).mean()),
    }


def measure_old_photos(colorizer: Colorizer, photos: Photos) -> dict[str, Any]:
    """Measures what degrading a photo costs: photo number n suffers kind n modulo the number of kinds.

    Only chroma is judged, for the lightness of a result is that of its input, flaws and all: the chroma that the
    network predicts from the degraded photo is joined to the clean lightness.

    Args:
      colorizer: the model.
      photos: N photos.

    Returns:
      `overall` and under `kinds` each kind: `num_photos`, `clean_psnr`, `psnr` (from the degraded photo), `loss` (their
      distance) and `psnr_gain` over grey, all in dB, means.
    """
    predict = read_signatures(colorizer)["predict_ab"]
    kinds = [list(degrade.KINDS)[i % len(degrade.KINDS)] for i in range(len(photos.grey))]

    def recolor(rows: slice, seen: np.ndarray) -> np.ndarray:
        """The clean photos with the chroma predicted from the pictures in `seen`."""
        shape = seen.shape[1:3]
        small = processing.shrink_l(processing.to_l(seen), processing.work_shape(*shape, colorizer.work_size))
        ab = processing.upsample_ab(predict(l=small)["ab"], shape)
        return processing.recolor(processing.to_l(photos.grey[rows]), ab, 1.0, tf.uint8).numpy()

    clean, aged = [], []
    for rows in batches(len(photos.grey)):
        numbers = range(rows.start, rows.stop)
        degraded = np.stack([degrade.degrade(photos.grey[i, ..., 0], kinds[i], seed=i) for i in numbers])
        clean.append(recolor(rows, photos.grey[rows]))
        aged.append(recolor(rows, degraded))
    clean_psnr, psnr = photos.psnr(np.concatenate(clean)), photos.psnr(np.concatenate(aged))
    grey_psnr = photos.psnr(photos.grey)

    def summarize(chosen: np.ndarray) -> dict[str, float]:
        return {
            "num_photos": int(chosen.sum()),
            "clean_psnr": float(clean_psnr[chosen].mean()),
            "psnr": float(psnr[chosen].mean()),
            "loss": float((clean_psnr - psnr)[chosen].mean()),
            "psnr_gain": float((psnr - grey_psnr)[chosen].mean()),
        }

    by_kind = {kind: np.array(kinds) == kind for kind in degrade.KINDS}
    return {
        "overall": summarize(np.ones(len(kinds), bool)),
        "kinds": {kind: summarize(chosen) for kind, chosen in by_kind.items() if chosen.any()},
    }
