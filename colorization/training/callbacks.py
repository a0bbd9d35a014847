"""What happens around the training steps: saving, stopping, showing."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import keras
import tensorflow as tf
from tqdm import tqdm

from colorization import color

MAX_BAD_STEPS_IN_ROW = 10


class NonFiniteLossError(RuntimeError):
    """Too many steps in a row had a loss or gradient that was not finite."""


class SaveAndStop(keras.callbacks.Callback):
    """Saves every so often and at the end; stops at the last step, when time is up and on SIGTERM.

    Attributes:
      terminated: whether SIGTERM, here or to another worker, ended the run.
    """

    def __init__(
        self,
        manager: tf.train.CheckpointManager,
        *,
        max_steps: int,
        max_minutes: float | None,
        checkpoint_steps: int,
        agree: Callable[[Sequence[bool]], Sequence[bool]] = list,
    ):
        """Takes what it is to do.

        Args:
          manager: that saves.
          max_steps: the last step.
          max_minutes: to stop after, or None.
          checkpoint_steps: steps between saves.
          agree: tells of each of some flags whether any worker has it set, so that all stop after the same step.
        """
        super().__init__()
        self.manager, self.agree = manager, agree
        self.max_steps, self.checkpoint_steps = max_steps, checkpoint_steps
        self.max_seconds = None if max_minutes is None else max_minutes * 60.0
        self.terminated = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._start = time.monotonic()
        self._saved_step = self.model.steps_done
        self._previous_handler = signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.model.steps_done
        if step % MAX_BAD_STEPS_IN_ROW == 0 or step < MAX_BAD_STEPS_IN_ROW:
            bad = int(self.model.num_bad_steps_in_row.numpy())
            if bad >= MAX_BAD_STEPS_IN_ROW:
                raise NonFiniteLossError(
                    f"the loss was not finite for {bad} steps in a row, up to step {step}; weights are those of the "
                    "last good step. Lower --learning_rate, or look for broken pixels in the data"
                )
        out_of_time = self.max_seconds is not None and time.monotonic() - self._start > self.max_seconds
        out_of_time, self.terminated = self.agree([out_of_time, self.terminated])
        if step >= self.max_steps or out_of_time or self.terminated:
            self.model.stop_training = True
        if self.model.stop_training or step % self.checkpoint_steps == 0:
            self._save(step)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._save(self.model.steps_done)
        signal.signal(signal.SIGTERM, self._previous_handler)

    def _save(self, step: int) -> None:
        if step != self._saved_step:
            self.manager.save(checkpoint_number=step)
            self._saved_step = step

    def _on_sigterm(self, signum: int, frame: FrameType | None) -> None:
        self.terminated = True


class ProgressBar(keras.callbacks.Callback):
    """One line: steps done, images per second, time left, losses; and a line with the metrics at each validation."""

    def __init__(self, *, max_steps: int, batch_size: int):
        super().__init__()
        self.max_steps, self.batch_size = max_steps, batch_size
        self._bar: tqdm | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        first = self.model.steps_done * self.batch_size
        total = self.max_steps * self.batch_size
        self._bar = tqdm(total=total, initial=first, unit="img", mininterval=1.0, dynamic_ncols=True)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if batch % 10 == 0 and logs:
            self._bar.set_postfix({"loss": f"{float(logs['loss']):.4f}"}, refresh=False)
        self._bar.update(self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        values = " ".join(f"{name}={float(value):.4g}" for name, value in (logs or {}).items())
        self._bar.write(f"step {self.model.steps_done}: {values}")

    def on_train_end(self, logs: dict | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the line, also where training broke off: what is said then shall have one of its own."""
        if self._bar is not None:
            self._bar.close()


class TensorBoardLog(keras.callbacks.Callback):
    """Writes scalars and a grid of validation photos (lightness, result, original) after each validation."""

    def __init__(self, log_dir: Path, val_dataset: tf.data.Dataset, *, num_photos: int = 8):
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(log_dir))
        self._photos = [tensor[:num_photos] for tensor in next(iter(val_dataset.take(1)))]
        self._seconds, self._step = time.monotonic(), None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._seconds, self._step = time.monotonic(), self.model.steps_done

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        step, now = self.model.steps_done, time.monotonic()
        with self._writer.as_default(step=step):
            for name, value in (logs or {}).items():
                tf.summary.scalar(name, float(value))
            tf.summary.scalar("steps_per_second", (step - self._step) / (now - self._seconds))
            tf.summary.scalar("learning_rate", float(self.model.decoder_optimizer.learning_rate))
            tf.summary.image("lightness_result_original", self._grid()[None])
        self._writer.flush()
        self._seconds, self._step = now, step

    def _grid(self) -> tf.Tensor:
        """Rows of (lightness, result at z = 0, original): uint8 (N * S, 3 * S, 3)."""
        l, real_ab = self._photos
        z = tf.zeros((l.shape[0], self.model.generator.inputs[1].shape[-1]))
        hints = tf.zeros((*l.shape[:3], 3))
        fake_ab = tf.cast(self.model.ema_generator([l, z, hints], training=False), tf.float32)
        columns = [color.l_ab_to_rgb(l, ab) for ab in (tf.zeros_like(real_ab), fake_ab, real_ab)]
        rows = tf.concat(columns, axis=2)
        return color.to_uint8(tf.reshape(rows, (-1, rows.shape[2], 3)))
