import os
import socket

import numpy as np
import pytest

from colorization.isolation import channel

ARRAYS = {
    "8 bits": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "16 bits": np.arange(24, dtype=np.uint16).reshape(2, 4, 3),
    "columns first": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 4, 3)),
    "view with gaps": np.arange(48, dtype=np.uint8).reshape(4, 4, 3)[::-2],
    "nothing": np.zeros((0, 3), np.uint8),
}


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def num_open_files():
    return len(os.listdir("/proc/self/fd"))


def test_arrays_of_all_kinds_arrive(ends):
    channel.send(ends[0], {"arrays": ARRAYS, "text": "größe \udcff"})
    message = channel.receive(ends[1])
    assert message["text"] == "größe \udcff"
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(message["arrays"][name], array)
        assert message["arrays"][name].dtype == array.dtype


def test_shared_arrays_are_not_copied(ends):
    array = channel.make_array((5, 4, 3), np.uint16)
    assert not array.any()
    channel.send(ends[0], (array, array[2:, 1]))
    received, part = channel.receive(ends[1])
    array[2, 1] = 7
    received[3, 1] = 9
    assert received[2, 1, 0] == 7 and array[3, 1, 0] == 9
    np.testing.assert_array_equal(part[:, 0], [0, 0, 0])  # a view with gaps is copied
    channel.send(ends[1], received[1:])  # back again, from the middle
    back = channel.receive(ends[0])
    array[4, 0] = 5
    assert back[3, 0, 0] == 5


def test_open_files_arrive(ends, tmp_path):
    with open(tmp_path / "file", "wb") as file:
        channel.send(ends[0], channel.Descriptor(file.fileno()))
    with open(channel.receive(ends[1]).number, "wb") as file:
        file.write(b"through the other end")
    assert (tmp_path / "file").read_bytes() == b"through the other end"


def test_nothing_stays_open(ends):
    before = num_open_files()
    for _ in range(3):
        channel.send(ends[0], [np.ones(10), channel.make_array((3,), np.uint8)])
        channel.receive(ends[1])
    assert num_open_files() == before


def test_without_shared_memory_arrays_go_through_the_socket(ends, monkeypatch):
    def refuse(descriptor, num_bytes):
        raise OSError("File too large")

    before = num_open_files()
    monkeypatch.setattr(os, "truncate", refuse)
    array = channel.make_array((2, 2), np.uint8)
    assert not array.any()
    channel.send(ends[0], (array, ARRAYS["16 bits"]))
    received = channel.receive(ends[1])
    np.testing.assert_array_equal(received[0], array)
    np.testing.assert_array_equal(received[1], ARRAYS["16 bits"])
    assert num_open_files() == before


def test_a_closed_end_is_told(ends):
    ends[1].close()
    with pytest.raises(OSError):
        channel.send(ends[0], "text")
    with pytest.raises((EOFError, OSError)):
        channel.receive(ends[0])
