"""Clusters of several processes for `python -m colorization.archive`, on this machine.

    python -m benchmarks.beam_cluster --kind=dask --cluster_size=2

starts one, prints the options for it, and ends it on Ctrl-C. The kinds:

* dask: Dask's scheduler and worker processes, for --runner=DaskRunner;
* portable: Apache Beam's own job server and a pool of worker processes, for --runner=PortableRunner: the way in which
  jobs reach Flink and Spark. It gives a job one worker, so it is for trying out, not for speed.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from absl import app, flags

_KIND = flags.DEFINE_enum("kind", "dask", ["dask", "portable"], "What to start.")
_CLUSTER_SIZE = flags.DEFINE_integer("cluster_size", 2, "Worker processes of dask.", 1)

_START_SECONDS = 60.0


@contextlib.contextmanager
def start_dask(num_workers: int) -> Iterator[tuple[list[str], list[subprocess.Popen]]]:
    """Starts Dask's scheduler and workers of one thread each.

    Args:
      num_workers: worker processes.

    Yields:
      The options of `archive` for it, "--" first, and the worker processes.
    """
    port = find_port()
    address = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        options = ["--host=127.0.0.1", "--no-dashboard"]
        _start(stack, "distributed.cli.dask_scheduler", f"--port={port}", *options)
        wait_for_port(port)
        # Without a nanny, which would start a dead worker again: whoever is killed stays dead.
        workers = [
            _start(stack, "distributed.cli.dask_worker", address, "--nthreads=1", "--no-nanny", *options)
            for _ in range(num_workers)
        ]
        yield ["--runner=DaskRunner", "--", f"--dask_client_address={address}"], workers


@contextlib.contextmanager
def start_portable() -> Iterator[tuple[list[str], list[subprocess.Popen]]]:
    """Starts Beam's job server and pool of workers; yields the options of `archive` for it, and no processes."""
    job_port, pool_port = find_port(), find_port()
    with contextlib.ExitStack() as stack:
        _start(stack, "apache_beam.runners.portability.local_job_service_main", f"--port={job_port}")
        _start(stack, "apache_beam.runners.worker.worker_pool_main", f"--service_port={pool_port}")
        wait_for_port(job_port)
        wait_for_port(pool_port)
        endpoints = [f"--job_endpoint=localhost:{job_port}", f"--environment_config=localhost:{pool_port}"]
        yield ["--runner=PortableRunner", "--", "--environment_type=EXTERNAL", *endpoints], []


def find_port() -> int:
    """Finds a port that nothing listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port: int) -> None:
    """Waits until something listens at a port.

    Raises:
      TimeoutError: nothing does.
    """
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens at port {port}")


def _start(stack: contextlib.ExitStack, module: str, *args: str) -> subprocess.Popen:
    """Starts a module as a process in a folder of its own, for what it leaves, until the stack unwinds."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    paths = [os.path.dirname(sys.executable), os.environ.get("PATH", "")]  # Beam's pool starts "python"
    process = subprocess.Popen(
        [sys.executable, "-m", module, *args],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def main(argv: list[str]) -> None:
    """Starts a cluster and waits."""
    del argv
    with start_dask(_CLUSTER_SIZE.value) if _KIND.value == "dask" else start_portable() as (options, _):
        print(" ".join(options), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600.0)


if __name__ == "__main__":
    app.run(main)
