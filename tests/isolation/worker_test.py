import signal
import socket
import subprocess
import sys
import time

from colorization.isolation import channel, worker


def start():
    near, far = socket.socketpair()
    command = [sys.executable, "-m", "colorization.isolation.worker", str(far.fileno())]
    with far:
        process = subprocess.Popen(command, pass_fds=[far.fileno()])
    assert channel.receive(near) == process.pid
    return process, near


def test_it_ends_with_its_starter():
    process, connection = start()
    connection.close()
    assert process.wait(timeout=10) == 0


def test_a_call_that_hangs_does_not_outlive_a_starter_that_is_gone():
    process, connection = start()
    channel.send(connection, (time.sleep, (60,), 0.5 - worker._GRACE_SECONDS, 1 << 30))
    connection.close()
    assert process.wait(timeout=10) == -signal.SIGALRM


def test_ctrl_c_is_left_to_the_starter():
    process, connection = start()
    process.send_signal(signal.SIGINT)
    channel.send(connection, (len, ("abc",), 10.0, 1 << 30))
    assert channel.receive(connection) == (3, None)
    connection.close()
    assert process.wait(timeout=10) == 0
