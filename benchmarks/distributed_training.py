"""Do many devices train as one does? And does training go on when a worker is killed?

    python -m benchmarks.distributed_training

Trains small networks (float32, with discriminator and batch norm) on synthetic photos for --num_steps steps: in one
process; in one with two virtual CPU devices (mirrored); in 2 and 4 workers on the loopback interface (multi_worker).
Prints how far their weights are from those of the one process with the same global batches. Two controls say what to
expect of rounding alone: the same once more, and the same with TensorFlow's other convolutions (oneDNN switched off),
which sum in another order.

Then a worker is killed (SIGKILL) in the middle of a run, and all are started again.
"""

import tempfile
from pathlib import Path

from absl import flags

from benchmarks.distributed_processes import Training, compare, read_weights
from benchmarks.faults import checkpoint_values, synthetic_photos
from colorization import cli

_NUM_STEPS = flags.DEFINE_integer("num_steps", 50, "Steps of each run.", 10)
_RATE = flags.DEFINE_float("rate", 1e-3, "Peak learning rate of the generator.", 0.0)
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where runs and logs stay; default: a temporary folder.")

# Title, and arguments of `Training`.
_RUNS = {
    "one process": {},
    "the same again": {},
    "the same, oneDNN off": {"environ": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
    "mirrored, 2 virtual CPUs": {"num_devices": 2},
    "multi_worker, 2 processes": {"num_workers": 2},
    "multi_worker, 4 processes": {"num_workers": 4},
}


def main(argv: list[str]) -> None:
    """Prints the tables."""
    cli.start_tensorflow("cpu")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(_WORK_DIR.value or folder)
        synthetic_photos.write_photos(root / "photos", 64)
        _print_differences(root)
        _print_kills(root)


def _flags(**changes: object) -> list[str]:
    steps = _NUM_STEPS.value
    values = {"max_steps": steps, "validation_steps": steps // 2, "checkpoint_steps": 2 * steps // 5}
    values |= {"learning_rate": _RATE.value, "discriminator_learning_rate": 0.4 * _RATE.value}
    values |= {"num_data_shards": 4} | changes
    return [f"--{name}={value}" for name, value in values.items()]


def _train(root: Path, title: str, **settings: object) -> Training:
    name = "".join(c if c.isalnum() else "_" for c in title)
    strategy = "mirrored" if settings.get("num_devices", 1) > 1 else "auto"
    training = Training(root / "photos", root / name, *_flags(strategy=strategy), **settings)
    if any(statuses := training.wait()):
        raise cli.CommandError(f"{title}: exit statuses {statuses}; see {training.logs[0]}")
    return training


def _print_differences(root: Path) -> None:
    first, last = 2 * _NUM_STEPS.value // 5, _NUM_STEPS.value
    print(
        f"| weights beside one process's | relative, step {first} | relative, step {last} | largest, step {last} | in |"
    )
    print("|---|---|---|---|---|")
    reference = None
    for title, settings in _RUNS.items():
        run_dir = _train(root, title, **settings).run_dir
        weights = {step: read_weights(run_dir, step) for step in (first, last)}
        if reference is None:
            reference = weights
            continue
        early, late = (compare(weights[step], reference[step]) for step in (first, last))
        print(f"| {title} | {early[0]:.1e} | {late[0]:.1e} | {late[1]:.1e} | {late[2]} |", flush=True)


def _print_kills(root: Path) -> None:
    steps = _NUM_STEPS.value
    whole = checkpoint_values.read_variables(root / "multi_worker__2_processes", steps)
    for worker, name in ((0, "the chief"), (1, "the other worker")):
        training = Training(root / "photos", root / f"killed_{worker}", *_flags(), num_workers=2)
        seconds = training.kill_after(2 * steps // 5, worker)
        statuses = training.wait()
        again = Training(root / "photos", training.run_dir, *_flags(), num_workers=2)
        if any(again.wait()):
            raise cli.CommandError(f"killed {name}: it does not go on; see {again.logs[0]}")
        differing = checkpoint_values.find_differing(checkpoint_values.read_variables(training.run_dir, steps), whole)
        print(
            f"killed {name} after step {2 * steps // 5}: exit statuses {statuses}, {seconds:.1f} s until the other had "
            f"ended; started again: {len(differing)} of {len(whole)} variables differ from the undisturbed run's"
        )


if __name__ == "__main__":
    cli.run(main)
