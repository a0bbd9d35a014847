"""Trains the generator with JAX on one GPU that holds all photos: millions of crops in minutes, without TensorFlow.

  python -m colorization.train_jax --flagfile=flags/train_jax.flags --data_dir=my_colour_photos --run_dir=runs/jax

The networks and the losses are those of `colorization.train` with --chroma_loss=log_rgb, for the phase without a
discriminator. --run_dir gets config.json, weights.npz (the averaged weights, from which `colorization.export` makes a
model and `colorization.train --init_run_dir` goes on), log.jsonl and skipped.txt. A run can't be resumed: it takes
minutes.

Needs requirements-jax.txt and, for a GPU, JAX's own build for it (pip install "jax[cuda13]").

Exit status: 0 trained; 1 training diverged, or the disk refused it; 2 the call is wrong, for example no photos in
colour are found.
"""

import random
import time
from pathlib import Path

from absl import flags

from colorization import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, searched with subfolders.")
_GROUP_SHARES = flags.DEFINE_list(
    "group_shares", [], "Subfolder=share pairs: how often its photos come. Others come as often as they are many."
)
_VAL_DATA_DIR = flags.DEFINE_string("val_data_dir", None, "Folder of photos that are looked at during training.")
_RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of this run.")
_INIT_RUN_DIR = flags.DEFINE_string("init_run_dir", None, "Run of this command whose weights this one starts from.")
_ENCODER_WEIGHTS = flags.DEFINE_string(
    "encoder_weights", "imagenet", "MobileNet v1 weights: 'imagenet' or a .weights.h5 file; not with --init_run_dir."
)
_FROZEN_UNTIL = flags.DEFINE_integer("frozen_until", 2, "Encoder blocks that don't train: those up to this one.", 0, 12)
_Z_DIM = flags.DEFINE_integer("z_dim", 8, "Length of the noise vector.", 1, 256)

_IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Side of the training crops in pixels; a multiple of 32.", 32)
_VAL_IMAGE_SIZE = flags.DEFINE_integer("val_image_size", 160, "Side of the squares of --val_data_dir; likewise.", 32)
_MAX_SHORT_SIDE = flags.DEFINE_integer("max_short_side", 144, "Pixels to which the short side of photos is shrunk.", 32)
_MIN_AREA = flags.DEFINE_float("min_area", 0.3, "Smallest part of a photo's area that a crop takes.", 0.01, 1.0)
_AGED_SHARE = flags.DEFINE_float("aged_share", 0.25, "Share of a batch whose lightness is aged.", 0.0, 1.0)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 128, "Photos per step.", 1)
_MAX_STEPS = flags.DEFINE_integer("max_steps", 10_000, "Steps in all; the cosine schedule ends there.", 1)
_MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Stop after so many minutes of training.", 0.0)
_LOG_STEPS = flags.DEFINE_integer("log_steps", 100, "Steps between lines of the log.", 1)
_VALIDATION_STEPS = flags.DEFINE_integer(
    "validation_steps", 1000, "Steps between looks at --val_data_dir, and between savings of the weights.", 1
)

_LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Peak AdamW rate of the decoder.", 0.0)
_ENCODER_RATE_FACTOR = flags.DEFINE_float("encoder_rate_factor", 0.25, "The encoder's rate, relative to that.", 0.0)
_WEIGHT_DECAY = flags.DEFINE_float("weight_decay", 0.01, "AdamW weight decay.", 0.0)
_CLIP_NORM = flags.DEFINE_float("clip_norm", 10.0, "Largest global gradient norm.", 0.0)
_EMA_DECAY = flags.DEFINE_float("ema_decay", 0.999, "Decay of the moving average of the weights.", 0.0, 1.0)
_CIEDE2000_WEIGHT = flags.DEFINE_float("ciede2000_weight", 0.0, "Weight of the CIEDE2000 loss.", 0.0)
_COLORFULNESS_WEIGHT = flags.DEFINE_float("colorfulness_weight", 1.0, "Weight of the colorfulness loss.", 0.0)
_COLORFULNESS_MARGIN = flags.DEFINE_float(
    "colorfulness_margin", 0.0, "Difference in mean colorfulness that costs nothing.", 0.0
)
_OVERSHOOT_WEIGHT = flags.DEFINE_float(
    "overshoot_weight", 0.0, "Weight of areas far more vivid than they should be: red blotches.", 0.0
)
_KL_WEIGHT = flags.DEFINE_float("kl_weight", 0.002, "Weight of the noise encoder's KL loss.", 0.0)
_NOISE_FRACTION = flags.DEFINE_float("noise_fraction", 0.1, "Share of a batch with z from the noise encoder.", 0.0, 1.0)
_HINT_FRACTION = flags.DEFINE_float("hint_fraction", 0.2, "Share of a batch with colour hints.", 0.0, 1.0)
_RECOLOURED_FRACTION = flags.DEFINE_float(
    "recoloured_fraction", 0.3, "Share of the hinted photos whose hints contradict the true colours.", 0.0, 1.0
)
_MIXED_PRECISION = flags.DEFINE_enum("mixed_precision", "bfloat16", ["bfloat16", "float32"], "Arithmetic.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of weights, order, augmentation and noise.", 0, 2**32 - 1)


