"""The Python API: a model that is loaded once and colorizes photos of any size.

colorizer = Colorizer.load()
rgb = colorizer.colorize(grey)  # uint8 or uint16, (H, W) or (H, W, 3)

TensorFlow is imported when a model is loaded that needs it; other runtimes do without.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from colorization import checksums, image_io
from colorization.inference import converted, numpy_backend
from colorization.inference.hints import Hint, check_inside, rasterize
from colorization.inference.version_files import ModelError, check_files, find_version_dir, read_sizes

_Signature = Callable[..., dict[str, Any]]


class Colorizer:
    """Colorizes photos with an exported model.

    Attributes:
      signatures: those of `saved_model.py` that the model has, by name.
      model_dir: folder of the model version in use, or the converted file.
      work_size: shorter side, in pixels, at which the network sees a photo.
      z_dim: length of the noise vector.
    """

    def __init__(
        self,
        signatures: Mapping[str, _Signature],
        *,
        model_dir: Path,
        work_size: int,
        z_dim: int,
        backend: ModuleType | None = None,
    ):
        """Takes what `load` reads; use that.

        Args:
          signatures: those of `saved_model.py`; an old model has neither `steer_ab` nor `encode_z`.
          model_dir: see the attributes, as the others.
          work_size: multiple of 32.
          z_dim: length of `z`.
          backend: what the signatures take and give, and converts photos: the module `tensorflow_backend`, which is
            the default, or `numpy_backend`.
        """
        if backend is None:
            from colorization.inference import tensorflow_backend as backend
        self._backend = backend
        self.signatures = signatures
        self.model_dir = model_dir
        self.work_size = work_size
        self.z_dim = z_dim

    @classmethod
    def load(cls, model_dir: str | os.PathLike | None = None, *, runtime: str = "tensorflow") -> "Colorizer":
        """Loads a model.

        Args:
          model_dir: folder of versions, of which the highest is used, or one version; for the other runtimes a file
            that `convert` made, or a folder with one; by default the shipped model.
          runtime: "tensorflow", or one of `runtimes.RUNTIMES`, which need no TensorFlow.

        Raises:
          ModelError: there is no model, or it is broken, altered, unsafe or none of this project; or the runtime is
            not installed.
        """
        if runtime != "tensorflow":
            signatures, info, path = converted.load(model_dir, runtime)
            return cls(signatures, model_dir=path, backend=numpy_backend, **info)
        from colorization.inference import tensorflow_backend

        version_dir = find_version_dir(model_dir)
        try:
            check_files(version_dir)
            work_size, z_dim = read_sizes(version_dir)
            signatures = tensorflow_backend.load_signatures(version_dir)
        except checksums.ChecksumError as error:
            raise ModelError(str(error)) from error
        except Exception as error:  # the loader raises many kinds on damaged files
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"{version_dir}: not a model that can be loaded: {reason}") from error
        return cls(signatures, model_dir=version_dir, work_size=work_size, z_dim=z_dim)

    def check_takes(self, *, noise: bool = False, hints: bool = False, reference: bool = False) -> None:
        """Checks that the model knows what is asked of it; those exported by older versions of this project do not.

        Args:
          noise: noise will be given; of converted models, not all take it.
          hints: hints will be given.
          reference: a reference photo will be given.

        Raises:
          ModelError: it takes no such thing.
        """
        for wanted, signature, name in (
            (noise, "sample_ab", "noise, so it gives no samples"),
            (hints, "steer_ab", "hints"),
            (reference, "encode_z", "reference photo"),
        ):
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
        shape = numpy_backend.work_shape(*rgb.shape[:2], self.work_size)
        l, ab = self._backend.shrink_reference(rgb, shape)
        return np.asarray(self.signatures["encode_z"](l=l, ab=ab)["z"])[0]

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
          ModelError: the model takes no noise, hints or reference: it is too old, or was converted without.
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
        out: Sequence[np.ndarray] | None = None,
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
          out: contiguous arrays to fill with the results, (H, W, 3) of the photos' sizes and dtypes; may be the photos.

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
        self.check_takes(noise=seed is not None, hints=any(map(len, hints)), reference=reference is not None)
        z = self._choose_z(z, seed, reference)
        outs = [None] * len(photos) if out is None else out
        return [
            self._colorize_one(photo, z, points, saturation, result)
            for photo, points, result in zip(photos, hints, outs, strict=True)
        ]

    def _colorize_one(
        self, rgb: np.ndarray, z: np.ndarray, hints: Sequence[Hint], saturation: float, out: np.ndarray | None
    ) -> np.ndarray:
        """A result for `rgb` (H, W, 3), `z` (z_dim,) and points inside the photo."""
        shape = numpy_backend.work_shape(*rgb.shape[:2], self.work_size)
        l, z = self._backend.shrink_l(rgb, shape), self._backend.to_tensor(z[np.newaxis])
        if hints:
            raster = self._backend.to_tensor(rasterize(hints, rgb.shape, shape)[np.newaxis])
            outputs = self.signatures["steer_ab"](l=l, z=z, hints=raster)
        elif "sample_ab" in self.signatures:
            outputs = self.signatures["sample_ab"](l=l, z=z)  # old models have no `steer_ab`
        else:
            outputs = self.signatures["predict_ab"](l=l)
        return self._backend.recolor(rgb, outputs["ab"], saturation, out)

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


def _check_rgb(rgb: np.ndarray, name: str = "photo") -> np.ndarray:
    rgb = np.asarray(rgb)
    if rgb.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{name} has dtype {rgb.dtype}; it must be uint8 or uint16")
    if rgb.ndim not in (2, 3) or rgb.shape[2:] not in ((), (3,)) or rgb.size == 0:
        raise ValueError(f"{name} has shape {rgb.shape}; it must be (H, W) or (H, W, 3), and not empty")
    return np.broadcast_to(rgb[..., np.newaxis], (*rgb.shape, 3)) if rgb.ndim == 2 else rgb
