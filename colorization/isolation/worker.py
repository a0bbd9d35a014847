"""The other side of `process.IsolatedProcess`: does one call after another until its starter is gone.

Started as `python -m colorization.isolation.worker NUMBER`, with the number of an open socket. It imports what calls
need and nothing else, TensorFlow least of all.
"""

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from colorization.isolation import channel

# The starter kills a call that takes too long. Should it be gone by then, the kernel does it, some seconds later.
_GRACE_SECONDS = 5.0


def serve(connection: socket.socket) -> None:
    """Receives (function, arguments, seconds, bytes of memory), sends (result, None) or (None, exception)."""
    channel.send(connection, os.getpid())
    while True:
        try:
            function, args, seconds, memory_bytes = channel.receive(connection)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)  # SIGALRM ends the process, whatever it does
        limit_memory(memory_bytes)
        channel.send(connection, _call(function, args))
        del function, args
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit_memory(num_bytes: int) -> None:
    """Limits the memory that this process may have for itself, shared memory not counted; where the system can."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    num_bytes = num_bytes if hard == resource.RLIM_INFINITY else min(num_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (num_bytes, hard))


def _call(function: Callable[..., Any], args: tuple) -> tuple[Any, Exception | None]:
    try:
        return function(*args), None
    except Exception as error:
        return None, error


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the starter decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a decoder's crash is not worth a file
    serve(socket.socket(fileno=int(sys.argv[1])))
