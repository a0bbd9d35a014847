"""Images per second of `archive` with its runners beside plain `colorize`, and whether each photo is done once.

    python -m benchmarks.archive_speed [--data_dir=PHOTOS] [--num_photos=2000] [--num_workers=2]

It needs requirements-beam.txt. The photos are copied into a folder with folders inside, with two files that are broken.
Then each system of --systems takes them, as a user would start it:

* colorize: `python -m colorization.colorize`, whose results are the expected ones;
* direct: `archive --runner=DirectRunner` with --num_workers processes;
* dask: `archive --runner=DaskRunner` with a scheduler and --num_workers processes (`benchmarks/beam_cluster.py`);
* portable: `archive --runner=PortableRunner` with Beam's own job server, which gives a job one worker.

"Lost" are photos without a result, "twice" those whose result appeared more than once (the kernel tells: every result
is renamed into place), "different" those whose bytes are not those of the first system. Seconds are those of the whole
command, from its start to its end.
"""

import collections
import contextlib
import ctypes
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import beam_cluster
from colorization import image_io

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of photos, nested folders too; default: synthetic ones.")
_NUM_PHOTOS = flags.DEFINE_integer("num_photos", 2000, "Photos, taken evenly over the sorted list.", 1)
_NUM_WORKERS = flags.DEFINE_integer("num_workers", 2, "Worker processes.", 1)
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Model to use; default: the shipped one.")
_SYSTEMS = flags.DEFINE_list("systems", ["colorize", "direct", "dask", "portable"], "What to measure, in this order.")

_IN_MOVED_TO = 0x80
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name
_NUM_FOLDERS = 4


def copy_photos(folder: Path, data_dir: Path | None, num_photos: int) -> None:
    """Fills a folder with folders of photos, copied or made up, and two files that cannot be read."""
    for index in range(_NUM_FOLDERS):
        (folder / str(index)).mkdir(parents=True)
    if data_dir is None:
        rng = np.random.default_rng(0)
        for index in range(num_photos):
            coarse = Image.fromarray(rng.integers(0, 256, (9, 12), np.uint8))
            path = folder / str(index % _NUM_FOLDERS) / f"{index}.jpg"
            coarse.resize((192, 144), Image.Resampling.BICUBIC).save(path, quality=85)
    else:
        photos = image_io.list_photos([data_dir], recursive=True)
        for index in range(num_photos):
            source = photos[index * len(photos) // num_photos]
            shutil.copyfile(source, folder / str(index % _NUM_FOLDERS) / f"{index}{source.suffix}")
    (folder / "0" / "empty.jpg").touch()
    (folder / "1" / "broken.png").write_bytes(b"no photo")


@contextlib.contextmanager
def count_results(folders: Sequence[Path]) -> Iterator[collections.Counter[str]]:
    """Counts how often each file appears by renaming, in folders that exist; Linux only.

    Yields:
      The counts by path, whole when the `with` block has ended.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    watches = {libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_MOVED_TO): folder for folder in folders}
    if descriptor < 0 or min(watches) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    counts: collections.Counter[str] = collections.Counter()
    end = threading.Event()

    def read() -> None:
        while True:
            is_last = end.is_set()
            with contextlib.suppress(BlockingIOError):
                data = os.read(descriptor, 1 << 20)
                while data:
                    watch, _, _, length = _EVENT.unpack_from(data)
                    name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
                    counts[str(watches[watch] / os.fsdecode(name))] += 1
                    data = data[_EVENT.size + length :]
                continue
            if is_last:
                return
            time.sleep(0.02)

    os.set_blocking(descriptor, False)
    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield counts
    finally:
        end.set()
        thread.join()
        os.close(descriptor)


@contextlib.contextmanager
def start_system(system: str, photos_dir: Path, output_dir: Path) -> Iterator[list[str]]:
    """Starts what a system needs; yields the command to time."""
    model = [] if _MODEL_DIR.value is None else [f"--model_dir={_MODEL_DIR.value}"]
    if system == "colorize":
        command = [sys.executable, "-m", "colorization.colorize", str(photos_dir), "--recursive"]
        yield [*command, f"--output_dir={output_dir}", *model]
        return
    command = [
        sys.executable,
        "-m",
        "colorization.archive",
        f"--input={photos_dir}/**",
        f"--output={output_dir}",
        *model,
    ]
    if system == "direct":
        yield [*command, f"--num_workers={_NUM_WORKERS.value}"]
    else:
        start = {
            "dask": lambda: beam_cluster.start_dask(_NUM_WORKERS.value),
            "portable": beam_cluster.start_portable,
        }[system]
        with start() as (options, _):
            yield [*command, *options]


def measure(system: str, photos_dir: Path, output_dir: Path, expected_dir: Path) -> str:
    """Runs a system and makes its row of the table."""
    names = [path.relative_to(photos_dir) for path in sorted(photos_dir.rglob("*.*"))]
    good = [name for name in names if name.name not in ("empty.jpg", "broken.png")]
    folders = [output_dir / str(index) for index in range(_NUM_FOLDERS)]
    for folder in folders:
        folder.mkdir(parents=True)
    with start_system(system, photos_dir, output_dir) as command, count_results(folders) as counts:
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - start
    lost = [name for name in good if not (output_dir / name).is_file()]
    twice = [path for path, count in counts.items() if count > 1]
    different = [
        name
        for name in good
        if name not in lost and (output_dir / name).read_bytes() != (expected_dir / name).read_bytes()
    ]
    num_named = sum("empty.jpg" in line or "broken.png" in line for line in done.stderr.splitlines())
    if done.returncode != 1 or num_named != 2:
        raise RuntimeError(f"{system}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return (
        f"| {system} | {seconds:.1f} | {len(good) / seconds:.1f} | {len(lost)} | {len(twice)} | {len(different)} "
        f"| {num_named} of 2 |"
    )


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data_dir = None if _DATA_DIR.value is None else Path(_DATA_DIR.value)
        copy_photos(root / "photos", data_dir, _NUM_PHOTOS.value)
        print("| system | seconds | images/s | lost | twice | different | broken ones named |", flush=True)
        print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
        for system in _SYSTEMS.value:
            print(measure(system, root / "photos", root / system, root / _SYSTEMS.value[0]), flush=True)


if __name__ == "__main__":
    app.run(main)
