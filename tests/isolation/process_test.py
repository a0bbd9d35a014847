import os
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest

from colorization.isolation.process import IsolatedProcess, IsolationError, ProcessPool, TimeLimitError

LIMITS = {"seconds": 30.0, "memory_bytes": 256 << 20}


@pytest.fixture
def process():
    process = IsolatedProcess()
    yield process
    process.kill()


def test_calls_are_made_in_another_process_without_tensorflow(process):
    pid = process.call(os.getpid, **LIMITS)
    assert pid != os.getpid() and pid == process.call(os.getpid, **LIMITS)
    np.testing.assert_array_equal(process.call(np.add, np.arange(3), 2, **LIMITS), [2, 3, 4])
    with pytest.raises(ZeroDivisionError):
        process.call(divmod, 1, 0, **LIMITS)
    process.call(eval, "len(dir(__import__('colorization.isolation.photo_files')))", **LIMITS)
    assert process.call(eval, "'tensorflow' in __import__('sys').modules", **LIMITS) is False


@pytest.mark.parametrize(
    "function, args, limits, error, message",
    [
        (time.sleep, [60], {"seconds": 0.3}, TimeLimitError, "it took longer than 0.3 s"),
        (os.abort, [], {}, IsolationError, "its process crashed (SIGABRT)"),
        (os._exit, [3], {}, IsolationError, "its process ended with status 3"),
        (sys.exit, [3], {}, IsolationError, "its process ended with status 3"),
    ],
)
def test_what_does_not_return_is_replaced(process, function, args, limits, error, message):
    pid = process.call(os.getpid, **LIMITS)
    with pytest.raises(error) as caught:
        process.call(function, *args, **LIMITS | limits)
    assert str(caught.value) == message
    assert process.call(os.getpid, **LIMITS) != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_memory_is_limited_call_by_call(process):
    size = 300 << 20
    with pytest.raises(MemoryError):
        process.call(bytearray, size, **LIMITS)
    assert process.call(eval, f"len(bytearray({size}))", **LIMITS | {"memory_bytes": 600 << 20}) == size
    with pytest.raises(MemoryError):
        process.call(bytearray, size, **LIMITS)


def test_a_process_that_dies_between_calls_is_replaced(process):
    pid = process.call(os.getpid, **LIMITS)
    os.kill(pid, signal.SIGKILL)
    process._process.wait()
    assert process.call(os.getpid, **LIMITS) != pid


def test_a_process_that_cannot_start_is_told(process, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(IsolationError, match="^a process for it can't be started: No such file or directory$"):
        process.call(os.getpid, **LIMITS)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(IsolationError, match="^a process for it can't be started: it ended with status 1$"):
        process.call(os.getpid, **LIMITS)


def test_the_default_timeout_of_sockets_is_no_matter():
    """Libraries set it: the process would find a socket that does not wait, and end."""
    process, before = IsolatedProcess(), socket.getdefaulttimeout()
    socket.setdefaulttimeout(60.0)
    try:
        pid = process.call(os.getpid, **LIMITS)
        time.sleep(0.2)
        assert process.call(os.getpid, **LIMITS) == pid
    finally:
        socket.setdefaulttimeout(before)
        process.kill()


def test_a_pool_starts_as_many_as_are_needed_and_ends_them():
    pool = ProcessPool()
    pids = {pool.call(os.getpid, **LIMITS) for _ in range(3)}
    assert len(pids) == 1
    failures = []

    def sleep():
        try:
            pool.call(time.sleep, 60, **LIMITS)
        except IsolationError as error:
            failures.append(str(error))

    thread = threading.Thread(target=sleep)
    thread.start()
    while not pool._busy:
        time.sleep(0.01)
    pids.add(pool.call(os.getpid, **LIMITS))
    assert len(pids) == 2  # the first one sleeps
    pool.close()
    thread.join(timeout=10)
    assert failures == ["its process crashed (SIGKILL)"]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(IsolationError, match="^it was called off$"):
        pool.call(os.getpid, **LIMITS)