def main(argv: list[str]) -> int:
    """Trains until --max_steps or --max_minutes; returns the exit status."""
    if len(argv) > 1:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; photos come from --data_dir")
    for name, value in (("data_dir", _DATA_DIR.value), ("run_dir", _RUN_DIR.value)):
        if value is None:
            raise cli.UsageError(f"--{name} is missing")
    for name, value in (("image_size", _IMAGE_SIZE.value), ("val_image_size", _VAL_IMAGE_SIZE.value)):
        if value % 32:
            raise cli.UsageError(f"--{name}={value}: must be a multiple of 32")
    shares = cli.parse_shares(_GROUP_SHARES.value)
    cli.start_jax()
    run_dir = Path(_RUN_DIR.value)
    try:
        with cli.write_errors(run_dir):
            run_dir.mkdir(parents=True, exist_ok=True)
            return _train(run_dir, shares)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error


def _train(run_dir: Path, shares: dict[str, float]) -> int:
    """Makes everything and runs it; returns the exit status."""
    import numpy as np

    from colorization.jax_training import networks, photos, run_files, trainer, validation

    # What the user may have got wrong is read first, for the networks take half a minute.
    weights = None if _INIT_RUN_DIR.value is None else run_files.read_weights(Path(_INIT_RUN_DIR.value))
    data = photos.PhotoArray(Path(_DATA_DIR.value), max_short_side=_MAX_SHORT_SIDE.value)
    data.draw(np.random.default_rng(), (1,), shares)  # refuses a wrong name
    val = None
    if _VAL_DATA_DIR.value is not None:
        val = photos.PhotoArray(Path(_VAL_DATA_DIR.value), max_short_side=_VAL_IMAGE_SIZE.value)
    random.seed(_SEED.value)  # Keras draws the seeds of initial weights from it
    nets = networks.build_networks(
        z_dim=_Z_DIM.value,
        encoder_weights=_ENCODER_WEIGHTS.value if weights is None else None,
        frozen_until=_FROZEN_UNTIL.value,
        mixed_precision=_MIXED_PRECISION.value == "bfloat16",
    )
    if weights is not None:
        nets.assign(weights, _INIT_RUN_DIR.value)
    run_files.write_config(run_dir, _config_flags())
    run_files.write_skipped(run_dir, data.skipped)
    print(f"{len(data.sizes)} photos, {len(data.skipped)} files skipped", flush=True)
    rng = np.random.default_rng(_SEED.value)
    run = trainer.Trainer(nets, _make_recipe(), _make_importance(), data.canvases, data.sizes)
    look = None if val is None else validation.Validation(nets, val, image_size=_VAL_IMAGE_SIZE.value)
    start, step = time.monotonic(), 0
    while step < _MAX_STEPS.value:
        num_steps = min(_LOG_STEPS.value, _MAX_STEPS.value - step)
        values = run.run(data.draw(rng, (num_steps, _BATCH_SIZE.value), shares))
        step += num_steps
        minutes = (time.monotonic() - start) / 60.0
        if run.num_bad_steps_in_row >= min(num_steps, trainer.MAX_BAD_STEPS):
            raise cli.CommandError(f"{run_dir}: the loss is not finite at step {step}")
        stops = step == _MAX_STEPS.value or (_MAX_MINUTES.value is not None and minutes >= _MAX_MINUTES.value)
        if stops or step % _VALIDATION_STEPS.value < num_steps:
            run_files.write_weights(run_dir, run.state.averages | run.fixed)
            if look is not None:
                values |= {f"val_{name}": value for name, value in look.run(run.state.averages, run.fixed).items()}
        run_files.append_log(run_dir, {"step": step, "minutes": minutes} | values)
        print(f"step {step}, {minutes:.2f} min: {_describe(values)}", flush=True)
        if stops:
            break
    print(f"{run_dir}: done at step {step} of {_MAX_STEPS.value}")
    return 0


def _make_recipe():
    from colorization.jax_training.trainer import Recipe

    return Recipe(
        image_size=_IMAGE_SIZE.value,
        batch_size=_BATCH_SIZE.value,
        min_area=_MIN_AREA.value,
        aged_share=_AGED_SHARE.value,
        noise_share=_NOISE_FRACTION.value,
        hint_share=_HINT_FRACTION.value,
        recoloured_share=_RECOLOURED_FRACTION.value,
        max_steps=_MAX_STEPS.value,
        warm_up_steps=min(200, _MAX_STEPS.value // 10),
        learning_rate=_LEARNING_RATE.value,
        encoder_rate_factor=_ENCODER_RATE_FACTOR.value,
        weight_decay=_WEIGHT_DECAY.value,
        clip_norm=_CLIP_NORM.value,
        ema_decay=_EMA_DECAY.value,
        seed=_SEED.value,
    )


def _make_importance():
    from colorization.jax_training.trainer import Importance

    return Importance(
        ciede2000=_CIEDE2000_WEIGHT.value,
        colorfulness=_COLORFULNESS_WEIGHT.value,
        colorfulness_margin=_COLORFULNESS_MARGIN.value,
        overshoot=_OVERSHOOT_WEIGHT.value,
        kl=_KL_WEIGHT.value,
    )


def _config_flags() -> dict:
    """All of this command's flags, and those by which `colorization.export` knows the networks."""
    own = flags.FLAGS.get_key_flags_for_module(flags.FLAGS.find_module_defining_flag("run_dir"))
    return {flag.name: flag.value for flag in own} | {"generator": "mobilenet_unet", "pretrained_encoder": True}


def _describe(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def run() -> None:
    """The console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
