"""Means of the weights of several models."""

from collections.abc import Sequence

import keras
import numpy as np

from colorization.training import checkpoints


def average_weights(network: keras.Model, others: Sequence[tuple[str, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """The mean of a network's weights and those of other models, all with equal shares.

    Better than each of them, often, if one was trained on from the other, with other losses or data: "model soups",
    Wortsman et al. 2022 (arXiv:2203.05482).

    Args:
      network: which stays as it is.
      others: of each other model its name, for messages, and its weights by the paths of the network's variables.

    Returns:
      float32 weights by these paths.

    Raises:
      ValueError: a model is of another network; the message is one line that names it.
    """
    sums = {variable.path: np.asarray(variable, np.float64) for variable in network.variables}
    for name, weights in others:
        checkpoints.check_weights(network, weights, name)
        if missing := sums.keys() - weights.keys():
            raise ValueError(f"{name}: it has no weight {min(missing)}")
        sums = {path: total + weights[path] for path, total in sums.items()}
    return {path: (total / (1 + len(others))).astype(np.float32) for path, total in sums.items()}
