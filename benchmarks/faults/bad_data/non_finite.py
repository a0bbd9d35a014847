"""NaN and infinity in pixels, loss and gradient of single steps, put there by hooks in the process of `train`."""

import functools
import random
from pathlib import Path

import numpy as np

from benchmarks.faults import small_networks, synthetic_photos
from benchmarks.faults.checkpoint_values import read_variables
from benchmarks.faults.processes import Command

PLACES = ("pixels", "loss", "gradient")
_MAX_STEPS = 40
_NUM_BAD = 6
_MAX_BAD_IN_ROW = 10  # as in colorization/training/callbacks.py, which looks every ten steps


def inject_some(root: Path, place: str, rng: random.Random) -> list[str]:
    """Spoils some steps, apart or together; training must go on to the end with finite weights.

    Returns:
      what is wrong.
    """
    steps = sorted(rng.sample(range(_MAX_STEPS), _NUM_BAD))
    command, run_dir = _train(root, place, steps, rng.choice(["nan", "inf"]))
    if command.wait() != 0:
        return [f"{place} at {steps}: it ended with {command.wait()}: {command.read_log()[-500:]}"]
    return _find_not_finite(run_dir, _MAX_STEPS)


def inject_in_row(root: Path, place: str, rng: random.Random) -> list[str]:
    """Spoils all steps from a random one on; training must stop with one line, and what it saved must be finite."""
    first = rng.randrange(_MAX_STEPS // 4)
    command, run_dir = _train(root, place, list(range(first, _MAX_STEPS)), rng.choice(["nan", "inf"]))
    log = command.read_log() if command.wait() else ""
    line = f"train: {run_dir}: the loss was not finite for "
    if command.wait() != 1 or log.count(line) != 1 or "Traceback" in log:
        return [f"{place} from {first} on: it ended with {command.wait()}: {log[-500:]}"]
    step = int(log.split(line)[1].split("up to step ")[1].split(";")[0])
    if step - first >= 2 * _MAX_BAD_IN_ROW:
        return [f"{place} from {first} on: it stopped at step {step} only"]
    steps = [int(path.stem.split("-")[1]) for path in (run_dir / "checkpoints").glob("ckpt-*.index")]
    return [problem for step in steps for problem in _find_not_finite(run_dir, step)]


def spoil(place: str, steps: list[int], value: float) -> None:
    """The hook: in this process, `place` has `value` in these steps, counted from 0."""
    import tensorflow as tf

    from colorization.data import dataset
    from colorization.training import colorization_gan

    small_networks.use()
    gan_class = colorization_gan.ColorizationGAN

    def is_bad(step: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(tf.equal(step, tf.constant(steps, tf.int64)))

    def add_value(tensor: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """To the first element."""
        flat = tf.reshape(tensor, [-1])
        spoiled = tf.tensor_scatter_nd_update(flat, [[0]], [tf.cast(value, flat.dtype)])
        return tf.reshape(tf.where(is_bad(step), spoiled, flat), tf.shape(tensor))

    if place == "pixels":
        make = dataset.make_train_dataset

        def make_spoiled(*args, first_step: int = 0, **kwargs) -> tf.data.Dataset:
            batches = make(*args, first_step=first_step, **kwargs).enumerate(first_step)
            return batches.map(lambda step, photos: (add_value(photos[0], step), photos[1]))

        dataset.make_train_dataset = make_spoiled
    elif place == "loss":
        init = gan_class.__init__

        def init_spoiled(self, *args, **kwargs) -> None:
            init(self, *args, **kwargs)
            compute = self.objective.compute

            def compute_spoiled(*args):
                values, loss = compute(*args)
                return values, add_value(loss, self.step)

            self.objective.compute = compute_spoiled

        gan_class.__init__ = init_spoiled
    else:
        clip = gan_class._clipped_gradients

        class SpoiledTape:
            def __init__(self, tape: tf.GradientTape, step: tf.Tensor):
                self._tape, self._step = tape, step

            def gradient(self, *args, **kwargs) -> list[tf.Tensor]:
                first, *others = self._tape.gradient(*args, **kwargs)
                return [tf.ensure_shape(add_value(first, self._step), first.shape), *others]

        def clip_spoiled(self, tape, loss, variables):
            return clip(self, SpoiledTape(tape, self.step), loss, variables)

        gan_class._clipped_gradients = clip_spoiled


def _train(root: Path, place: str, steps: list[int], value: str) -> tuple[Command, Path]:
    if not (root / "photos").exists():
        synthetic_photos.write_photos(root / "photos", 24)
    run_dir = root / f"{place}_{len(steps)}"
    args = [f"--data_dir={root / 'photos'}", f"--run_dir={run_dir}", f"--max_steps={_MAX_STEPS}"]
    args += ["--checkpoint_steps=5", *small_networks.FLAGS]
    hook = functools.partial(spoil, place, steps, float(value))
    return Command("train", *args, log_path=root / "log.txt", hook=hook), run_dir


def _find_not_finite(run_dir: Path, step: int) -> list[str]:
    variables = read_variables(run_dir, step)
    return [f"{run_dir} step {step}: {name} is not finite" for name, v in variables.items() if not np.isfinite(v).all()]
