"""Saving and going on."""

import json

import numpy as np
import pytest

from colorization.jax_training import run_files
from colorization.training import checkpoints
from tests.training.tiny_gan import build_tiny_gan, make_photos

FLAGS = {"generator": "pix2pix_unet", "z_dim": 2, "pretrained_encoder": False, "learning_rate": 0.1}


def test_a_restored_run_goes_on_bit_for_bit(tmp_path):
    gan = build_tiny_gan()
    gan.train_step(make_photos())
    checkpoints.make_manager(gan, tmp_path).save(checkpoint_number=1)
    gan.train_step(make_photos())

    resumed = build_tiny_gan(seed=1)
    resumed.noise_seed = gan.noise_seed
    assert checkpoints.restore_latest(checkpoints.make_manager(resumed, tmp_path))
    assert int(resumed.step) == 1
    resumed.train_step(make_photos())
    for network in ("generator", "ema_generator", "noise_encoder", "discriminator"):
        for expected, weight in zip(getattr(gan, network).weights, getattr(resumed, network).weights, strict=True):
            np.testing.assert_array_equal(weight, expected, err_msg=f"{network} {expected.path}")


def test_without_a_checkpoint_nothing_is_restored(tmp_path):
    assert not checkpoints.restore_latest(checkpoints.make_manager(build_tiny_gan(), tmp_path))


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    checkpoints.make_manager(build_tiny_gan(adversarial=False), tmp_path).save(checkpoint_number=1)
    with pytest.raises(checkpoints.CheckpointError, match="ckpt-1: can't resume"):
        checkpoints.restore_latest(checkpoints.make_manager(build_tiny_gan(), tmp_path))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    manager = checkpoints.make_manager(build_tiny_gan(), tmp_path)
    data = next((tmp_path / "checkpoints").parent.glob("checkpoints/*.data*"), None)
    assert data is None
    manager.save(checkpoint_number=1)
    data = next((tmp_path / "checkpoints").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(checkpoints.CheckpointError, match="ckpt-1"):
        checkpoints.restore_latest(checkpoints.make_manager(build_tiny_gan(), tmp_path))


def test_networks_are_loaded_by_name(tmp_path):
    gan = build_tiny_gan()
    gan.train_step(make_photos())
    checkpoints.make_manager(gan, tmp_path).save(checkpoint_number=1)
    other = build_tiny_gan(seed=1)
    checkpoints.load_networks(tmp_path, ema_generator=other.generator)
    for expected, weight in zip(gan.ema_generator.weights, other.generator.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_run_without_checkpoint_or_config_is_named(tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match="no checkpoint"):
        checkpoints.load_networks(tmp_path, ema_generator=build_tiny_gan().generator)
    with pytest.raises(checkpoints.CheckpointError, match="config.json"):
        checkpoints.load_generator(tmp_path)


def test_config_records_flags_versions_and_commit_once(tmp_path):
    checkpoints.write_config(tmp_path, FLAGS)
    checkpoints.write_config(tmp_path, FLAGS | {"learning_rate": 0.2})
    config = checkpoints.read_config(tmp_path)
    assert config["flags"] == FLAGS
    assert config["versions"]["keras"].startswith("3.")
    assert set(config) == {"flags", "versions", "python", "git_commit"}
    with pytest.raises(checkpoints.CheckpointError, match="z_dim=2, not 3"):
        checkpoints.write_config(tmp_path, FLAGS | {"z_dim": 3})
    checkpoints.write_config(tmp_path, FLAGS | {"restraint_quantile": 0.0})  # as if a newer version went on
    with pytest.raises(checkpoints.CheckpointError, match="restraint_quantile=0.0, not 0.3"):
        checkpoints.write_config(tmp_path, FLAGS | {"restraint_quantile": 0.3})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"flags": {}}),
        json.dumps({"flags": {"generator": "mobilenet_unet"}}),
        json.dumps({"flags": {"generator": "mobilenet_unet", "z_dim": "8", "pretrained_encoder": True}}),
    ],
)
def test_a_damaged_config_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(checkpoints.CheckpointError, match="config.json"):
        checkpoints.read_config(tmp_path)


def test_networks_are_loaded_from_the_weights_of_a_jax_run(tmp_path):
    """Its averages are called generator there, for it keeps no others."""
    gan, other = build_tiny_gan(), build_tiny_gan(seed=1)
    networks = {"generator": gan.generator, "noise_encoder": gan.noise_encoder}
    weights = {f"{name}/{v.path}": v.numpy() for name, network in networks.items() for v in network.variables}
    run_files.write_weights(tmp_path, weights)
    checkpoints.load_networks(tmp_path, ema_generator=other.generator, noise_encoder=other.noise_encoder)
    for ours, theirs in ((gan.generator, other.generator), (gan.noise_encoder, other.noise_encoder)):
        for expected, weight in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_weights_of_a_jax_run_that_do_not_fit_are_refused(tmp_path, damage):
    gan = build_tiny_gan()
    weights = {f"generator/{v.path}": v.numpy() for v in gan.generator.variables[1:]}
    run_files.write_weights(tmp_path, weights)
    if damage == "cut":
        (tmp_path / "weights.npz").write_bytes((tmp_path / "weights.npz").read_bytes()[:500])
    with pytest.raises(checkpoints.CheckpointError, match=f"^{tmp_path}"):
        checkpoints.load_networks(tmp_path, ema_generator=gan.generator)
