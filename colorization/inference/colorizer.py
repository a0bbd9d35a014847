"""The Python API: a model that is loaded once and colorizes photos of any size.

colorizer = Colorizer.load()
rgb = colorizer.colorize(grey)  # uint8 or uint16, (H, W) or (H, W, 3)
"""

import concurrent.futures
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from colorization import checksums, color, image_io
from colorization.inference import processing, saved_model
from colorization.inference.hints import Hint, check_inside, rasterize

# Pixels converted at once. Colour conversion looks at one pixel at a time, so pieces of one fixed shape need a single
# compilation and bound the memory that a large photo takes.
_CHUNK_PIXELS = 1 << 17
_PACKAGE_DIR = Path(__file__).parents[1]
_Signature = Callable[..., dict[str, tf.Tensor]]


class ModelError(ValueError):
    """A model that is missing or broken; the message is one line: "PATH: reason"."""


class Colorizer:
    """Colorizes photos with an exported model.

    Attributes:
      signatures: those of `saved_model.py` that the model has, by name.
      model_dir: folder of the model version in use.
      work_size: shorter side, in pixels, at which the network sees a photo.
      z_dim: length of the noise vector.
    """

    def __init__(self, signatures: Mapping[str, _Signature], *, model_dir: Path, work_size: int, z_dim: int):
        """Takes what `load` reads; use that.

        Args:
          signatures: those of `saved_model.py`; an old model has neither `steer_ab` nor `encode_z`.
          model_dir: see the attributes, as the others.
          work_size: multiple of 32.
          z_dim: length of `z`.
        """
        self.signatures = signatures
        self.model_dir = model_dir
        self.work_size = work_size
        self.z_dim = z_dim

    @classmethod
    def load(cls, model_dir: str | os.PathLike | None = None) -> "Colorizer":
        """Loads a model.

        Args:
          model_dir: folder of versions, of which the highest is used, or one version; by default the shipped model.

        Raises:
          ModelError: there is no model, or it is broken, altered or none of this project.
        """
        version_dir = find_version_dir(model_dir)
        background = concurrent.futures.ThreadPoolExecutor(2)  # loading keeps one core busy, the first photo too
        background.submit(_compile_recolor)
        try:
            saved_model.check_files(version_dir)
            info = json.loads((version_dir / saved_model.INFO_PATH).read_text(encoding="utf-8"))
            work_size, z_dim = int(info["work_size"]), int(info["z_dim"])
            signatures = tf.saved_model.load(str(version_dir)).signatures
            predict = signatures["sample_ab"]
        except checksums.ChecksumError as error:
            raise ModelError(str(error)) from error
        except Exception as error:  # the loader raises many kinds on damaged files
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"{version_dir}: not a model that can be loaded: {reason}") from error
        background.submit(_call_once, predict)
        background.shutdown(wait=False)
        return cls(signatures, model_dir=version_dir, work_size=work_size, z_dim=z_dim)

    def check_takes(self, *, hints: bool = False, reference: bool = False) -> None:
        """Checks that the model knows what is asked of it; those exported by older versions of this project do not.

        Args:
          hints: hints will be given.
          reference: a reference photo will be given.

        Raises:
          ModelError: it takes no such thing.
        """
        for wanted, signature, name in ((hints, "steer_ab", "hints"), (reference, "encode_z", "reference photo")):
            if wanted and signature not in self.signatures:
                raise ModelError(f"{self.model_dir}: this model takes no {name}")

    def draw_z(self, num_samples: int, seed: int) -> np.ndarray:
        """Draws noise: float32 (num_samples, z_dim) from N(0, I); the first rows do not depend on `num_samples`."""
        return np.random.default_rng(seed).standard_normal((num_samples, self.z_dim), np.float32)

    def encode_reference(self, rgb: np.ndarray) -> np.ndarray:
        """Takes the mood of a photo in colour, for other photos.

        Args:
          rgb: (H, W, 3) as for `colorize`.

        Returns:
          z: float32 (z_dim,).

        Raises:
          ModelError: the model cannot do this.
          ValueError: the photo is grey, or has another shape or dtype.
        """
        self.check_takes(reference=True)
        rgb = _check_rgb(rgb, "reference photo")
        if image_io.is_grey(rgb):
            raise ValueError("the reference photo is grey; it must be in colour")
        shape = processing.work_shape(rgb.shape[0], rgb.shape[1], self.work_size)
        l, ab = color.rgb_to_l_ab(processing.shrink_rgb(rgb[np.newaxis], shape))
        return self.signatures["encode_z"](l=l, ab=ab)["z"].numpy()[0]

    def colorize(
        self,
        rgb: np.ndarray,
        *,
        z: np.ndarray | None = None,
        seed: int | None = None,
        saturation: float = 1.0,
        hints: Sequence[Hint] | None = None,
        reference: np.ndarray | None = None,
    ) -> np.ndarray:
        """Colorizes one photo; what colour it has is ignored.

        Args:
          rgb: uint8 or uint16, full range, gamma-encoded sRGB (H, W, 3) or grey (H, W).
          z: float32 (z_dim,) noise, ~ N(0, I) for variants.
          seed: draws `z`; without any of these, z = 0 gives the automatic colour.
          saturation: factor for chroma, at least 0; 0 gives grey.
          hints: colours asked for at points of the photo.
          reference: photo in colour, as `rgb`, whose mood this one takes: instead of `z` and `seed`.

        Returns:
          rgb: (H, W, 3) of the same dtype. Its lightness is that of the input; chroma yields where sRGB lacks it.

        Raises:
          ModelError: the model is too old for hints or a reference.
          ValueError: an argument has another shape, dtype or range, a hint lies outside the photo, the reference is
            grey.
        """
        (result,) = self.colorize_batch(
            [rgb], z=z, seed=seed, saturation=saturation, hints=[hints or ()], reference=reference
        )
        return result

    def colorize_batch(
        self,
        photos: Sequence[np.ndarray],
        *,
        z: np.ndarray | None = None,
        seed: int | None = None,
        saturation: float = 1.0,
        hints: Sequence[Sequence[Hint]] | None = None,
        reference: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Colorizes photos of any sizes, one after another.

        The network sees one photo at a time: in a larger batch its sums are rounded in another order, and a photo's
        result would depend, by one level here and there, on those beside it.

        Args:
          photos: as `rgb` of `colorize`, each.
          z: as for `colorize`, the same for all photos.
          seed: as for `colorize`.
          saturation: as for `colorize`.
          hints: for each photo the colours asked for; none for an empty sequence.
          reference: as for `colorize`.

        Returns:
          Results as from `colorize`, in order.

        Raises:
          ModelError, ValueError: as `colorize`.
        """
        if not (np.isfinite(saturation) and saturation >= 0):
            raise ValueError(f"saturation {saturation}: must be a number of at least 0")
        photos = [_check_rgb(photo) for photo in photos]
        hints = [()] * len(photos) if hints is None else hints
        if len(hints) != len(photos):
            raise ValueError(f"hints for {len(hints)} photos, but there are {len(photos)}")
        for points, photo in zip(hints, photos, strict=True):
            check_inside(points, photo.shape)
        self.check_takes(hints=any(map(len, hints)), reference=reference is not None)
        z = self._choose_z(z, seed, reference)
        return [self._colorize_one(photo, z, points, saturation) for photo, points in zip(photos, hints, strict=True)]

    def _colorize_one(self, rgb: np.ndarray, z: np.ndarray, hints: Sequence[Hint], saturation: float) -> np.ndarray:
        """A result for `rgb` (H, W, 3), `z` (z_dim,) and points inside the photo."""
        l = _take_l(rgb)
        shape = processing.work_shape(rgb.shape[0], rgb.shape[1], self.work_size).numpy()
        inputs = {"l": processing.shrink_l(l[np.newaxis], shape), "z": tf.constant(z[np.newaxis])}
        if hints:
            raster = tf.constant(rasterize(hints, rgb.shape, shape)[np.newaxis])
            ab = self.signatures["steer_ab"](**inputs, hints=raster)["ab"]
        else:
            ab = self.signatures["sample_ab"](**inputs)["ab"]  # old models have no other
        return _recolor(l, ab, saturation, rgb.dtype)

    def _choose_z(self, z: np.ndarray | None, seed: int | None, reference: np.ndarray | None) -> np.ndarray:
        if sum(source is not None for source in (z, seed, reference)) > 1:
            raise ValueError("give one of z, seed and reference")
        if reference is not None:
            return self.encode_reference(reference)
        if seed is not None:
            return self.draw_z(1, seed)[0]
        if z is None:
            return np.zeros(self.z_dim, np.float32)
        z = np.asarray(z, np.float32)
        if z.shape != (self.z_dim,):
            raise ValueError(f"z has shape {z.shape}; this model takes ({self.z_dim},)")
        return z


def find_version_dir(model_dir: str | os.PathLike | None = None) -> Path:
    """Finds the model to load.

    Args:
      model_dir: folder of versions, or one version; by default the shipped model, in the wheel or the clone.

    Returns:
      The folder that holds saved_model.pb; the highest version if there are several.

    Raises:
      ModelError: there is none.
    """
    if model_dir is None:
        bases = [root / "saved_models" / "colorizer" for root in (_PACKAGE_DIR, _PACKAGE_DIR.parent)]
    else:
        bases = [Path(model_dir)]
    for base in bases:
        for folder in (base, *reversed(saved_model.list_versions(base))):
            if (folder / "saved_model.pb").is_file():
                return folder
    raise ModelError(f"{bases[-1]}: no model found: neither a saved_model.pb nor a numbered version folder with one")


def _check_rgb(rgb: np.ndarray, name: str = "photo") -> np.ndarray:
    rgb = np.asarray(rgb)
    if rgb.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{name} has dtype {rgb.dtype}; it must be uint8 or uint16")
    if rgb.ndim not in (2, 3) or rgb.shape[2:] not in ((), (3,)) or rgb.size == 0:
        raise ValueError(f"{name} has shape {rgb.shape}; it must be (H, W) or (H, W, 3), and not empty")
    return np.repeat(rgb[..., np.newaxis], 3, axis=-1) if rgb.ndim == 2 else rgb


def _take_l(rgb: np.ndarray) -> np.ndarray:
    """`processing.to_l` of a whole photo; a photo that is grey, as most are here, takes a fifth of the time."""
    grey = rgb[..., 0]
    if np.array_equal(grey, rgb[..., 1]) and np.array_equal(grey, rgb[..., 2]):
        return _make_l_table(rgb.dtype)[grey][..., np.newaxis]
    return _map_pixels(_convert_to_l, rgb, out=np.empty((*rgb.shape[:2], 1), np.float32))


@functools.cache
def _make_l_table(dtype: np.dtype) -> np.ndarray:
    """`l` of every level of grey: float32 (256,) or (65536,)."""
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    return processing.to_l(np.repeat(levels[:, np.newaxis, np.newaxis], 3, axis=-1)).numpy()[:, 0, 0]


@tf.function(jit_compile=True)
def _convert_to_l(rgb: tf.Tensor) -> tf.Tensor:
    return processing.to_l(rgb)


@tf.function(jit_compile=True)
def _recolor_uint8(l: tf.Tensor, ab: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    return processing.recolor(l, ab, saturation, tf.uint8)


@tf.function(jit_compile=True)
def _recolor_uint16(l: tf.Tensor, ab: tf.Tensor, saturation: tf.Tensor) -> tf.Tensor:
    return processing.recolor(l, ab, saturation, tf.uint16)


def _compile_recolor() -> None:
    """Compiles what the first photo would wait for, if it has 8 bits."""
    l, ab = (np.zeros((_CHUNK_PIXELS, 1, num_channels), np.float32) for num_channels in (1, 2))
    _recolor_uint8(l, ab, saturation=tf.constant(1.0))


def _call_once(predict: Callable[..., dict[str, tf.Tensor]]) -> None:
    """Calls a signature with zeros, for TensorFlow prepares it in its first call, whatever the shapes."""
    _, specs = predict.structured_input_signature
    predict(**{name: tf.zeros([size or processing.STRIDE for size in spec.shape]) for name, spec in specs.items()})


def _recolor(l: np.ndarray, ab: tf.Tensor, saturation: float, dtype: np.dtype) -> np.ndarray:
    """`processing.recolor` of a whole photo: `l` (H, W, 1), `ab` (1, h, w, 2) at the work size."""
    full_ab = np.asarray(processing.upsample_ab(ab, l.shape[:2])[0])  # .numpy() would copy it
    function = _recolor_uint8 if dtype == np.uint8 else _recolor_uint16
    rgb = np.empty((*l.shape[:2], 3), dtype)
    return _map_pixels(functools.partial(function, saturation=tf.constant(saturation, tf.float32)), l, full_ab, out=rgb)


def _map_pixels(function: Callable[..., tf.Tensor], *arrays: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fills `out` with a function of the pixels of arrays, all (H, W, C), C may differ; piece by piece on all cores."""
    num_pixels = out.shape[0] * out.shape[1]
    flat = [array.reshape(num_pixels, 1, -1) for array in arrays]
    flat_out = out.reshape(num_pixels, 1, -1)  # a view

    def fill(start: int) -> None:
        pieces = [array[start : start + _CHUNK_PIXELS] for array in flat]
        count = len(pieces[0])
        if count < _CHUNK_PIXELS:
            pieces = [np.pad(piece, ((0, _CHUNK_PIXELS - count), (0, 0), (0, 0))) for piece in pieces]
        flat_out[start : start + count] = np.asarray(function(*pieces))[:count]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(0, num_pixels, _CHUNK_PIXELS)))  # a list, so that an exception comes through
    return out
