"""Training runs of small networks in processes of their own: one, one with several virtual devices, or several workers.

All of it on this machine: virtual devices share its processor, and workers talk through the loopback interface.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.faults import checkpoint_values, small_networks

ROOT = Path(__file__).parents[1]
TIMEOUT_SECONDS = 600.0
FLAGS = (*small_networks.FLAGS, "--batch_size=8", "--chroma_loss=log", "--colorfulness_weight=0.3", "--cache=memory")
NETWORKS = ("generator", "ema_generator", "noise_encoder", "discriminator")

_CODE = """
import runpy, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * {num_devices})
from benchmarks.faults import small_networks
small_networks.use()
sys.argv[0] = "train.py"
runpy.run_module("colorization.train", run_name="__main__")
"""


class Training:
    """A run of `python -m colorization.train` with small networks, by one process or by several workers."""

    def __init__(
        self,
        photos: Path,
        run_dir: Path,
        *flags: str,
        num_workers: int = 1,
        num_devices: int = 1,
        environ: Mapping[str, str] | None = None,
    ):
        """Starts it.

        Args:
          photos: folder.
          run_dir: of the run; logs of the processes go beside it.
          *flags: besides FLAGS.
          num_workers: processes.
          num_devices: virtual devices of each.
          environ: variables besides those of this process.
        """
        self.run_dir = run_dir
        command = [sys.executable, "-c", _CODE.format(num_devices=num_devices), *FLAGS]
        command += [f"--data_dir={photos}", f"--run_dir={run_dir}", *flags]
        addresses = _find_addresses(num_workers)
        self.logs = [run_dir.with_name(f"{run_dir.name}.{index}.log") for index in range(num_workers)]
        self.processes = []
        for index, log in enumerate(self.logs):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            variables = {**os.environ, **(environ or {}), "TF_CONFIG": json.dumps(config if num_workers > 1 else {})}
            with open(log, "w") as file:
                self.processes.append(subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=file))

    def wait(self, seconds: float = TIMEOUT_SECONDS) -> list[int]:
        """Waits for all processes and returns their exit statuses; those that take too long are killed."""
        end = time.monotonic() + seconds
        for process in self.processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        return [process.wait() for process in self.processes]

    def kill_after(self, step: int, worker: int) -> float:
        """Kills a worker once the checkpoint of a step is there; returns the seconds until the others have ended."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while not self.checkpoint(step).exists() and time.monotonic() < end and self.processes[worker].poll() is None:
            time.sleep(0.01)
        self.processes[worker].send_signal(signal.SIGKILL)
        start = time.monotonic()
        self.wait()
        return time.monotonic() - start

    def checkpoint(self, step: int) -> Path:
        """The last file that a checkpoint gets."""
        return self.run_dir / "checkpoints" / f"ckpt-{step}.sha256.json"

    def read_log(self, worker: int) -> str:
        """What a worker printed."""
        return self.logs[worker].read_text(encoding="utf-8", errors="replace")


def read_weights(run_dir: Path, step: int) -> dict[str, np.ndarray]:
    """The weights of all networks in a run's checkpoint; not the optimizers' variables."""
    variables = checkpoint_values.read_variables(run_dir, step)
    return {name: value for name, value in variables.items() if name.split("/")[0] in NETWORKS}


def compare(weights: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> tuple[float, float, str]:
    """How far weights are from others.

    Returns:
      Norm of all differences relative to that of the others; the largest difference of one number; the weight it is in.
    """
    assert weights.keys() == others.keys()
    differences = {name: np.abs(weights[name].astype(np.float64) - others[name]) for name in weights}
    worst = max(differences, key=lambda name: differences[name].max())
    norm = np.sqrt(sum(float(np.sum(difference**2)) for difference in differences.values()))
    total = np.sqrt(sum(float(np.sum(other.astype(np.float64) ** 2)) for other in others.values()))
    return norm / total, float(differences[worst].max()), worst.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")


def _find_addresses(num: int) -> Sequence[str]:
    """Addresses of the loopback interface with ports that are free just now."""
    sockets = [socket.socket() for _ in range(num)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses
