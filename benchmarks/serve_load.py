"""Load on the serve command, on this machine only: steady, too much, and while models come and go.

    python -m benchmarks.serve_load [--num_requests=10000] [--num_clients=20] [--num_reloads=20]

Photos of mixed sizes (64 to 1,024 px) go to the plain API and to TensorFlow Serving's REST and gRPC interfaces in turn.
Every answer is compared, byte for byte, with the file that `python -m colorization.colorize` writes for the photo.

1. Steady: --num_clients clients that wait for their answers.
2. Overload: four times as many requests a second as were answered before, for --overload_seconds.
3. Reloads: new versions under steady load; every fourth one is broken.

Exit status: 0 if nothing was lost, refused or different that should not be; 1 otherwise.
"""

import asyncio
import collections
import contextlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

from benchmarks import serve_clients
from benchmarks.serve_clients import Answer, Case
from colorization import cli

_MODEL_BASE_PATH = flags.DEFINE_string(
    "model_base_path", "saved_models/colorizer", "Folder of versions; the highest one is served."
)
_NUM_REQUESTS = flags.DEFINE_integer("num_requests", 10_000, "Requests under steady load.", 1)
_NUM_CLIENTS = flags.DEFINE_integer("num_clients", 20, "Clients at a time.", 1, 200)
_OVERLOAD_SECONDS = flags.DEFINE_float("overload_seconds", 20.0, "Seconds of overload; 0 leaves it out.", 0.0, 300.0)
_NUM_RELOADS = flags.DEFINE_integer("num_reloads", 20, "New versions under load; 0 leaves them out.", 0, 100)
_SIZES = flags.DEFINE_list("sizes", ["64", "96", "128", "192", "256", "384", "512", "1024"], "Sides of photos, in px.")

_BROKEN_EVERY = 4
_RELOAD_SECONDS = 180.0
_REFUSALS = {"429", "503", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}


