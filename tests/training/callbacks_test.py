"""Saving, stopping, showing."""

import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorization.training import callbacks, checkpoints
from tests.training.tiny_gan import build_tiny_gan, make_photos


def photos(value: float | None = None) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(make_photos(value=value)).repeat()


def fit(gan, manager, extra=(), value: float | None = None, **changes) -> callbacks.SaveAndStop:
    settings = {"max_steps": 5, "max_minutes": None, "checkpoint_steps": 2} | changes
    stops = callbacks.SaveAndStop(manager, **settings)
    gan.fit(photos(value), steps_per_epoch=50, epochs=1, verbose=0, callbacks=[stops, *extra])
    return stops


@pytest.fixture
def gan():
    return build_tiny_gan(adversarial=False)


@pytest.fixture
def manager(gan, tmp_path):
    return checkpoints.make_manager(gan, tmp_path)


def saved_steps(manager: tf.train.CheckpointManager) -> list[int]:
    return [int(path.rsplit("-", 1)[1]) for path in manager.checkpoints]


def test_stops_at_the_last_step_and_saves_there_and_on_the_way(gan, manager):
    stops = fit(gan, manager)
    assert int(gan.step) == 5 and saved_steps(manager) == [2, 4, 5] and not stops.terminated


def test_stops_when_time_is_up(gan, manager):
    fit(gan, manager, max_steps=50, max_minutes=0.0)
    assert int(gan.step) == 1 and saved_steps(manager) == [1]


def test_sigterm_saves_and_stops_and_the_old_handler_comes_back(gan, manager):
    class Terminate(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    stops = fit(gan, manager, extra=[Terminate()], max_steps=50, checkpoint_steps=100)
    assert stops.terminated and saved_steps(manager) == [3]
    assert signal.getsignal(signal.SIGTERM) is before


def test_ten_bad_steps_in_a_row_stop_with_a_message(gan, manager):
    with pytest.raises(callbacks.NonFiniteLossError, match="not finite for 10 steps in a row"):
        fit(gan, manager, value=float("nan"), max_steps=50)
    assert int(gan.step) == 10


def test_tensorboard_gets_scalars_and_a_grid(gan, tmp_path):
    log_dir = tmp_path / "tensorboard"
    log = callbacks.TensorBoardLog(log_dir, photos().take(1), num_photos=3)
    gan.fit(photos(), validation_data=photos().take(1), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[log])
    events = EventAccumulator(str(log_dir))
    events.Reload()
    tensors = events.Tags()["tensors"]
    assert {"loss", "val_psnr", "val_colorfulness", "learning_rate", "lightness_result_original"} <= set(tensors)
    assert [event.step for event in events.Tensors("val_psnr")] == [2, 4]
    png = tf.make_ndarray(events.Tensors("lightness_result_original")[0].tensor_proto)[2]
    grid = tf.io.decode_png(png).numpy()
    assert grid.shape == (3 * 32, 3 * 32, 3)
    grey = grid[:, :32].astype(int)
    assert np.abs(grey - grey[..., :1]).max() <= 1, "the first column is the lightness"


def test_progress_counts_images_and_prints_validations(gan, capsys):
    progress = callbacks.ProgressBar(max_steps=4, batch_size=4)
    gan.fit(photos(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[progress])
    captured = capsys.readouterr()
    assert "16/16" in captured.err and "img/s" in captured.err
    assert "step 2: " in captured.out and "step 4: " in captured.out and "chroma_loss=" in captured.out
