"""Checkpoints of a training run, and the record of what made them.

A run folder holds `config.json` (flags, library versions, git commit), `checkpoints/` (TensorFlow checkpoints with
both networks, the moving average, the noise encoder, the optimizers and the step, each with checksums beside it),
`skipped.csv` and `tensorboard/`.
The step is also the position in the data and in every random stream: both are functions of seed and step.
"""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from colorization import models, provenance
from colorization.jax_training import run_files
from colorization.training.checkpoint_files import CheckedManager, CheckpointError, ReadOnlyManager, find_latest
from colorization.training.colorization_gan import ColorizationGAN

CONFIG_NAME = "config.json"
# What TensorFlow raises for a checkpoint that is damaged or of other networks.
RESTORE_ERRORS = (AssertionError, ValueError, IndexError, tf.errors.OpError)
# What the flags of runs lack that are older than restraint.
_RESTRAINT_UNKNOWN = {"restraint_quantile": 0.0, "restraint_weight": 0.0}
LIBRARIES = ("tensorflow", "keras", "numpy", "pillow", "tensorflow-io", "tensorflow-datasets", "absl-py")


def make_manager(
    gan: ColorizationGAN, run_dir: Path, *, num_kept: int = 3, is_chief: bool = True
) -> CheckedManager | ReadOnlyManager:
    """Makes the manager that saves and restores everything a run needs to go on as if it had not stopped.

    Args:
      gan: compiled, so that its optimizers have their variables.
      run_dir: the run's folder.
      num_kept: checkpoints to keep.
      is_chief: whether this process saves; another worker only restores.

    Raises:
      CheckpointError: the run has checkpoints, and all are damaged.
    """
    parts = {
        "generator": gan.generator,
        "ema_generator": gan.ema_generator,
        "noise_encoder": gan.noise_encoder,
        "decoder_optimizer": gan.decoder_optimizer,
        "encoder_optimizer": gan.encoder_optimizer,
        "step": gan.step,
        "num_bad_steps_in_row": gan.num_bad_steps_in_row,
    }
    if gan.discriminator is not None:
        parts |= {"discriminator": gan.discriminator, "discriminator_optimizer": gan.discriminator_optimizer}
    if gan.classifier is not None:
        parts["classifier"] = gan.classifier
    checkpoint = tf.train.Checkpoint(**parts)
    if not is_chief:
        return ReadOnlyManager(checkpoint, run_dir / "checkpoints")
    return CheckedManager(checkpoint, run_dir / "checkpoints", num_kept=num_kept)


def restore_latest(manager: CheckedManager | ReadOnlyManager) -> bool:
    """Restores the newest checkpoint that is whole, as `checkpoint_files` finds it, into the manager's objects.

    Returns:
      False if there is none.

    Raises:
      CheckpointError: if it can't be read or doesn't hold exactly these networks.
    """
    path = manager.latest_checkpoint
    if path is None:
        return False
    try:
        manager.checkpoint.restore(path).assert_consumed()
    except RESTORE_ERRORS as error:
        raise CheckpointError(f"{path}: can't resume from this checkpoint: {_first_line(error)}") from error
    return True


def write_config(run_dir: Path, flags: dict[str, Any], *, is_chief: bool = True) -> None:
    """Writes what made this run, once: a resumed run keeps its first record.

    Args:
      run_dir: the run's folder.
      flags: of the command.
      is_chief: whether this process writes; another worker only compares.

    Raises:
      CheckpointError: if the folder belongs to a run of another network.
    """
    path = run_dir / CONFIG_NAME
    if path.exists():
        old, new = (_RESTRAINT_UNKNOWN | known for known in (read_config(run_dir)["flags"], flags))
        for name in ("generator", "z_dim", "pretrained_encoder", *_RESTRAINT_UNKNOWN):
            if old.get(name) != new.get(name):
                raise CheckpointError(f"{path}: this run was started with {name}={old.get(name)}, not {new.get(name)}")
        return
    if not is_chief:
        return
    config = {"flags": flags} | provenance.describe_software(LIBRARIES)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def read_config(run_dir: Path) -> dict[str, Any]:
    """Reads `config.json` of a run.

    Raises:
      CheckpointError: if it is missing or damaged.
    """
    path = Path(run_dir) / CONFIG_NAME
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in (("generator", str), ("z_dim", int), ("pretrained_encoder", bool)):
            if not isinstance(config["flags"][name], kind):
                raise ValueError(f"{name} is {config['flags'][name]!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: not the config of a training run: {_first_line(error)}") from error
    return config


