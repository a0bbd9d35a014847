"""Fills disks, takes rights away, and counts which commands name it and leave whole what was there.

    sudo python -m benchmarks.faults.disk_and_rights [--kill_seed=0] [--only=REGEX]

It mounts small file systems in memory and runs commands without root's rights over files, so it needs Linux, root and
util-linux. All happens in a temporary folder. A try is survived if the exit status is right, standard error names each
culprit in one line, no traceback is there, what was written before is intact, and nothing is left half.

Exit status: 0 nothing is lost; 1 otherwise.
"""

import collections
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

from benchmarks.faults import small_run
from colorization import cli

_KILL_SEED = flags.DEFINE_integer("kill_seed", 0, "Seed of the moments at which processes are killed.")
_ONLY = flags.DEFINE_string("only", "", "Regular expression for the names of the faults to try; all if empty.")

ROOT = Path(__file__).parents[2]
FULL = "No space left on device"
NUM_KILLS = 5
Try = Callable[[Path], str | None]  # of a folder to work in; returns what is wrong, or None


def run(module: str, *args: object, as_anybody: bool = False) -> subprocess.CompletedProcess:
    """Runs a command of this project; `as_anybody` without root's right to read and write what it likes."""
    command = [sys.executable, "-m", f"colorization.{module}", *map(str, args)]
    if as_anybody:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    environment = os.environ | {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@contextlib.contextmanager
def mounted(folder: Path, num_bytes: int, *, read_only: bool = False) -> Iterator[Path]:
    """Mounts a file system of so many bytes at a new folder."""
    folder.mkdir(parents=True)
    access = "ro" if read_only else "rw"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={num_bytes},{access}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def make_photos(folder: Path, num_photos: int, size: tuple[int, int] = (300, 200)) -> list[Path]:
    """Writes photos of noise, about as large as their results."""
    folder.mkdir(parents=True)
    paths = [folder / f"{index:02d}.png" for index in range(num_photos)]
    for index, path in enumerate(paths):
        pixels = np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def judge(done: subprocess.CompletedProcess, exit_status: int, *patterns: str) -> str | None:
    """Compares a command's exit status, and the lines on its standard error with one pattern each."""
    lines = done.stderr.splitlines()
    if done.returncode != exit_status:
        return f"exit status {done.returncode} instead of {exit_status}: {done.stderr.strip()[-500:]}"
    if len(lines) != len(patterns):
        return f"{len(lines)} lines instead of {len(patterns)}: {done.stderr.strip()[-500:]}"
    for line, pattern in zip(lines, patterns, strict=True):
        if not re.search(pattern, line):
            return f"{line!r} instead of {pattern!r}"
    return None


def list_files(folder: Path) -> list[str]:
    """All files below a folder, hidden ones, too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def colorize_until_full(root: Path) -> str | None:
    """Some of the results fit; one of them replaces an older one, which must survive."""
    photos = make_photos(root / "in", 12)
    with mounted(root / "disk", 6 * 180_000) as disk:
        (disk / "11.png").write_bytes(b"before")
        done = run("colorize", root / "in", f"--output_dir={disk}", "--overwrite")
        written = [path for path in photos if (disk / path.name).exists()]
        failed = [path for path in photos if f"{disk / path.name}: {FULL}" in done.stderr]
        wrong = judge(done, 1, *[f"^{disk}/..\\.png: {FULL}$" for _ in failed])
        if wrong or not failed or set(written) & set(failed) - {photos[-1]} or len(written) < 2:
            return wrong or f"{len(written)} written and {len(failed)} failed of {len(photos)}"
        if list_files(disk) != sorted(path.name for path in written) or photos[-1] not in failed:
            return f"left behind: {list_files(disk)}"
        if (disk / "11.png").read_bytes() != b"before":
            return "the older file is gone"
        for path in set(written) - {photos[-1]}:
            Image.open(disk / path.name).load()
    return None


def colorize_jpegs_until_full(root: Path) -> str | None:
    """As above, where the disk is full in the middle of a file: what is there must be whole."""
    photos = make_photos(root / "in", 4, (800, 600))
    for index, path in enumerate(photos):
        image = Image.open(path)
        image.save(path.with_suffix((".jpg", ".bmp", ".webp", ".tif")[index]))
        path.unlink()
    with mounted(root / "disk", 100_000) as disk:
        done = run("colorize", root / "in", f"--output_dir={disk}")
        return judge(done, 1, *[FULL] * 4) or (f"left behind: {list_files(disk)}" if list_files(disk) else None)


def colorize_without_write_rights(root: Path) -> str | None:
    make_photos(root / "in", 2)
    (root / "out").mkdir(mode=0o555)
    done = run("colorize", root / "in", f"--output_dir={root / 'out'}", as_anybody=True)
    return judge(done, 2, f"^colorize: --output_dir={root / 'out'}: Permission denied$")


def colorize_to_read_only_disk(root: Path) -> str | None:
    make_photos(root / "in", 2)
    with mounted(root / "disk", 1 << 20, read_only=True) as disk:
        done = run("colorize", root / "in", f"--output_dir={disk / 'out'}")
        return judge(done, 2, f"^colorize: --output_dir={disk / 'out'}: Read-only file system$")


def colorize_without_read_rights(root: Path) -> str | None:
    photos = make_photos(root / "in", 3)
    photos[1].chmod(0)
    done = run("colorize", root / "in", f"--output_dir={root / 'out'}", as_anybody=True)
    wrong = judge(done, 1, f"^{photos[1]}: Permission denied$")
    return wrong or (None if list_files(root / "out") == ["00.png", "02.png"] else str(list_files(root / "out")))


def colorize_into_its_own_input(root: Path) -> str | None:
    make_photos(root / "in", 3)
    args = (root / "in", f"--output_dir={root / 'in' / 'out'}", "--recursive", "--overwrite")
    for _ in range(2):
        done = run("colorize", *args)
        if wrong := judge(done, 0):
            return wrong
    names = ["00.png", "01.png", "02.png"]
    return (
        None if list_files(root / "in") == names + [f"out/{name}" for name in names] else str(list_files(root / "in"))
    )


def colorize_two_to_one(root: Path) -> str | None:
    first, second = make_photos(root / "a", 1) + make_photos(root / "b", 1)
    done = run("colorize", first, second, f"--output_dir={root / 'out'}")
    return judge(done, 2, f"^colorize: {first} and {second}: both would be written to {root / 'out' / '00.png'}$")


def colorize_to_a_file(root: Path) -> str | None:
    make_photos(root / "in", 1)
    (root / "out").write_text("before")
    done = run("colorize", root / "in", f"--output_dir={root / 'out'}", "--overwrite")
    wrong = judge(done, 2, f"^colorize: --output_dir={root / 'out'}: File exists$")
    return wrong or (None if (root / "out").read_text() == "before" else "the file is gone")


def colorize_where_a_folder_is(root: Path) -> str | None:
    photos = make_photos(root / "in", 3)
    (root / "out" / "01.png").mkdir(parents=True)
    done = run("colorize", root / "in", f"--output_dir={root / 'out'}", "--overwrite")
    wrong = judge(done, 1, f"^{photos[1]}: {root / 'out' / '01.png'} is a folder$")
    return wrong or (None if list_files(root / "out") == ["00.png", "02.png"] else str(list_files(root / "out")))


def colorize_what_vanishes(root: Path) -> str | None:
    photos = make_photos(root / "in", 40)
    args = [str(root / "in"), f"--output_dir={root / 'out'}", "--batch_size=1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "colorization.colorize", *args], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not list(root.glob("out/*.png")) and process.poll() is None:
        time.sleep(0.01)
    photos[-1].unlink()
    _, stderr = process.communicate()
    done = subprocess.CompletedProcess([], process.returncode, "", stderr)
    return judge(done, 1, f"^{photos[-1]}: No such file or directory$")


def colorize_and_be_killed(root: Path) -> str | None:
    """Killed while it replaces results: each is the old or the new one, whole; no process stays."""
    photos = make_photos(root / "in", 30)
    rng = random.Random(_KILL_SEED.value)
    for name in ("out", "new"):
        saturation = f"--saturation={1 + (name == 'new')}"
        if wrong := judge(run("colorize", root / "in", f"--output_dir={root / name}", saturation), 0):
            return wrong
    old, new = ({path.name: (root / name / path.name).read_bytes() for path in photos} for name in ("out", "new"))
    args = [str(root / "in"), f"--output_dir={root / 'out'}", "--overwrite", "--saturation=2"]
    for _ in range(NUM_KILLS):
        for name, content in old.items():
            (root / "out" / name).write_bytes(content)
        process = subprocess.Popen([sys.executable, "-m", "colorization.colorize", *args], cwd=ROOT)
        num_before_kill = rng.randrange(1, 25)
        while process.poll() is None:
            if sum((root / "out" / name).read_bytes() != old[name] for name in old) >= num_before_kill:
                process.kill()
                break
        process.wait()
        for name in old:
            if (root / "out" / name).read_bytes() not in (old[name], new[name]):
                return f"{name} is neither the old nor the new result"
        time.sleep(1)
        if str(root) in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout:
            return "a process stays"
    return None


def train_until_full(root: Path) -> str | None:
    """The second checkpoint does not fit; the first one must do to go on, on a larger disk."""
    state = _make_state(root)
    num_bytes = sum(path.stat().st_size for path in (state / "run" / "checkpoints").glob("ckpt-2.*"))
    with mounted(root / "disk", int(1.6 * num_bytes)) as disk:
        done = small_run.train(state, disk / "run", 6)
        lines = [line for line in done.stderr.splitlines() if line.startswith("train: ")]
        if done.returncode != 1 or len(lines) != 1 or FULL not in lines[0] or "Traceback" in done.stderr:
            return f"exit status {done.returncode}: {done.stderr.strip()[-1000:]}"
        shutil.copytree(disk / "run", root / "resumed")
    done = small_run.train(state, root / "resumed", 6)
    is_resumed = done.returncode == 0 and "done at step 6" in done.stdout and "step 2: " not in done.stdout
    return None if is_resumed else f"not resumed: {done.stdout[-300:]} {done.stderr[-500:]}"


def write_until_full(module: str, flag: str, num_bytes: int, *args: str, intact: str | None = None) -> Try:
    """Makes a try of another command, whose folder for results lies on a disk of so many bytes."""

    def attempt(root: Path) -> str | None:
        state = _make_state(root)
        with mounted(root / "disk", num_bytes) as disk:
            if intact:
                (disk / intact).write_text("before")
            done = run(module, f"--{flag}={disk}", *(arg.replace("STATE", str(state)) for arg in args))
            if wrong := judge(done, 1, f"^{module}: (?=.*{disk}).*{FULL}"):
                return wrong
            if intact and (disk / intact).read_text() != "before":
                return f"{intact} is gone"
            half = [name for name in list_files(disk) if ".tmp" in name]
            return f"left behind: {half}" if half else None

    return attempt


def write_to_read_only(module: str, flag: str, *args: str) -> Try:
    """Makes a try of another command, whose folder for results lies on a disk that takes nothing."""

    def attempt(root: Path) -> str | None:
        state = _make_state(root)
        with mounted(root / "disk", 1 << 20, read_only=True) as disk:
            done = run(module, f"--{flag}={disk / 'out'}", *(arg.replace("STATE", str(state)) for arg in args))
            return judge(done, done.returncode or -1, f"^{module}: (?=.*{disk}).*Read-only file system")

    return attempt


_PREPARE = ("--data_dir=STATE/photos",)
_EVALUATE = ("--data_dir=STATE/photos", "--model_dir=STATE/models", "--inception_weights=none", "--gallery_size=2")
_EXPORT = ("--run_dir=STATE/run", "--work_size=32")
_CONVERT = ("--model_dir=STATE/models", "--quantization=float32", "--image_size=32")
_TRAIN = ("--data_dir=STATE/photos", "--max_steps=2", *small_run.TRAIN_FLAGS)
TRIES: dict[str, list[Try]] = {
    "the disk fills up while `colorize` writes": [colorize_until_full, colorize_jpegs_until_full],
    "the folder for results takes no files": [colorize_without_write_rights, colorize_to_read_only_disk],
    "a photo may not be read": [colorize_without_read_rights],
    "results inside the input, twice": [colorize_into_its_own_input],
    "a result's name is taken: by another result, a file, a folder": [
        colorize_two_to_one,
        colorize_to_a_file,
        colorize_where_a_folder_is,
    ],
    "a photo vanishes meanwhile": [colorize_what_vanishes],
    f"`colorize` is killed while it replaces results, {NUM_KILLS} times": [colorize_and_be_killed],
    "the disk fills up while `train` writes a checkpoint": [train_until_full],
    "the disk fills up under `export`, `convert`, `prepare`, `evaluate`": [
        write_until_full("export", "export_dir", 1 << 20, *_EXPORT),
        write_until_full("convert", "output_dir", 1 << 20, *_CONVERT),
        write_until_full("prepare", "output_dir", 8192, *_PREPARE),
        write_until_full("evaluate", "output_dir", 8192, *_EVALUATE, intact="metrics.json"),
    ],
    "the disk takes nothing from `train`, `export`, `convert`, `prepare`, `evaluate`": [
        write_to_read_only("train", "run_dir", *_TRAIN),
        write_to_read_only("export", "export_dir", *_EXPORT),
        write_to_read_only("convert", "output_dir", *_CONVERT),
        write_to_read_only("prepare", "output_dir", *_PREPARE),
        write_to_read_only("evaluate", "output_dir", *_EVALUATE),
    ],
}


def _make_state(root: Path) -> Path:
    """Photos, a run and a model, made by the first try that needs them."""
    state = root.parent / "state"
    if not state.exists():
        state.mkdir()
        small_run.make_state(state)
    return state


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    if os.geteuid() != 0:
        raise cli.UsageError("needs root, to mount small disks and to give up rights")
    counts = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as name:
        for fault, attempts in TRIES.items():
            for index, attempt in enumerate(attempts):
                if not re.search(_ONLY.value, fault):
                    continue
                root = Path(name) / f"{len(counts)}_{index}"
                root.mkdir()
                wrong = attempt(root)
                counts[fault]["lost" if wrong else "survived"] += 1
                if wrong:
                    print(f"{fault} ({index}): {wrong}", file=sys.stderr, flush=True)
    print("| fault | tries | survived | lost |\n|---|---:|---:|---:|")
    for fault, outcomes in counts.items():
        print(f"| {fault} | {outcomes.total()} | {outcomes['survived']} | {outcomes['lost']} |")
    return int(any(outcomes["lost"] for outcomes in counts.values()))


if __name__ == "__main__":
    cli.run(main)
