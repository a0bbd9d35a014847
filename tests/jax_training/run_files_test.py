"""The files of a run."""

import json

import jax
import numpy as np
import pytest

from colorization.jax_training import run_files


def test_weights_come_back_as_float32(tmp_path):
    assert not run_files.has_weights(tmp_path)
    weights = {"generator/a/kernel": np.arange(6.0).reshape(2, 3), "noise_encoder/b": jax.numpy.ones(2, "bfloat16")}
    run_files.write_weights(tmp_path, weights)
    assert run_files.has_weights(tmp_path)
    read = run_files.read_weights(tmp_path)
    assert list(read) == list(weights) and {value.dtype for value in read.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(read["generator/a/kernel"], weights["generator/a/kernel"])
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.parametrize("content", [None, b"", b"PK no archive", "cut"])
def test_missing_and_damaged_weights_are_named(tmp_path, content):
    path = tmp_path / "weights.npz"
    if content == "cut":
        run_files.write_weights(tmp_path, {"a": np.arange(1000.0)})
        content = path.read_bytes()[:2000]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: not the weights of a run: ."):
        run_files.read_weights(tmp_path)


def test_config_says_what_made_the_run(tmp_path):
    run_files.write_config(tmp_path, {"seed": 3})
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["flags"] == {"seed": 3}
    assert config["versions"]["jax"] == jax.__version__ and config["device"] == jax.devices()[0].device_kind
    assert set(config) == {"flags", "versions", "python", "device", "git_commit"}


def test_log_grows_and_skipped_files_have_a_line_each(tmp_path):
    for step in (1, 2):
        run_files.append_log(tmp_path, {"step": step, "loss": 0.5})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}]
    run_files.write_skipped(tmp_path, ["a.png: grey", "ü.png: broken"])
    assert (tmp_path / "skipped.txt").read_text(encoding="utf-8") == "a.png: grey\nü.png: broken\n"
