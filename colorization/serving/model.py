"""What the front ends know of the model behind them: `ModelBackend`, and the values that it gives and takes."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """One version of the model.

    Attributes:
      version: its number, the name of its folder.
      state: "START", "LOADING", "AVAILABLE", "UNLOADING" or "END", as in TensorFlow Serving's ModelVersionStatus.
      error: why it could not be loaded, one line without paths; empty if all is well.
    """

    version: int
    state: str
    error: str = ""


class ModelBackend(Protocol):
    """The model of one name, of which one version answers at a time: the highest that loads."""

    def version_statuses(self) -> list[VersionStatus]:
        """All versions known, the highest first."""

    def signature_defs(self, version: int | None = None) -> tuple[int, Mapping[str, Any]]:
        """The version that answers, and its signatures.

        Args:
          version: the version asked for; None is the one that answers.

        Returns:
          Its number, and a mapping from names of signatures to `tensorflow.SignatureDef` protos.

        Raises:
          ServingError: NOT_FOUND for a version that is not loaded, UNAVAILABLE while there is none yet.
        """

    async def predict(
        self, inputs: Mapping[str, np.ndarray], *, signature_name: str, version: int | None = None
    ) -> tuple[int, dict[str, np.ndarray]]:
        """Runs a signature; requests that fit together share a batch.

        Args:
          inputs: by the signature's names; strings as object arrays of bytes.
          signature_name: a key of `signature_defs`.
          version: as above.

        Returns:
          The version that answered, and its outputs by name.

        Raises:
          ServingError: NOT_FOUND (version), INVALID_ARGUMENT (signature, names, dtypes, shapes, images),
            RESOURCE_EXHAUSTED (the queue is full), UNAVAILABLE (no model), INTERNAL (its process died over this
            request), DEADLINE_EXCEEDED.
        """
