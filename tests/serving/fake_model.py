"""A `ModelBackend` whose answers are plain to see, with the signatures of a real model."""

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

from colorization.serving.errors import Code, ServingError
from colorization.serving.model import VersionStatus

NAME = "colorizer"


def read_signatures(version_dir):
    """The `SignatureDef`s of an exported model, by name."""
    saved_model = saved_model_pb2.SavedModel.FromString((version_dir / "saved_model.pb").read_bytes())
    signatures = dict(saved_model.meta_graphs[0].signature_def)
    del signatures["__saved_model_init_op"]
    return signatures


class FakeModel:
    """Version 3 is broken and version 2 answers: images reversed, pixels inverted, ab = (l, -l), z = (mean l, -1)."""

    def __init__(self, signatures):
        self.signatures = signatures
        self.error = None  # raised by every prediction
        self.requests = []  # (inputs, signature name, version) of every prediction

    def version_statuses(self):
        return [VersionStatus(3, "END", "not a SavedModel"), VersionStatus(2, "AVAILABLE"), VersionStatus(1, "END")]

    def signature_defs(self, version=None):
        if version not in (None, 2):
            raise ServingError(Code.NOT_FOUND, f"no version {version} here")
        return 2, self.signatures

    async def predict(self, inputs, *, signature_name, version=None):
        self.requests.append((inputs, signature_name, version))
        if self.error is not None:
            raise self.error
        if signature_name == "serving_default":
            reversed_bytes = [data[::-1] for data in inputs["image_bytes"]]
            answer = {"image_bytes": np.array([*reversed_bytes, None], object)[:-1]}
        elif signature_name == "colorize":
            answer = {"rgb": 255 - inputs["rgb"]}
        elif signature_name == "encode_z":
            answer = {"z": np.stack([inputs["l"].mean((1, 2, 3)), np.full(len(inputs["l"]), -1, np.float32)], axis=1)}
        else:
            answer = {"ab": np.concatenate([inputs["l"], -inputs["l"]], axis=-1)}
        return 2, answer
