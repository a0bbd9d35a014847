"""Damaged checkpoints: named, passed over, gone in time; and a run that goes on from the one before."""

import json
import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf

from colorization.training import checkpoint_files, checkpoints
from tests.training.tiny_gan import build_tiny_gan, make_photos

DATA = "ckpt-3.data-00000-of-00001"


def make_saver(folder, *, num_kept: int = 3):
    """A manager of one variable, in place of networks."""
    variable = tf.Variable([0.0] * 100)
    checkpoint = tf.train.Checkpoint(v=variable)
    return checkpoint_files.CheckedManager(checkpoint, folder / "checkpoints", num_kept=num_kept), variable


def save(manager, variable, step: int) -> None:
    variable.assign([float(step)] * 100)
    manager.save(checkpoint_number=step)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder whose checkpoints 1, 2 and 3 hold their own number."""
    folder = tmp_path_factory.mktemp("saved")
    manager, variable = make_saver(folder)
    for step in (1, 2, 3):
        save(manager, variable, step)
    return folder


@pytest.fixture
def run(saved, tmp_path):
    """A copy of it."""
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


def names(run) -> set[str]:
    return {path.name for path in (run / "checkpoints").iterdir()}


def files_of(*steps: int) -> set[str]:
    return {f"ckpt-{step}.{end}" for step in steps for end in ("index", "data-00000-of-00001", "sha256.json")}


def flip(path, bit: int = 1000) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


def restore(run) -> float:
    """What the latest checkpoint holds."""
    manager, variable = make_saver(run)
    manager.checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
    return float(variable[0])


def test_checksums_lie_beside_each_checkpoint_and_go_with_it(saved, run):
    manifest = json.loads((saved / "checkpoints" / "ckpt-3.sha256.json").read_text())
    assert set(manifest) == {"ckpt-3.index", DATA}
    assert names(saved) == files_of(1, 2, 3) | {"checkpoint"}
    manager, variable = make_saver(run)
    save(manager, variable, 4)
    assert names(run) == files_of(2, 3, 4) | {"checkpoint"}
    assert restore(run) == 4


def test_a_whole_checkpoint_is_taken_without_a_word(run, caplog):
    assert restore(run) == 3 and caplog.messages == []


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        (DATA, "flip", f"{DATA}: altered since it was written (checksum differs)"),
        (DATA, "cut", f"{DATA}: altered since it was written (10 bytes instead of "),
        (DATA, "delete", f"{DATA}: missing"),
        ("ckpt-3.index", "flip", "ckpt-3.index: altered since it was written (checksum differs)"),
        ("ckpt-3.index", "cut", "ckpt-3.index: altered since it was written (10 bytes instead of "),
        ("ckpt-3.index", "delete", "ckpt-3.index: missing"),
        ("ckpt-3.sha256.json", "cut", "ckpt-3.sha256.json: not a list of checksums: "),
        ("ckpt-3.sha256.json", "delete", "ckpt-3.sha256.json: missing, the save did not come to its end"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(run, caplog, name, damage, reason):
    path = run / "checkpoints" / name
    if damage == "flip":
        flip(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:10])
    else:
        path.unlink()
    assert restore(run) == 2
    (message,) = caplog.messages
    assert message.startswith(f"{run}/checkpoints/ckpt-3 is damaged ({reason}")
    assert message.endswith("); going on from ckpt-2") and "\n" not in message
    assert caplog.records[0].levelno == logging.WARNING


def test_each_damaged_checkpoint_is_named(run, caplog):
    flip(run / "checkpoints" / DATA)
    (run / "checkpoints" / "ckpt-2.index").unlink()
    assert restore(run) == 1
    assert [message.split("; ")[1] for message in caplog.messages] == ["going on from ckpt-1"] * 2
    assert "ckpt-3 is damaged" in caplog.messages[0] and "ckpt-2.index: missing" in caplog.messages[1]


def test_without_a_whole_checkpoint_nothing_starts(run):
    for step in (1, 2, 3):
        (run / "checkpoints" / f"ckpt-{step}.index").unlink()
    with pytest.raises(checkpoint_files.CheckpointError) as caught:
        make_saver(run)
    assert str(caught.value) == (
        f"{run}/checkpoints/ckpt-3 is damaged (ckpt-3.index: missing), and no older checkpoint is whole"
    )


def test_a_run_whose_checkpoints_are_gone_does_not_start_anew(run):
    for path in (run / "checkpoints").glob("ckpt-*"):
        path.unlink()
    with pytest.raises(checkpoint_files.CheckpointError, match="checkpoints/checkpoint: .* its files are gone"):
        make_saver(run)


@pytest.mark.parametrize(
    "state", [b"", b"\xff\xfe", b'model_checkpoint_path: "ckpt-9', b'model_checkpoint_path: "x"', None]
)
def test_the_record_of_tensorflow_does_not_matter(run, caplog, state):
    path = run / "checkpoints" / "checkpoint"
    path.unlink()
    if state is not None:
        path.write_bytes(state)
    assert restore(run) == 3 and caplog.messages == []
    manager, variable = make_saver(run)
    save(manager, variable, 4)
    assert names(run) == files_of(2, 3, 4) | {"checkpoint"}, "it is written anew"


def test_a_record_that_names_an_older_checkpoint_does_not_matter(run):
    path = run / "checkpoints" / "checkpoint"
    path.write_text(path.read_text().replace('model_checkpoint_path: "ckpt-3"', 'model_checkpoint_path: "ckpt-1"'))
    assert restore(run) == 3


def test_damaged_checkpoints_are_the_first_to_go_and_never_come_back(run):
    flip(run / "checkpoints" / DATA)
    manager, variable = make_saver(run)
    assert manager.latest_checkpoint == f"{run}/checkpoints/ckpt-2"
    save(manager, variable, 5)
    assert names(run) == files_of(1, 2, 5) | {"checkpoint"}
    assert restore(run) == 5


def test_saving_in_place_of_a_damaged_checkpoint_makes_it_whole(run, caplog):
    flip(run / "checkpoints" / DATA)
    manager, variable = make_saver(run)
    variable.assign([33.0] * 100)
    manager.save(checkpoint_number=3)
    assert names(run) == files_of(1, 2, 3) | {"checkpoint"}
    caplog.clear()
    assert restore(run) == 33 and caplog.messages == []


@pytest.mark.parametrize("stage", ["files", "checksums"])
def test_a_save_that_fails_leaves_nothing_and_the_one_before_is_taken(run, monkeypatch, caplog, stage):
    def refuse_files(*args, **kwargs):  # as TensorFlow does
        (run / "checkpoints" / "ckpt-4_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    def refuse_checksums(prefix):
        raise OSError(28, "No space left on device")

    manager, variable = make_saver(run)
    if stage == "files":
        monkeypatch.setattr(tf.train.CheckpointManager, "save", refuse_files)
    else:
        monkeypatch.setattr(checkpoint_files, "_write_manifest", refuse_checksums)
    before = names(run)
    with pytest.raises((tf.errors.ResourceExhaustedError, OSError)):
        save(manager, variable, 4)
    assert names(run) == before
    monkeypatch.undo()
    assert restore(run) == 3.0 and not caplog.messages


def test_a_checkpoint_that_somebody_copied_there_stays(run, saved):
    for name in files_of(1):
        shutil.copy(saved / "checkpoints" / name, run / "checkpoints" / name.replace("ckpt-1", "ckpt-0"))
    manager, variable = make_saver(run)
    for step in (4, 5, 6):
        save(manager, variable, step)
    assert {"ckpt-0.index", "ckpt-0.data-00000-of-00001"} <= names(run) and "ckpt-3.index" not in names(run)


def remove_checksums(run, *steps: int) -> None:
    for step in steps:
        (run / "checkpoints" / f"ckpt-{step}.sha256.json").unlink()


def test_checkpoints_of_old_versions_are_taken(run, caplog):
    remove_checksums(run, 1, 2, 3)
    assert restore(run) == 3
    assert caplog.messages == [f"{run}/checkpoints/ckpt-3 has no checksums; taken unchecked"]
    manager, variable = make_saver(run)
    save(manager, variable, 4)
    flip(run / "checkpoints" / "ckpt-4.index")
    caplog.clear()
    assert restore(run) == 3, "older than all checksums"
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(("end", "missing"), [("index", "ckpt-3.index"), ("data-00000-of-00001", "ckpt-3.data*")])
def test_checkpoints_of_old_versions_with_a_file_missing_are_passed_over(run, caplog, end, missing):
    remove_checksums(run, 1, 2, 3)
    (run / "checkpoints" / f"ckpt-3.{end}").unlink()
    assert restore(run) == 2
    assert f"ckpt-3 is damaged ({missing}: missing)" in caplog.messages[0]


def test_a_run_goes_on_from_the_checkpoint_before_as_if_it_had_stopped_there(tmp_path, caplog):
    gan = build_tiny_gan(adversarial=False)
    manager = checkpoints.make_manager(gan, tmp_path)
    for step in (1, 2):
        gan.train_step(make_photos())
        manager.save(checkpoint_number=step)
    expected = gan.ema_generator.get_weights()
    flip(tmp_path / "checkpoints" / "ckpt-2.data-00000-of-00001", bit=100_000)

    resumed = build_tiny_gan(adversarial=False, seed=1)
    resumed.noise_seed = gan.noise_seed
    manager = checkpoints.make_manager(resumed, tmp_path)
    assert checkpoints.restore_latest(manager) and int(resumed.step) == 1
    assert "going on from ckpt-1" in caplog.text
    loaded = build_tiny_gan(adversarial=False, seed=2).generator
    checkpoints.load_networks(tmp_path, ema_generator=loaded)
    for weight, other in zip(loaded.get_weights(), resumed.ema_generator.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    resumed.train_step(make_photos())
    manager.save(checkpoint_number=2)
    checkpoints.load_networks(tmp_path, ema_generator=loaded)
    for weight, other in zip(loaded.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("lost", ["ckpt-1.index", "ckpt-1.data-00000-of-00001", "half the index"])
def test_a_first_save_that_was_stopped_halfway_is_no_checkpoint(tmp_path, caplog, lost):
    manager, variable = make_saver(tmp_path)
    save(manager, variable, 1)
    folder = tmp_path / "checkpoints"
    for name in ("checkpoint", "ckpt-1.sha256.json"):
        (folder / name).unlink()
    if lost == "half the index":
        content = (folder / "ckpt-1.index").read_bytes()
        (folder / "ckpt-1.index").write_bytes(content[: len(content) // 2])
    else:
        (folder / lost).unlink()
    assert checkpoint_files.find_latest(folder) is None
    assert "first save of this run did not come to its end" in caplog.text
    manager, variable = make_saver(tmp_path)
    save(manager, variable, 1)
    assert checkpoint_files.find_latest(folder) == folder / "ckpt-1"


def test_what_a_stopped_save_leaves_is_removed_at_the_next_start(run):
    folder = run / "checkpoints"
    whole = names(run)
    (folder / "ckpt-4_temp").mkdir()
    (folder / "ckpt-4_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    for name in (".ckpt-4.sha256.json.123.tmp", "checkpoint.tmp0a1b", "ckpt-4.index.tempstate123"):
        (folder / name).write_bytes(b"half")
    make_saver(run)
    assert names(run) == whole
