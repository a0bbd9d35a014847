"""Runs commands to their end, each with a few flags that make little sense, on photos and models that are small."""

import functools
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.faults import small_networks, synthetic_photos
from benchmarks.faults.processes import Command

_TIMEOUT_SECONDS = 120.0
_SMALL = (*small_networks.FLAGS, "--max_steps=2", "--validation_steps=1")
_USUAL = {
    "train": ("--data_dir=ROOT/photos", "--run_dir=ROOT/NEW", *_SMALL),
    "export": ("--run_dir=ROOT/run", "--export_dir=ROOT/NEW"),
    "convert": ("--model_dir=ROOT/models", "--output_dir=ROOT/NEW", "--quantization=float32", "--val_dir=ROOT/photos"),
    "colorize": ("ROOT/photos", "--model_dir=ROOT/models", "--output_dir=ROOT/NEW"),
    "evaluate": (
        "--data_dir=ROOT/photos",
        "--model_dir=ROOT/models",
        "--output_dir=ROOT/NEW",
        "--inception_weights=none",
    ),
    "prepare": ("--data_dir=ROOT/photos", "--output_dir=ROOT/NEW"),
}
_NAMES = {
    "train": "aged_share beta_1 cache chroma_loss ciede2000_weight classification_weight clip_norm colorfulness_weight "
    "data_dir device ema_decay encoder_rate_factor encoder_weights generator group_shares hint_fraction init_model_dir "
    "init_run_dir kl_weight learning_rate max_minutes min_area noise_fraction num_val_photos overshoot_weight "
    "perceptual_encoder_weights perceptual_weight records recoloured_fraction restraint_quantile restraint_weight "
    "run_dir saturation_weight seed tfds tfds_data_dir val_data_dir val_percent weight_decay "
    "unevenness_weight adversarial_weight discriminator_learning_rate checkpoint_steps batch_size frozen_until",
    "export": "run_dir export_dir work_size saturation blue_limit smoothing restraint_boldness other_boldness",
    "convert": "model_dir output_dir image_size quantization flavour calibration_dir val_dir max_val_photos",
    "colorize": "output_dir model_dir num_samples seed saturation hints reference recursive overwrite device",
    "evaluate": "data_dir model_dir output_dir batch_size max_photos expected_num_photos inception_weights",
    "prepare": "data_dir output_dir photos_per_shard max_short_side jpeg_quality num_threads seed",
}
_VALUES = ("0", "1", "2", "3", "-1", "0.5", "1e308", "1e-308", "64", "33", str(2**31), str(2**63), str(10**20))
_VALUES += ("", "none", "cpu", "gpu:9", "no_such_thing", "\udcff", "a" * 300, "*", "imagenet", "l1", "dynamic", "any")
_VALUES += tuple(
    f"ROOT/{name}" for name in ("photos", "broken", "empty", "run", "models", "no_text", "photos/0000.png")
)
# More of these takes long, or all memory, and is right to do so.
_LIMITED = ("batch_size", "image_size", "num_samples", "num_threads", "max_short_side", "work_size")


def make_files(root: Path) -> None:
    """Makes what the commands work on: photos, broken ones, a run and its export."""
    synthetic_photos.write_photos(root / "photos", 8)
    for name in ("empty", "broken"):
        (root / name).mkdir()
    (root / "no_text").write_bytes(bytes(range(256)))
    (root / "broken" / "a.jpg").write_bytes(b"no image")
    (root / "broken" / "b.png").write_bytes(b"")
    train = ("--data_dir=ROOT/photos", "--run_dir=ROOT/run", *_SMALL)
    for command, arguments in (
        ("train", train),
        ("export", ("--run_dir=ROOT/run", "--export_dir=ROOT/models", "--work_size=32")),
    ):
        started = _start(root, command, arguments)
        if started.wait() != 0:
            raise RuntimeError(f"{command} failed: {started.read_log()}")


def run_some(root: Path, seconds: float, rng: random.Random) -> Iterator[str | None]:
    """Runs commands until time is up; yields for each what was wrong: a traceback, another exit status, no end."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        command = rng.choice(list(_USUAL))
        extra = []
        for name in rng.sample(_NAMES[command].split(), rng.randint(1, 3)):
            values = [value for value in _VALUES if name not in _LIMITED or not value.isdecimal() or int(value) < 100]
            extra.append(f"--{name}={rng.choice(values)}")
        started = _start(root, command, [arg.replace("NEW", f"new_{number}") for arg in _USUAL[command]] + extra)
        number += 1
        status = started.wait(_TIMEOUT_SECONDS)
        log = started.read_log()
        shown = f"{command} {' '.join(extra)}"
        if status is None:
            started.kill()
            yield f"{shown}: no end after {_TIMEOUT_SECONDS:.0f} s"
        elif status not in (0, 1, 2) or "Traceback" in log:
            yield f"{shown}: exit status {status}: {' | '.join(log.strip().splitlines()[-3:])}"
        else:
            yield None


def _start(root: Path, command: str, arguments: Sequence[str]) -> Command:
    arguments = [argument.replace("ROOT", str(root)) for argument in arguments]
    return Command(command, *arguments, log_path=root / "log.txt", hook=functools.partial(_prepare, str(root)))


def _prepare(root: str) -> None:
    small_networks.use()
    os.chdir(root)  # where a folder named "-1" does no harm
