"""Reads and writes photos as `image_io` does, in processes of their own.

A file that makes a decoder hang, crash or bloat costs its process and becomes an ImageError; nothing else is lost.
"""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from colorization import image_files, image_io
from colorization.image_io import ImageError, Photo
from colorization.isolation import channel
from colorization.isolation.process import IsolationError, ProcessPool, TimeLimitError

# Above it a photo is large: time and memory grow with its pixels, and it is read and written with no other large one.
ORDINARY_PIXELS = 16_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
      max_pixels: width x height above which a photo is refused before it is decoded.
      seconds: of wall-clock time to read or write a photo of at most `ORDINARY_PIXELS`; in proportion above.
      memory_bytes: that the process may have for it; in proportion above that size, too.
    """

    max_pixels: int = image_io.MAX_PIXELS
    seconds: float = 10.0
    memory_bytes: int = 512 << 20


class PhotoFiles:
    """Reads and writes photos from several threads; use it in a `with` statement, which ends the processes.

    Attributes:
      limits: what a file may cost.
    """

    def __init__(self, limits: Limits | None = None):
        """Starts nothing yet.

        Args:
          limits: the default ones if None.
        """
        self.limits = limits or Limits()
        self._processes = ProcessPool()
        self._large = threading.Lock()

    def __enter__(self) -> "PhotoFiles":
        """Returns itself."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Ends the processes."""
        self.close()

    def close(self) -> None:
        """Ends the processes; what other threads are reading or writing fails."""
        self._processes.close()

    def read(self, path: str | os.PathLike) -> Photo:
        """Reads a photo as `image_io.read_photo` does; its arrays lie in shared memory.

        Raises:
          ImageError: as there, or the file exceeds a limit or crashes the decoder.
        """
        width, height = self.call(_read_size, path)
        num_pixels = width * height
        if num_pixels > self.limits.max_pixels:
            message = f"{path}: {width}x{height} pixels are more than the limit of {self.limits.max_pixels}"
            raise ImageError(image_files.make_line(message), "pixels")
        photo = self.call(_read, path, self.limits.max_pixels, num_pixels=num_pixels)
        return dataclasses.replace(photo, rgb=_spread_grey(photo.rgb))

    def write(self, path: str | os.PathLike, photo: Photo) -> None:
        """Writes a photo as `image_io.write_photo` does: whole, or what is there before stays.

        Raises:
          ImageError: as there, or it exceeds a limit or crashes the encoder.
        """
        with image_files.replace_file(path) as file:
            descriptor = channel.Descriptor(file.fileno())
            self.call(_write, path, descriptor, photo, num_pixels=photo.rgb.shape[0] * photo.rgb.shape[1])

    def call(self, function: Callable[..., Any], path: str | os.PathLike, *args: Any, num_pixels: int = 0) -> Any:
        """Calls a function of a file in a process.

        Args:
          function: of the path and further arguments; of a module that does not import TensorFlow.
          path: the file.
          *args: the further arguments.
          num_pixels: of the photo, for the limits.

        Returns:
          What the function returns.

        Raises:
          ImageError: the function's own, or why it did not come to its end.
        """
        factor = max(1.0, num_pixels / ORDINARY_PIXELS)
        with self._large if factor > 1.0 else contextlib.nullcontext():
            try:
                return self._processes.call(
                    function,
                    path,
                    *args,
                    seconds=factor * self.limits.seconds,
                    memory_bytes=int(factor * self.limits.memory_bytes),
                )
            except IsolationError as error:
                kind = "seconds" if isinstance(error, TimeLimitError) else "other"
                raise ImageError(image_files.make_line(f"{path}: {error}"), kind) from error


def _read_size(path: str | os.PathLike) -> tuple[int, int]:
    """In the process: reads a photo's size, and first of all does without Pillow's own limit: ours names itself."""
    Image.MAX_IMAGE_PIXELS = None
    return image_io.read_size(path)


def _read(path: str | os.PathLike, max_pixels: int) -> Photo:
    """In the process: reads a photo; `rgb` is (H, W) if it is grey."""
    photo = image_io.read_photo(path, max_pixels=max_pixels)
    is_grey = photo.rgb.strides[2] == 0
    return dataclasses.replace(photo, rgb=photo.rgb[..., 0] if is_grey else photo.rgb)


def _write(path: str | os.PathLike, descriptor: channel.Descriptor, photo: Photo) -> None:
    """In the process: encodes a photo into the open file; `path` is what errors call it."""
    with open(descriptor.number, "r+b") as file:
        image_io.encode_into(file, photo, path)


def _spread_grey(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels[..., np.newaxis], (*pixels.shape, 3)) if pixels.ndim == 2 else pixels
