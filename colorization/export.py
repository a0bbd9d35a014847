"""Exports a training run's networks as a SavedModel that `colorize`, `evaluate` and TensorFlow Serving load.

  python -m colorization.export --run_dir=runs/gan --export_dir=saved_models/colorizer

The next version number under --export_dir is taken; its folder is printed.

  python -m colorization.export --run_dir=runs/calm --average_with=saved_models/colorizer/2 --export_dir=models

exports the mean of the weights of two or more models: often better than each of them if one was trained on from
the other (Wortsman et al. 2022, arXiv:2203.05482).

Exit status: 0 exported; 1 the disk refused it; 2 the call is wrong, for example --run_dir holds no checkpoint.
"""

import json
import os
from pathlib import Path
from typing import Any

from absl import flags

from colorization import cli

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of the training run.", required=True)
_AVERAGE_WITH = flags.DEFINE_list(
    "average_with", [], "Exported versions whose weights are averaged with the run's, e.g. saved_models/colorizer/2."
)
_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of model versions, made if missing.", required=True)
_WORK_SIZE = flags.DEFINE_integer(
    "work_size",
    256,
    "Shorter side, in pixels, at which the network will see a photo; a multiple of 32.",
    lower_bound=32,
    upper_bound=2048,
)
_SATURATION = flags.DEFINE_float(
    "saturation", 1.0, "Factor built into the model's chroma; colorize --saturation comes on top.", 0.1, 10.0
)
_BLUE_LIMIT = flags.DEFINE_float(
    "blue_limit",
    None,
    "Chroma, in CIE ab units, that blues approach and don't exceed; not limited otherwise.",
    1.0,
    200.0,
)
_SMOOTHING = flags.DEFINE_integer(
    "smoothing",
    0,
    "Radius, in pixels of the work size, within which chroma is smoothed where the photo has no edge; 0 for none.",
    lower_bound=0,
    upper_bound=64,
)
_RESTRAINT_BOLDNESS = flags.DEFINE_float(
    "restraint_boldness",
    1.0,
    "Factor for how much red counts as sure, in a model with restraint: less is more careful.",
    0.0,
    10.0,
)
_OTHER_BOLDNESS = flags.DEFINE_float(
    "other_boldness",
    None,
    "The same for other hues, which are not held back otherwise.",
    0.0,
    10.0,
)


def main(argv: list[str]) -> int:
    """Exports and prints the new version's folder; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; the run goes into --run_dir")
    cli.start_tensorflow("cpu")
    from colorization import models
    from colorization.inference import saved_model
    from colorization.training import checkpoints

    run_dir = Path(_RUN_DIR.value)
    try:
        generator = checkpoints.load_generator(run_dir)
        config = checkpoints.read_config(run_dir)
        noise_encoder = models.build_noise_encoder(z_dim=config["flags"]["z_dim"])
        checkpoints.load_networks(run_dir, noise_encoder=noise_encoder)
        provenance = {"generator": generator.name, "training": _without_folders(config)}
        if _AVERAGE_WITH.value:
            provenance["averaged_with"] = _average({"generator": generator, "noise_encoder": noise_encoder})
        if _RESTRAINT_BOLDNESS.value != 1.0 or _OTHER_BOLDNESS.value is not None:
            provenance["restraint"] = _set_boldness(generator)
        with cli.write_errors(_EXPORT_DIR.value):
            version_dir = saved_model.export_saved_model(
                generator,
                _EXPORT_DIR.value,
                noise_encoder=noise_encoder,
                work_size=_WORK_SIZE.value,
                saturation=_SATURATION.value,
                blue_limit=_BLUE_LIMIT.value,
                smoothing=_SMOOTHING.value,
                provenance=provenance,
            )
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    print(version_dir)
    return 0


def _set_boldness(generator: Any) -> dict[str, float | None]:
    """Sets that of the layer that restrains the colours; returns it for the provenance."""
    from colorization.models.layers import Restrain

    layers = [layer for layer in generator.layers if isinstance(layer, Restrain)]
    if not layers:
        raise cli.UsageError(
            f"{_RUN_DIR.value}: it has no restraint to be bold (--restraint_boldness, --other_boldness)"
        )
    layers[0].boldness, layers[0].other_boldness = _RESTRAINT_BOLDNESS.value, _OTHER_BOLDNESS.value
    return {"boldness": layers[0].boldness, "other_boldness": layers[0].other_boldness}


def _average(networks: dict[str, Any]) -> list[Any]:
    """Gives networks the mean of their weights and those of --average_with; returns the provenance of the latter."""
    from colorization.inference import saved_model
    from colorization.training import averaging, checkpoints

    folders = _AVERAGE_WITH.value
    for name, network in networks.items():  # a folder named twice counts twice
        others = [(folder, saved_model.read_weights(folder, name)) for folder in folders]
        checkpoints.assign_weights(network, averaging.average_weights(network, others), "the mean")
    infos = [json.loads((Path(folder) / saved_model.INFO_PATH).read_text(encoding="utf-8")) for folder in folders]
    return [info.get("provenance", {}) for info in infos]


def _without_folders(config: dict[str, Any]) -> dict[str, Any]:
    """The run's record with paths cut to their last part: a model travels, its trainer's folders stay private."""
    flag_values = {
        name: Path(value).name if isinstance(value, str) and os.sep in value else value
        for name, value in config["flags"].items()
    }
    return config | {"flags": flag_values}


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