def load_generator(run_dir: Path) -> keras.Model:
    """Loads the averaged generator of a run's newest checkpoint that is whole.

    Args:
      run_dir: folder that `python -m colorization.train` wrote.

    Returns:
      Generator with inputs [l, z] and output ab, in float32.

    Raises:
      CheckpointError: if the run has no checkpoint or it doesn't fit.
    """
    generator = build_generator_like(read_config(run_dir)["flags"])
    load_networks(run_dir, ema_generator=generator)
    return generator


def load_networks(run_dir: Path, **networks: keras.Model) -> None:
    """Restores networks by their names in the checkpoint (`generator`, `ema_generator`, `noise_encoder`, ...).

    They come from the newest one that is whole, as `checkpoint_files` finds it. A run of `colorization.train_jax` has
    none, but the averaged weights of generator and noise encoder in a file.

    Raises:
      CheckpointError: if the run has no checkpoint or a network doesn't fit.
    """
    path = find_latest(Path(run_dir) / "checkpoints")
    if path is None and run_files.has_weights(Path(run_dir)):
        _load_from_jax_run(Path(run_dir), networks)
        return
    if path is None:
        raise CheckpointError(f"{run_dir}: no checkpoint in its checkpoints folder")
    try:
        status = tf.train.Checkpoint(**networks).restore(str(path))
        status.expect_partial().assert_existing_objects_matched()
    except RESTORE_ERRORS as error:
        raise CheckpointError(f"{path}: can't be restored: {_first_line(error)}") from error


def assign_weights(network: keras.Model, weights: dict[str, np.ndarray], source: object) -> None:
    """Assigns weights by name, to all replicas; a network that lacks one, or has it in another shape, stays as it is.

    Args:
      network: which has these weights, perhaps among others.
      weights: by the paths of the network's variables.
      source: where they come from, for the message.

    Raises:
      ValueError: if they don't fit.
    """
    check_weights(network, weights, source)
    variables = {variable.path: variable for variable in network.variables}
    for name, weight in weights.items():
        variables[name].assign(weight)


def check_weights(network: keras.Model, weights: dict[str, np.ndarray], source: object) -> None:
    """Raises the ValueError of `assign_weights` if they don't fit."""
    variables = {variable.path: variable for variable in network.variables}
    for name, weight in weights.items():
        if name not in variables:
            raise ValueError(f"{source}: the network that the flags describe has no weight {name}")
        if (shape := tuple(variables[name].shape)) != weight.shape:
            raise ValueError(f"{source}: its {name} has shape {weight.shape}, the one of the flags {shape}")


def _load_from_jax_run(run_dir: Path, networks: dict[str, keras.Model]) -> None:
    """Assigns a run's weights.npz, whose names begin with the network's, to networks by their names in a checkpoint."""
    try:
        weights = run_files.read_weights(run_dir)
        for name, network in networks.items():
            prefix = f"{name.removeprefix('ema_')}/"
            own = {path.removeprefix(prefix): value for path, value in weights.items() if path.startswith(prefix)}
            if missing := {variable.path for variable in network.variables} - own.keys():
                raise ValueError(f"{run_dir}: its weights lack the {name}'s {min(missing)}")
            assign_weights(network, own, run_dir)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def build_generator_like(flags: dict[str, Any]) -> keras.Model:
    """Builds the generator that a run's flags describe, with random weights."""
    if flags["generator"] == "mobilenet_unet" and flags["pretrained_encoder"]:
        restrained = (_RESTRAINT_UNKNOWN | flags)["restraint_quantile"] > 0
        return models.build_mobilenet_unet(z_dim=flags["z_dim"], folded=True, restrained=restrained)
    return models.build_generator(flags["generator"], z_dim=flags["z_dim"])


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
