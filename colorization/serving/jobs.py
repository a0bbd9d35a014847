"""What is sent to a model process, and what comes back. All of it can be pickled."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from colorization.inference.hints import Hint


@dataclasses.dataclass(frozen=True)
class ColorizeJob:
    """One photo to colorize, as `python -m colorization.colorize` would.

    Attributes:
      photo: an encoded image.
      saturation: factor for chroma, at least 0.
      num_samples: 1 for the automatic colour; more are drawn at random.
      seed: of the draws.
      sample: of the samples only this one, from 1; None for all.
      hints: colours asked for at points of the photo.
      reference: an encoded photo in colour whose mood is taken, or None.
      max_pixels: width x height above which a photo is refused.
    """

    photo: bytes
    saturation: float = 1.0
    num_samples: int = 1
    seed: int = 0
    sample: int | None = None
    hints: Sequence[Hint] = ()
    reference: bytes | None = None
    max_pixels: int = 50_000_000


@dataclasses.dataclass(frozen=True)
class ColorizedPhoto:
    """The answer to a ColorizeJob: encoded images in the format of the photo, and that format's name."""

    images: list[bytes]
    format: str


@dataclasses.dataclass(frozen=True)
class PredictJob:
    """A call of a signature. `inputs` by name; strings as object arrays of bytes. The answer is alike."""

    signature_name: str
    inputs: dict[str, np.ndarray]
    max_pixels: int = 50_000_000


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model process says of its model once it is ready."""

    takes_hints: bool
    takes_reference: bool
