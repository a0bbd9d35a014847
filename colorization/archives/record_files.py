"""Reads TFRecord files record by record, wherever they are; unlike TensorFlow's reader it knows where each one starts.

A record is its length (8 bytes), a checksum of that, the data, and a checksum of those. What `prepare` writes are
tf.train.Example messages of `name` and `image_bytes`.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

from colorization.archives import files

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
MAX_RECORD_BYTES = 1 << 30


def scan(path: str) -> Iterator[tuple[int, bytes]]:
    """Reads all records of a file.

    Args:
      path: normalized, see `files.normalize`.

    Yields:
      The byte at which each record starts, and its data.

    Raises:
      ValueError: the file is damaged at the place reached.
      OSError: it cannot be read.
    """
    with files.open_file(path) as file:
        offset = 0
        while (data := _read(file, offset)) is not None:
            yield offset, data
            offset += _HEADER.size + len(data) + _CHECKSUM.size


def read(path: str, offset: int) -> bytes:
    """Reads the record that starts at a byte; raises as `scan` does."""
    with files.open_file(path, offset) as file:
        data = _read(file, offset)
    if data is None:
        raise ValueError(f"the file ends before byte {offset}")
    return data


def parse(data: bytes) -> tuple[str, bytes]:
    """Takes name and image out of a serialized tf.train.Example.

    Raises:
      ValueError: it is none, or lacks one of them.
    """
    import tensorflow as tf  # slow to import, and not needed for photos in files

    try:
        features = tf.train.Example.FromString(data).features.feature
    except Exception as error:  # protobuf's DecodeError is of another module in each of its versions
        raise ValueError("no tf.train.Example") from error
    values = []
    for key in ("name", "image_bytes"):
        if len(features[key].bytes_list.value) != 1:
            raise ValueError(f"the tf.train.Example has no {key}")
        values.append(features[key].bytes_list.value[0])
    return values[0].decode("utf-8", "surrogateescape"), values[1]


def _read(file: BinaryIO, offset: int) -> bytes | None:
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if _mask(header[:8]) == checksum and length <= MAX_RECORD_BYTES:
            data = file.read(length)
            footer = file.read(_CHECKSUM.size)
            if len(footer) == _CHECKSUM.size and _CHECKSUM.unpack(footer) == (_mask(data),):
                return data
    raise ValueError(f"no TFRecord file, or damaged, at byte {offset}; the rest of it is not read")


def _mask(data: bytes) -> int:
    """TFRecord's checksum: CRC-32C, turned, so that checksums of data with checksums in it are no trouble."""
    checksum = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
