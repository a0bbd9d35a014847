"""Trains a colorizer on colour photos.

    python -m colorization.train --data_dir=PHOTOS --run_dir=runs/mine --flagfile=flags/train_generator.flags

Run the same command again to go on where it stopped.
"""

import math
from pathlib import Path

from absl import flags

from colorization import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, searched recursively.")
_VAL_DATA_DIR = flags.DEFINE_string("val_data_dir", None, "Folder of validation photos; default: a part of --data_dir.")
_TFDS = flags.DEFINE_string("tfds", None, "TensorFlow Datasets name instead of --data_dir, e.g. imagenette.")
_TFDS_DATA_DIR = flags.DEFINE_string("tfds_data_dir", None, "Where TFDS keeps its data.")
_RECORDS = flags.DEFINE_string("records", None, "Glob of TFRecord shards instead of --data_dir (colorization.prepare).")
_VAL_PERCENT = flags.DEFINE_float("val_percent", 2.0, "Percent of photos for validation.", 0.01, 50.0)
_NUM_VAL_PHOTOS = flags.DEFINE_integer("num_val_photos", 256, "Validation photos to use, at most.", 1)
_CACHE = flags.DEFINE_string("cache", "memory", "Decoded photos: 'memory', 'none', or a file prefix on a fast disk.")

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of this run: config, checkpoints, TensorBoard logs.")
_INIT_RUN_DIR = flags.DEFINE_string("init_run_dir", None, "Run whose averaged generator this one starts from.")
_INIT_MODEL_DIR = flags.DEFINE_string(
    "init_model_dir", None, "Exported model whose generator this run starts from, e.g. saved_models/colorizer."
)
_GENERATOR = flags.DEFINE_enum("generator", "mobilenet_unet", ["mobilenet_unet", "pix2pix_unet"], "Generator.")
_ENCODER_WEIGHTS = flags.DEFINE_string(
    "encoder_weights", "imagenet", "MobileNet v1 weights: 'imagenet', a .weights.h5 file, or 'none'."
)
_FROZEN_UNTIL = flags.DEFINE_integer(
    "frozen_until", 5, "Blocks of a pretrained encoder that don't train: those up to this one.", 0, 12
)
_Z_DIM = flags.DEFINE_integer("z_dim", 8, "Length of the noise vector.", 1, 256)

_IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Side of the training crops in pixels.", 32, 1024)
_MIN_AREA = flags.DEFINE_float("min_area", 0.3, "Smallest part of a photo's area that a crop takes.", 0.01, 1.0)
_AGED_SHARE = flags.DEFINE_float(
    "aged_share", 0.5, "Share of photos whose lightness is aged: faded, blurred, grainy.", 0.0, 1.0
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Photos per step.", 1)
_MAX_STEPS = flags.DEFINE_integer("max_steps", 10_000, "Steps in all; the cosine schedule ends there.", 1)
_MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Stop this call after so many minutes.", 0.0)
_VALIDATION_STEPS = flags.DEFINE_integer("validation_steps", 500, "Steps between validations.", 1)
_CHECKPOINT_STEPS = flags.DEFINE_integer("checkpoint_steps", 500, "Steps between checkpoints.", 1)

_LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Peak AdamW rate of the generator's decoder.", 0.0)
_ENCODER_RATE_FACTOR = flags.DEFINE_float("encoder_rate_factor", 0.05, "The encoder's rate, relative to that.", 0.0)
_DISCRIMINATOR_RATE = flags.DEFINE_float("discriminator_learning_rate", 4e-4, "Adam rate of the discriminator.", 0.0)
_BETA_1 = flags.DEFINE_float("beta_1", 0.9, "Adam's beta_1 of the generator.", 0.0, 1.0)
_WEIGHT_DECAY = flags.DEFINE_float("weight_decay", 1e-4, "AdamW weight decay of the generator.", 0.0)
_CLIP_NORM = flags.DEFINE_float("clip_norm", 10.0, "Largest global gradient norm of a network.", 0.0)
_CHROMA_LOSS = flags.DEFINE_enum("chroma_loss", "huber", ["huber", "l1", "log"], "Chroma loss.")
_SATURATION_WEIGHT = flags.DEFINE_float("saturation_weight", 3.0, "How much more vivid pixels count.", 0.0)
_KL_WEIGHT = flags.DEFINE_float("kl_weight", 0.002, "Weight of the noise encoder's KL loss.", 0.0)
_NOISE_FRACTION = flags.DEFINE_float(
    "noise_fraction", 0.25, "Share of a batch with z from the noise encoder.", 0.0, 1.0
)
_HINT_FRACTION = flags.DEFINE_float("hint_fraction", 0.5, "Share of a batch with colour hints.", 0.0, 1.0)
_RECOLOURED_FRACTION = flags.DEFINE_float(
    "recoloured_fraction", 0.3, "Share of the hinted photos whose hints contradict the true colours.", 0.0, 1.0
)
_CLASSIFICATION_WEIGHT = flags.DEFINE_float(
    "classification_weight", 0.0, "Weight of the joint classification of colour (mobilenet_unet only).", 0.0
)
_PERCEPTUAL_WEIGHT = flags.DEFINE_float(
    "perceptual_weight", 0.0, "Weight of the perceptual loss; see --perceptual_encoder_weights.", 0.0
)
_PERCEPTUAL_WEIGHTS = flags.DEFINE_string(
    "perceptual_encoder_weights", "imagenet", "MobileNet v1 weights of the perceptual loss: as --encoder_weights."
)
_COLORFULNESS_WEIGHT = flags.DEFINE_float(
    "colorfulness_weight", 0.0, "Weight of the difference in mean colorfulness between results and originals.", 0.0
)
_ADVERSARIAL_WEIGHT = flags.DEFINE_float(
    "adversarial_weight", 0.0, "Weight of the adversarial loss; 0 is the warm-up phase without discriminator.", 0.0
)
_EMA_DECAY = flags.DEFINE_float("ema_decay", 0.999, "Decay of the generator's moving average.", 0.0, 1.0)

_SEED = flags.DEFINE_integer("seed", 0, "Seed of weights, order, augmentation and noise.")
_MIXED_PRECISION = flags.DEFINE_enum("mixed_precision", "bfloat16", ["bfloat16", "float32"], "Arithmetic.")
_DEVICE = flags.DEFINE_string("device", "auto", "'auto', 'cpu', or 'gpu:0'.")
_JIT_COMPILE = flags.DEFINE_boolean("jit_compile", False, "Compile the step with XLA (GPU; slower on a CPU).")


def main(argv: list[str]) -> int:
    """Trains until --max_steps, --max_minutes or SIGTERM; returns the exit status."""
    if len(argv) > 1:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; photos come from --data_dir")
    if _RUN_DIR.value is None:
        raise cli.UsageError("--run_dir is missing: the folder for this run")
    if sum(value is not None for value in (_DATA_DIR.value, _TFDS.value, _RECORDS.value)) != 1:
        raise cli.UsageError("give one of --data_dir, --tfds and --records")
    if _INIT_RUN_DIR.value is not None and _INIT_MODEL_DIR.value is not None:
        raise cli.UsageError("give --init_run_dir or --init_model_dir, not both")
    cli.start_tensorflow(_DEVICE.value)
    import keras
    import tensorflow as tf

    from colorization.training import callbacks, checkpoints

    keras.utils.set_random_seed(_SEED.value)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if _MIXED_PRECISION.value == "bfloat16" else "float32")
    run_dir = Path(_RUN_DIR.value)
    try:
        train_photos, val_photos = _make_sources(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        checkpoints.write_config(run_dir, _config_flags())
        gan = _build_gan()
        manager = checkpoints.make_manager(gan, run_dir)
        resumed = checkpoints.restore_latest(manager)
        if not resumed and _INIT_RUN_DIR.value is not None:
            _start_from_run(gan, Path(_INIT_RUN_DIR.value))
        elif not resumed and _INIT_MODEL_DIR.value is not None:
            _start_from_model(gan, _INIT_MODEL_DIR.value)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    try:
        return _fit(gan, manager, train_photos, val_photos, run_dir)
    except (callbacks.NonFiniteLossError, OSError, tf.errors.DataLossError, tf.errors.ResourceExhaustedError) as error:
        raise cli.CommandError(f"{run_dir}: {str(error).splitlines()[0]}") from error


def _make_sources(run_dir: Path):
    """Returns the datasets of training and validation photos."""
    from colorization import image_io
    from colorization.data import sources
    from colorization.data.skip_report import SkipReport

    max_short_side = 2 * _IMAGE_SIZE.value
    report, val_report = SkipReport("training", run_dir / "skipped.csv"), SkipReport("validation")
    if _DATA_DIR.value is not None:
        files = image_io.list_photos([Path(_DATA_DIR.value)], recursive=True)
        if _VAL_DATA_DIR.value is not None:
            val_files = image_io.list_photos([Path(_VAL_DATA_DIR.value)], recursive=True)
        else:
            files, val_files = sources.split_by_hash(Path(_DATA_DIR.value), files, val_percent=_VAL_PERCENT.value)
        for name, found in (("training", files), ("validation", val_files)):
            if not found:
                folder = _VAL_DATA_DIR.value or _DATA_DIR.value if name == "validation" else _DATA_DIR.value
                raise cli.UsageError(f"{folder}: no {name} photos found")
        train = sources.make_file_source(files, max_short_side=max_short_side, report=report, seed=_SEED.value)
        # Every k-th file, so that a sorted list of folders is represented evenly.
        val_files = val_files[:: math.ceil(len(val_files) / _NUM_VAL_PHOTOS.value)]
        return train, sources.make_file_source(val_files, max_short_side=max_short_side, report=val_report)
    if _TFDS.value is not None:
        percent = max(1, round(_VAL_PERCENT.value))
        train, val = (
            sources.make_tfds_source(
                _TFDS.value,
                split=split,
                max_short_side=max_short_side,
                report=split_report,
                data_dir=_TFDS_DATA_DIR.value,
            )
            for split, split_report in ((f"train[{percent}%:]", report), (f"train[:{percent}%]", val_report))
        )
        return train, val.take(_NUM_VAL_PHOTOS.value)
    train = sources.make_record_source(_RECORDS.value, report=report).skip(_NUM_VAL_PHOTOS.value)
    val = sources.make_record_source(_RECORDS.value, report=val_report).take(_NUM_VAL_PHOTOS.value)
    return train, val


def _config_flags() -> dict:
    """All of this command's flags, and whether the encoder's structure is that of a pretrained one."""
    own = flags.FLAGS.get_key_flags_for_module(flags.FLAGS.find_module_defining_flag("run_dir"))
    values = {flag.name: flag.value for flag in own}
    pretrained = _GENERATOR.value == "mobilenet_unet" and _ENCODER_WEIGHTS.value != "none"
    return values | {"pretrained_encoder": pretrained}


def _build_gan():
    """Builds and compiles the networks from the flags."""
    import keras

    from colorization import models
    from colorization.models.encoder import build_mobilenet_encoder
    from colorization.training import checkpoints
    from colorization.training.colorization_gan import ColorizationGAN
    from colorization.training.objective import LossWeights

    config = _config_flags()
    if config["pretrained_encoder"]:
        folded = _INIT_MODEL_DIR.value is not None  # then the encoder's weights come with the rest
        generator = models.build_mobilenet_unet(
            z_dim=_Z_DIM.value,
            encoder_weights=None if folded else _ENCODER_WEIGHTS.value,
            frozen_until=_FROZEN_UNTIL.value,
            folded=folded,
        )
    else:
        generator = models.build_generator(_GENERATOR.value, z_dim=_Z_DIM.value)
    adversarial = _ADVERSARIAL_WEIGHT.value > 0
    loss_weights = LossWeights(
        chroma_kind=_CHROMA_LOSS.value,
        saturation=_SATURATION_WEIGHT.value,
        kl=_KL_WEIGHT.value,
        adversarial=_ADVERSARIAL_WEIGHT.value,
        classification=_CLASSIFICATION_WEIGHT.value,
        perceptual=_PERCEPTUAL_WEIGHT.value,
        colorfulness=_COLORFULNESS_WEIGHT.value,
    )
    perceptual_encoder = None
    if loss_weights.perceptual:
        perceptual_encoder = build_mobilenet_encoder(_PERCEPTUAL_WEIGHTS.value, frozen_until=12)
    gan = ColorizationGAN(
        generator=generator,
        ema_generator=checkpoints.build_generator_like(config),
        noise_encoder=models.build_noise_encoder(z_dim=_Z_DIM.value),
        discriminator=models.build_patch_gan() if adversarial else None,
        perceptual_encoder=perceptual_encoder,
        loss_weights=loss_weights,
        noise_fraction=_NOISE_FRACTION.value,
        hint_fraction=_HINT_FRACTION.value,
        recoloured_fraction=_RECOLOURED_FRACTION.value,
        ema_decay=_EMA_DECAY.value,
        clip_norm=_CLIP_NORM.value,
        seed=_SEED.value,
    )

    def adam(rate: float) -> keras.optimizers.Optimizer:
        warm_up = min(200, _MAX_STEPS.value // 10)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, _MAX_STEPS.value - warm_up, warmup_target=rate, warmup_steps=warm_up
        )
        return keras.optimizers.AdamW(schedule, beta_1=_BETA_1.value, weight_decay=_WEIGHT_DECAY.value)

    gan.compile(
        decoder_optimizer=adam(_LEARNING_RATE.value),
        encoder_optimizer=adam(_LEARNING_RATE.value * _ENCODER_RATE_FACTOR.value),
        discriminator_optimizer=keras.optimizers.Adam(_DISCRIMINATOR_RATE.value, beta_1=0.0) if adversarial else None,
        jit_compile=_JIT_COMPILE.value,
    )
    return gan


def _start_from_model(gan, model_dir: str) -> None:
    """Starts generator, average and noise encoder from an exported model; what that lacks starts anew."""
    from colorization.inference import colorizer, saved_model

    version_dir = colorizer.find_version_dir(model_dir)
    for network, part in ((gan.generator, "generator"), (gan.noise_encoder, "noise_encoder")):
        weights = saved_model.read_weights(version_dir, part)
        variables = {variable.path: variable for variable in network.variables}
        for name, weight in weights.items():
            if name not in variables:
                raise ValueError(f"{version_dir}: the {part} that the flags describe has no weight {name}")
            if (shape := tuple(variables[name].shape)) != weight.shape:
                raise ValueError(f"{version_dir}: its {name} has shape {weight.shape}, the one of the flags {shape}")
        for name, weight in weights.items():
            variables[name].assign(weight)
    gan.ema_generator.set_weights(gan.generator.get_weights())


def _start_from_run(gan, run_dir: Path) -> None:
    """Starts generator, average and noise encoder from another run."""
    from colorization.training import checkpoints

    checkpoints.load_networks(run_dir, ema_generator=gan.ema_generator, noise_encoder=gan.noise_encoder)
    gan.generator.set_weights(gan.ema_generator.get_weights())


def _fit(gan, manager, train_photos, val_photos, run_dir: Path) -> int:
    """Runs the training loop; returns the exit status."""
    from colorization.data import dataset
    from colorization.training import callbacks

    step = int(gan.step)
    if step >= _MAX_STEPS.value:
        print(f"{run_dir}: already at step {step} of --max_steps={_MAX_STEPS.value}")
        return 0
    train = dataset.make_train_dataset(
        train_photos,
        image_size=_IMAGE_SIZE.value,
        batch_size=_BATCH_SIZE.value,
        seed=_SEED.value,
        first_step=step,
        min_area=_MIN_AREA.value,
        aged_share=_AGED_SHARE.value,
        cache=_CACHE.value,
    )
    val = dataset.make_val_dataset(val_photos, image_size=_IMAGE_SIZE.value, batch_size=_BATCH_SIZE.value)
    stops = callbacks.SaveAndStop(
        manager, max_steps=_MAX_STEPS.value, max_minutes=_MAX_MINUTES.value, checkpoint_steps=_CHECKPOINT_STEPS.value
    )
    gan.fit(
        train,
        validation_data=val,
        epochs=math.ceil((_MAX_STEPS.value - step) / _VALIDATION_STEPS.value),
        steps_per_epoch=_VALIDATION_STEPS.value,
        verbose=0,
        callbacks=[
            stops,
            callbacks.ProgressBar(max_steps=_MAX_STEPS.value, batch_size=_BATCH_SIZE.value),
            callbacks.TensorBoardLog(run_dir / "tensorboard", val),
        ],
    )
    end = "stopped by SIGTERM" if stops.terminated else "done" if int(gan.step) >= _MAX_STEPS.value else "time is up"
    print(f"{run_dir}: {end} at step {int(gan.step)} of {_MAX_STEPS.value}")
    return 0


def run() -> None:
    """Entry point of the console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
