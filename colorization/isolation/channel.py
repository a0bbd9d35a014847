"""Messages between two processes over a socket; arrays and open files arrive without being copied through it.

Arrays travel as descriptors of shared memory (memfd, or elsewhere a temporary file without a name), so nothing is left
behind however a process ends: memory is freed with the last process that has it open.
"""

import dataclasses
import io
import math
import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

_HEADER = struct.Struct("<Q")  # bytes of the pickle
_MAX_DESCRIPTORS = 64  # of a message


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """An open file's number, for the other process a new one of the same file, which that process has to close."""

    number: int


class _Mapping(mmap.mmap):
    """Shared memory that can be sent on: it keeps the descriptor it was made of, and closes it at last."""

    descriptor: int

    @classmethod
    def open(cls, descriptor: int, num_bytes: int) -> "_Mapping":
        mapping = cls(descriptor, num_bytes)
        mapping.descriptor = descriptor
        return mapping

    def __del__(self, close: Any = os.close):  # a default, for at the end of Python `os` goes first
        close(self.descriptor)


def make_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Makes an array of zeros, in shared memory if there is any: sent to another process, it is not copied."""
    dtype = np.dtype(dtype)
    try:
        mapping = _allocate(math.prod(shape) * dtype.itemsize)
    except OSError:
        return np.zeros(shape, dtype)
    return np.frombuffer(mapping, dtype, math.prod(shape)).reshape(shape)


def send(connection: socket.socket, message: Any) -> None:
    """Sends what pickle can take, arrays and `Descriptor`s in it by descriptor.

    Raises:
      OSError: the other end is closed.
    """
    file, descriptors, places, mappings = io.BytesIO(), [], [], []

    def share(buffer: pickle.PickleBuffer) -> bool:
        """Returns whether it must be copied through the socket: where no shared memory can be had."""
        try:
            mapping, start = _share(buffer.raw())
        except OSError:
            return True
        mappings.append(mapping)  # kept until it is sent
        places.append((len(descriptors), start, buffer.raw().nbytes, len(mapping)))
        descriptors.append(mapping.descriptor)
        return False

    _Pickler(file, descriptors, share).dump(message)
    payload = pickle.dumps((file.getvalue(), places))
    socket.send_fds(connection, [_HEADER.pack(len(payload))], descriptors)
    connection.sendall(payload)


def receive(connection: socket.socket) -> Any:
    """Receives a message.

    Raises:
      EOFError: the other end is closed.
      TimeoutError: the socket has a timeout, and it is over.
    """
    header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, _MAX_DESCRIPTORS)
    if len(header) < _HEADER.size:
        raise EOFError("the other process is gone")
    (num_bytes,) = _HEADER.unpack(header)
    data, places = pickle.loads(_receive_bytes(connection, num_bytes))
    mapped = {index: _Mapping.open(descriptors[index], size) for index, _, _, size in places}
    buffers = [memoryview(mapped[index])[start : start + size] for index, start, size, _ in places]
    return _Unpickler(io.BytesIO(data), descriptors, buffers).load()


class _Pickler(pickle.Pickler):
    def __init__(
        self, file: io.BytesIO, descriptors: list[int], buffer_callback: Callable[[pickle.PickleBuffer], bool]
    ):
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._descriptors = descriptors

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, Descriptor):
            return None
        self._descriptors.append(obj.number)
        return len(self._descriptors) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, descriptors: list[int], buffers: list[memoryview]):
        super().__init__(file, buffers=buffers)
        self._descriptors = descriptors

    def persistent_load(self, pid: int) -> Descriptor:
        return Descriptor(self._descriptors[pid])


def _allocate(num_bytes: int) -> _Mapping:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("colorization")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        os.truncate(descriptor, max(num_bytes, 1))  # nothing cannot be mapped
        return _Mapping.open(descriptor, max(num_bytes, 1))
    except BaseException:
        os.close(descriptor)
        raise


def _share(memory: memoryview) -> tuple[_Mapping, int]:
    """Finds the shared memory that holds an array's bytes, and where they start in it, or copies them into such."""
    owner = memory.obj
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if isinstance(owner, _Mapping):
        return owner, _address(memory) - _address(memoryview(owner))
    mapping = _allocate(memory.nbytes)
    np.frombuffer(mapping, np.uint8, memory.nbytes)[:] = np.frombuffer(memory, np.uint8)
    return mapping, 0


def _address(memory: memoryview) -> int:
    return np.frombuffer(memory, np.uint8).__array_interface__["data"][0]


def _receive_bytes(connection: socket.socket, num_bytes: int) -> bytearray:
    data = bytearray(num_bytes)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise EOFError("the other process is gone")
        view = view[count:]
    return data
