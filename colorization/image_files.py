"""Image files as files: opened, replaced, and every failure made one line that names the file."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from colorization import image_codecs, unfinished


class ImageError(ValueError):
    """A file that cannot be read or written; the message is one line: "PATH: reason".

    Attributes:
      kind: "no image" for a file of another kind; "pixels", "seconds" or "memory" for one beyond that limit; "other".
    """

    def __init__(self, message: str, kind: str = "other"):
        super().__init__(message, kind)
        self.kind = kind

    def __str__(self) -> str:
        """The message."""
        return self.args[0]


class _NoImageError(ValueError):
    """Something that cannot be an image, whatever it is."""


@contextlib.contextmanager
def image_errors(path: str | os.PathLike, failure: str) -> Iterator[None]:
    """Turns whatever goes wrong inside into one line.

    Args:
      path: the file.
      failure: introduces what a user can make nothing of.

    Raises:
      ImageError: for every exception.
    """
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly every exception there is on damaged files
        reason, kind = f"{failure} ({type(error).__name__}: {error})", "other"
        if isinstance(error, UnidentifiedImageError):
            reason, kind = "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image", "no image"
        elif isinstance(error, _NoImageError):
            reason, kind = str(error), "no image"
        elif isinstance(error, image_codecs.TooLargeError | Image.DecompressionBombError):
            reason, kind = str(error), "pixels"
        elif isinstance(error, MemoryError):
            reason, kind = "not enough memory", "memory"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        elif isinstance(error, OSError | ValueError) and str(error):
            reason = str(error)
        raise ImageError(make_line(f"{path}: {reason}"), kind) from error


def make_line(text: str) -> str:
    """Makes a message one line that any terminal can show: file names may hold all but a slash."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextlib.contextmanager
def open_regular(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a file for reading; what is no file, or empty, is refused: opening a pipe would wait for ever."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise _NoImageError("not a file")
    if status.st_size == 0:
        raise _NoImageError("the file is empty")
    with open(path, "rb") as file:
        yield file


@contextlib.contextmanager
def replace_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a file that appears at `path` when the `with` block ends well: whole and on disk, or not at all.

    Args:
      path: what is there before is replaced; the folder must exist.

    Raises:
      ImageError: the folder or disk refuses the file.
    """
    path = Path(path)
    temporary = unfinished.make_path(path.parent)
    with image_errors(path, "cannot be written"):
        try:
            with open(temporary, "x+b") as file:  # open, unlike tempfile, gives the user's usual permissions
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                temporary.unlink()
            raise