def write_photos(folder: Path, sizes: Sequence[int]) -> None:
    """Writes grey PNG files, more small ones than large ones: the pixels of all sizes together are about equal."""
    for size in sizes:
        for number in range(max(1, min(4, 512 // size))):
            rng = np.random.default_rng((size, number))
            coarse = Image.fromarray(rng.integers(0, 256, (8, 11), np.uint8))
            coarse.resize((size * 4 // 3, size), Image.Resampling.BICUBIC).save(folder / f"{size}_{number}.png")


@contextlib.contextmanager
def serving(base_dir: Path) -> Iterator[tuple[str, str]]:
    """Runs the command on free ports; gives the URL and the address of gRPC."""
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    words = [sys.executable, "-m", "colorization.serve", f"--model_base_path={base_dir}"]
    words += [f"--rest_api_port={ports[0]}", f"--port={ports[1]}"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        print(process.stdout.readline(), end="", flush=True)
        yield f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(90):
            raise cli.CommandError(f"the server ended with exit status {process.returncode}")


def report(title: str, answers: Sequence[Answer], seconds: float) -> float:
    """Prints outcomes and latencies of each interface; returns the rate of equal answers."""
    outcomes = collections.Counter(answer.outcome for answer in answers)
    rate = outcomes["equal"] / seconds
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
    print(f"{title}: {len(answers)} requests in {seconds:.0f} s: {counts}; {rate:.1f} images/s", flush=True)
    for interface in serve_clients.INTERFACES:
        times = [answer.seconds for answer in answers if answer.interface == interface and answer.outcome == "equal"]
        if len(times) > 1:
            print(f"  {interface}: {format_percentiles(times)}", flush=True)
    return rate


def format_percentiles(seconds: Sequence[float]) -> str:
    """Percentiles 50, 95 and 99 in words; two or more values."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return ", ".join(f"p{p} {1000 * cuts[p - 1]:.0f} ms" for p in (50, 95, 99))


def find_faults(answers: Sequence[Answer], *, may_refuse: bool) -> list[str]:
    """What should not have been, one line each."""
    allowed = {"equal"} | (_REFUSALS if may_refuse else set())
    counts = collections.Counter(answer.outcome for answer in answers if answer.outcome not in allowed)
    return [f"{count} answers: {outcome}" for outcome, count in counts.items()]


async def load_steadily(senders: dict, cases: Sequence[Case]) -> tuple[float, list[str]]:
    """Phase 1; the rate, and the faults."""
    start = time.perf_counter()
    answers = await serve_clients.run_closed(
        senders, cases, num_requests=_NUM_REQUESTS.value, num_clients=_NUM_CLIENTS.value
    )
    rate = report(f"steady, {_NUM_CLIENTS.value} clients", answers, time.perf_counter() - start)
    return rate, find_faults(answers, may_refuse=False)


async def overload(senders: dict, cases: Sequence[Case], rate: float) -> list[str]:
    """Phase 2; the faults."""
    start = time.perf_counter()
    answers = await serve_clients.run_open(senders, cases, rate=4.0 * rate, seconds=_OVERLOAD_SECONDS.value)
    report(f"overload, {4.0 * rate:.1f} requests/s", answers, time.perf_counter() - start)
    refused = [answer.seconds for answer in answers if answer.outcome in _REFUSALS]
    if len(refused) > 1:
        print(f"  refused: {format_percentiles(refused)}", flush=True)
    return find_faults(answers, may_refuse=True)


async def reload_under_load(senders: dict, cases: Sequence[Case], url: str, base_dir: Path) -> list[str]:
    """Phase 3; the faults."""
    stop, faults, start = asyncio.Event(), [], time.perf_counter()
    load = asyncio.create_task(
        serve_clients.run_closed(senders, cases, num_requests=10**6, num_clients=_NUM_CLIENTS.value, stop=stop)
    )
    good = max(int(path.name) for path in base_dir.iterdir() if path.name.isdecimal())
    durations, num_broken = [], 0
    for number in range(1, _NUM_RELOADS.value + 1):
        version, begin = good + number, time.perf_counter()
        is_broken = number % _BROKEN_EVERY == 0
        num_broken += is_broken
        add_version(base_dir, good, version, is_broken)
        state = await wait_for_state(url, version)
        durations.append(time.perf_counter() - begin)
        if state != ("END" if is_broken else "AVAILABLE"):
            faults.append(f"version {version}, {'broken' if is_broken else 'good'}: {state}")
    stop.set()
    answers = await load
    title = f"{_NUM_RELOADS.value} reloads, {num_broken} of them broken, {statistics.median(durations):.1f} s each"
    report(title, answers, time.perf_counter() - start)
    return faults + find_faults(answers, may_refuse=False)


def add_version(base_dir: Path, source: int, version: int, is_broken: bool) -> None:
    """Puts a copy of a version beside it, whole at once; a broken one lacks half of its weights."""
    temporary = base_dir / f".{version}.tmp"
    shutil.copytree(base_dir / str(source), temporary)
    if is_broken:
        (weights,) = temporary.glob("variables/*.data-*")
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    temporary.rename(base_dir / str(version))


async def wait_for_state(url: str, version: int) -> str:
    """AVAILABLE or END, as soon as the version is one or the other; else what it is after a long time."""
    import httpx

    state, end = "unknown", time.monotonic() + _RELOAD_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        while time.monotonic() < end and state not in ("AVAILABLE", "END"):
            await asyncio.sleep(0.2)
            versions = (await client.get("/v1/models/colorizer")).json()["model_version_status"]
            state = next((v["state"] for v in versions if v["version"] == str(version)), state)
    return state


async def run_phases(cases: Sequence[Case], url: str, grpc_address: str, base_dir: Path) -> list[str]:
    """All phases; the faults."""
    async with serve_clients.connect(url, grpc_address, "colorizer") as senders:
        rate, faults = await load_steadily(senders, cases)
        if _OVERLOAD_SECONDS.value:
            faults += await overload(senders, cases, rate)
        if _NUM_RELOADS.value:
            faults += await reload_under_load(senders, cases, url, base_dir)
    return faults


def main(argv: list[str]) -> int:
    """Runs the test; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    cli.start_tensorflow("cpu")  # for the stubs of gRPC
    from colorization.inference import saved_model

    versions = saved_model.list_versions(_MODEL_BASE_PATH.value)
    if not versions:
        raise cli.UsageError(f"--model_base_path={_MODEL_BASE_PATH.value}: no versions there")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        photo_dir, expected_dir, base_dir = root / "photos", root / "expected", root / "models"
        photo_dir.mkdir()
        write_photos(photo_dir, [int(size) for size in _SIZES.value])
        shutil.copytree(versions[-1], base_dir / versions[-1].name)
        words = [sys.executable, "-m", "colorization.colorize", str(photo_dir), f"--output_dir={expected_dir}"]
        subprocess.run([*words, f"--model_dir={base_dir}"], check=True)
        cases = serve_clients.read_cases(photo_dir, expected_dir)
        with serving(base_dir) as (url, grpc_address):
            faults = asyncio.run(run_phases(cases, url, grpc_address, base_dir))
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    cli.run(main)
