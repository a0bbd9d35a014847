"""What REST and gRPC both do before a request reaches the model: find what it asks for, in TensorFlow Serving's words.

Clients compare these messages and statuses, so they are the ones of `tensorflow_model_server`.
"""

import json
from collections.abc import Mapping
from typing import Any

from colorization.serving.errors import Code, ServingError
from colorization.serving.model import ModelBackend, VersionStatus

DEFAULT_SIGNATURE = "serving_default"
# What a signature may be for besides prediction, and none of a model that draws is.
OTHER_METHODS = {"classify": "classification", "regress": "regression"}
_MAX_VERSION = 2**63 - 1  # an int64 in the protos
_MAX_QUOTED_CHARACTERS = 100  # messages travel in HTTP headers under gRPC, where 8 KiB is all there is


def quote(text: str) -> str:
    """What a client sent, as part of a message of one line: quoted, escaped and cut to a bounded length."""
    if len(text) > _MAX_QUOTED_CHARACTERS:
        text = text[:_MAX_QUOTED_CHARACTERS] + "..."
    return json.dumps(text)


def parse_version(text: str) -> int | None:
    """Reads the number of a version from a URL; None, the one that answers, for 0.

    OpenVINO's client of this API sends 0 where its user gives none; exports count from 1.

    Raises:
      ServingError: INVALID_ARGUMENT, it is no number of 64 bits.
    """
    if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MAX_VERSION:
        return int(text) or None
    raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {quote(text)[1:-1]} to numeric.")


def unknown_label(label: str) -> ServingError:
    """The error for a version's label, for this server gives none."""
    return ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {quote(label)[1:-1]}")


def wrong_method(method: str) -> ServingError:
    """The error for a call of one of `OTHER_METHODS`."""
    return ServingError(
        Code.INVALID_ARGUMENT,
        f"Expected {OTHER_METHODS[method]} signature method_name to be tensorflow/serving/{method}."
        " Was: tensorflow/serving/predict",
    )


def find_servable(
    backend: ModelBackend, served_name: str, name: str, version: int | None = None
) -> tuple[int, Mapping[str, Any]]:
    """Finds the version that answers a request, and its `SignatureDef`s by name.

    Args:
      backend: the model.
      served_name: the name that it is served under.
      name: the name asked for.
      version: the version asked for; None is the one that answers.

    Raises:
      ServingError: NOT_FOUND, there is no such model or version; UNAVAILABLE, no version is loaded yet.
    """
    shown = quote(name)[1:-1]
    request = f"Latest({shown})" if version is None else f"Specific({shown}, {version})"
    not_found = ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
    if name != served_name:
        raise not_found
    try:
        return backend.signature_defs(version)
    except ServingError as error:
        if error.code is Code.NOT_FOUND:
            raise not_found from error
        raise


def find_signature(signatures: Mapping[str, Any], name: str) -> tuple[str, Any]:
    """Finds a signature, the empty name being that of the default one.

    Returns:
      Its name and its `SignatureDef`.

    Raises:
      ServingError: INVALID_ARGUMENT, there is none of that name.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        raise ServingError(Code.INVALID_ARGUMENT, f"Serving signature name: {quote(name)} not found in signature def")
    return name, signatures[name]


def list_statuses(
    backend: ModelBackend, served_name: str, name: str, version: int | None = None
) -> list[VersionStatus]:
    """Lists the versions of a model, the highest first, or only the one asked for.

    Raises:
      ServingError: NOT_FOUND, there is no such model or version.
    """
    shown = quote(name)[1:-1]
    statuses = backend.version_statuses() if name == served_name else []
    if version is not None:
        statuses = [status for status in statuses if status.version == version]
        if not statuses:
            raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {shown}")
    if not statuses:
        raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {shown}")
    return sorted(statuses, key=lambda status: status.version, reverse=True)
