"""Means of the weights of several models."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from colorization.inference import saved_model
from colorization.training import checkpoints


def average_with_versions(
    networks: Mapping[str, keras.Model], version_dirs: Sequence[str | os.PathLike]
) -> list[dict[str, Any]]:
    """Gives networks the mean of their own weights and those of exported versions, all with equal shares.

    Helps if one was trained on from the other, with other losses or data: "model soups", Wortsman et al. 2022
    (arXiv:2203.05482). What the versions have built in besides weights, as a factor of chroma, is left out.

    Args:
      networks: by their names in `saved_model.read_weights`, "generator" and "noise_encoder".
      version_dirs: folders of single versions.

    Returns:
      The provenance of each version.

    Raises:
      ValueError: a version can't be read or is of other networks; the message is one line that names it. Nothing has
        been changed then.
    """
    means = {}
    for name, network in networks.items():
        sums = {variable.path: np.asarray(variable, np.float64) for variable in network.variables}
        for version_dir in version_dirs:
            weights = saved_model.read_weights(version_dir, name)
            checkpoints.check_weights(network, weights, version_dir)
            if missing := sums.keys() - weights.keys():
                raise ValueError(f"{version_dir}: its {name} has no weight {min(missing)}")
            sums = {path: total + weights[path] for path, total in sums.items()}
        means[name] = {path: (total / (1 + len(version_dirs))).astype(np.float32) for path, total in sums.items()}
    for name, network in networks.items():
        checkpoints.assign_weights(network, means[name], "the mean")
    infos = [json.loads((Path(folder) / saved_model.INFO_PATH).read_text(encoding="utf-8")) for folder in version_dirs]
    return [info.get("provenance", {}) for info in infos]
