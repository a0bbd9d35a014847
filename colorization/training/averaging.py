"""Means of the weights of several models."""

from collections.abc import Sequence

import keras
import numpy as np

from colorization.models.mobilenet_unet import RESTRAINT
from colorization.training import checkpoints


def average_weights(network: keras.Model, others: Sequence[tuple[str, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """The mean of a network's weights and those of other models, all with equal shares.

    Better than each of them, often, if one was trained on from the other, with other losses or data: "model soups",
    Wortsman et al. 2022 (arXiv:2203.05482).

    Restraint is not averaged but stays the network's own, and the others need not have any: where two runs began to
    learn it by themselves, the mean of their weights knows nothing.

    Args:
      network: which stays as it is.
      others: of each other model its name, for messages, and its weights by the paths of the network's variables.

    Returns:
      float32 weights by these paths.

    Raises:
      ValueError: a model is of another network; the message is one line that names it.
    """
    values = {variable.path: [np.asarray(variable, np.float64)] for variable in network.variables}
    for name, weights in others:
        known = {path: value for path, value in weights.items() if not path.startswith(RESTRAINT)}
        checkpoints.check_weights(network, known, name)
        if missing := {path for path in values.keys() - known.keys() if not path.startswith(RESTRAINT)}:
            raise ValueError(f"{name}: it has no weight {min(missing)}")
        for path, value in known.items():
            values[path].append(value)
    return {path: np.mean(parts, axis=0).astype(np.float32) for path, parts in values.items()}
