"""Files that `convert` made, as a `Colorizer` uses them: found, checked and opened without TensorFlow.

A converted model is

* NAME.tflite, NAME.onnx, or NAME.xml with NAME.bin: the network;
* NAME_encoder with the same suffix: what turns a reference photo into noise, if the model has that (`steer` only);
* NAME.json for .tflite, NAME.onnx.json, NAME.xml.json: what it is (`tflite_metadata.make_info`), and the report;
* NAME.tflite.sha256.json, ...: the checksums of all these.

NAME is colorizer_FLAVOUR_QUANTIZATION_SIZE. A `Colorizer` shrinks each photo to a shape of its own, so SIZE must be
`any`.
"""

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from colorization import checksums
from colorization.inference import runtimes
from colorization.inference.version_files import ModelError, shipped_dirs

_FLAVOURS = ("steer", "chroma")  # that a Colorizer can use, the more able one first


def encoder_path(path: Path) -> Path:
    """Where the noise encoder of a converted model lies."""
    return path.with_stem(f"{path.stem}_encoder")


def info_path(path: Path) -> Path:
    """Where a converted model is described."""
    return path.with_suffix(".json" if path.suffix == ".tflite" else f"{path.suffix}.json")


def manifest_path(path: Path) -> Path:
    """Where the checksums of a converted model lie."""
    return path.with_suffix(f"{path.suffix}.sha256.json")


def find_file(model_dir: str | os.PathLike | None, runtime: str) -> Path:
    """Finds the converted model to load.

    Args:
      model_dir: the file, or a folder with one such file; by default the shipped one.
      runtime: of `runtimes.RUNTIMES`.

    Raises:
      ModelError: there is none, or several.
    """
    suffix = runtimes.suffix_of(runtime)
    bases = shipped_dirs(f"colorizer_{runtime}") if model_dir is None else [Path(model_dir)]
    for base in bases:
        if base.is_file() and base.suffix == suffix:
            return base
        for flavour in _FLAVOURS:
            files = sorted(base.glob(f"colorizer_{flavour}_*_any{suffix}"))
            if len(files) > 1:
                raise ModelError(f"{base}: several models: {', '.join(path.name for path in files)}; name one of them")
            if files:
                return files[0]
    format_name = "tflite" if runtime == "litert" else runtime
    raise ModelError(
        f"{bases[-1]}: no colorizer_steer_..._any{suffix} there; it is made with: python -m colorization.convert "
        f"--format={format_name} --flavour=steer --quantization=float32"
    )


def load(
    model_dir: str | os.PathLike | None, runtime: str, *, num_threads: int | None = None
) -> tuple[dict[str, runtimes.Predict], dict[str, int], Path]:
    """Opens a converted model.

    Args:
      model_dir: as for `find_file`.
      runtime: of `runtimes.RUNTIMES`.
      num_threads: that it may use; by default all.

    Returns:
      Its signatures, as `saved_model.py` names them, for NumPy arrays of one photo; `work_size` and `z_dim`; the file.

    Raises:
      ModelError: it is missing, broken or altered, of another kind, or the runtime is not installed.
    """
    runtimes.check_installed(runtime)
    path = find_file(model_dir, runtime)
    info = _read_info(path)
    predict = runtimes.open_model(path, runtime, num_threads=num_threads)
    if info["flavour"] == "chroma":
        return {"predict_ab": predict}, {"work_size": info["work_size"], "z_dim": 0}, path
    signatures = {"steer_ab": predict, "sample_ab": functools.partial(_predict_without_hints, predict)}
    if encoder_path(path).exists():
        signatures["encode_z"] = runtimes.open_model(encoder_path(path), runtime, num_threads=num_threads)
    return signatures, {"work_size": info["work_size"], "z_dim": info["z_dim"]}, path


def _read_info(path: Path) -> dict[str, Any]:
    """What a converted model says of itself, all its files checked."""
    try:
        if manifest_path(path).exists():
            checksums.verify_manifest(manifest_path(path), path.parent)
        info = json.loads(info_path(path).read_text(encoding="utf-8"))
        if info["flavour"] not in _FLAVOURS or info["image_size"] is not None:
            size = "any size" if info["image_size"] is None else "x".join(map(str, info["image_size"]))
            raise ModelError(
                f"{path}: made for {info['flavour']} and {size}; colorize needs --flavour=steer --image_size=any"
            )
        return info | {key: int(info[key]) for key in ("work_size", "z_dim") if key in info}
    except checksums.ChecksumError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"{info_path(path)}: {error.strerror}; convert writes it beside the model") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ModelError(f"{info_path(path)}: not the description of a converted model") from error


def _predict_without_hints(predict: runtimes.Predict, *, l: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """`sample_ab`, which is `steer_ab` without hints: those add exactly nothing."""
    return predict(l=l, z=z, hints=np.zeros((*l.shape[:3], 3), np.float32))
