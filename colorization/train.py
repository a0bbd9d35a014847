"""Trains a colorizer on colour photos.

    python -m colorization.train --data_dir=PHOTOS --run_dir=runs/mine --flagfile=flags/train_generator.flags

Run the same command again to go on where it stopped.
"""

import math
from pathlib import Path

from absl import flags

from colorization import cli

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, searched recursively.")
VAL_DATA_DIR = flags.DEFINE_string("val_data_dir", None, "Folder of validation photos; default: a part of --data_dir.")
TFDS = flags.DEFINE_string("tfds", None, "TensorFlow Datasets name instead of --data_dir, e.g. imagenette.")
TFDS_DATA_DIR = flags.DEFINE_string("tfds_data_dir", None, "Where TFDS keeps its data.")
RECORDS = flags.DEFINE_string("records", None, "Glob of TFRecord shards instead of --data_dir (colorization.prepare).")
VAL_PERCENT = flags.DEFINE_float("val_percent", 2.0, "Percent of photos for validation.", 0.01, 50.0)
NUM_VAL_PHOTOS = flags.DEFINE_integer("num_val_photos", 256, "Validation photos to use, at most.", 1)
CACHE = flags.DEFINE_string("cache", "memory", "Decoded photos: 'memory', 'none', or a file prefix on a fast disk.")

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of this run: config, checkpoints, TensorBoard logs.")
INIT_RUN_DIR = flags.DEFINE_string("init_run_dir", None, "Run whose averaged generator this one starts from.")
GENERATOR = flags.DEFINE_enum("generator", "mobilenet_unet", ["mobilenet_unet", "pix2pix_unet"], "Generator.")
ENCODER_WEIGHTS = flags.DEFINE_string(
    "encoder_weights", "imagenet", "MobileNet v1 weights: 'imagenet', a .weights.h5 file, or 'none'."
)
FROZEN_UNTIL = flags.DEFINE_integer(
    "frozen_until", 5, "Blocks of a pretrained encoder that don't train: those up to this one.", 0, 12
)
Z_DIM = flags.DEFINE_integer("z_dim", 8, "Length of the noise vector.", 1, 256)

IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Side of the training crops in pixels.", 32, 1024)
MIN_AREA = flags.DEFINE_float("min_area", 0.3, "Smallest part of a photo's area that a crop takes.", 0.01, 1.0)
AGED_SHARE = flags.DEFINE_float(
    "aged_share", 0.5, "Share of photos whose lightness is aged: faded, blurred, grainy.", 0.0, 1.0
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Photos per step.", 1)
MAX_STEPS = flags.DEFINE_integer("max_steps", 10_000, "Steps in all; the cosine schedule ends there.", 1)
MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Stop this call after so many minutes.", 0.0)
VALIDATION_STEPS = flags.DEFINE_integer("validation_steps", 500, "Steps between validations.", 1)
CHECKPOINT_STEPS = flags.DEFINE_integer("checkpoint_steps", 500, "Steps between checkpoints.", 1)

LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Peak AdamW rate of the generator's decoder.", 0.0)
ENCODER_RATE_FACTOR = flags.DEFINE_float("encoder_rate_factor", 0.05, "The encoder's rate, relative to that.", 0.0)
DISCRIMINATOR_RATE = flags.DEFINE_float("discriminator_learning_rate", 4e-4, "Adam rate of the discriminator.", 0.0)
BETA_1 = flags.DEFINE_float("beta_1", 0.9, "Adam's beta_1 of the generator.", 0.0, 1.0)
WEIGHT_DECAY = flags.DEFINE_float("weight_decay", 1e-4, "AdamW weight decay of the generator.", 0.0)
CLIP_NORM = flags.DEFINE_float("clip_norm", 10.0, "Largest global gradient norm of a network.", 0.0)
SATURATION_WEIGHT = flags.DEFINE_float("saturation_weight", 3.0, "How much more vivid pixels count.", 0.0)
KL_WEIGHT = flags.DEFINE_float("kl_weight", 0.002, "Weight of the noise encoder's KL loss.", 0.0)
NOISE_FRACTION = flags.DEFINE_float("noise_fraction", 0.25, "Share of a batch with z from the noise encoder.", 0.0, 1.0)
ADVERSARIAL_WEIGHT = flags.DEFINE_float(
    "adversarial_weight", 0.0, "Weight of the adversarial loss; 0 is the warm-up phase without discriminator.", 0.0
)
EMA_DECAY = flags.DEFINE_float("ema_decay", 0.999, "Decay of the generator's moving average.", 0.0, 1.0)

SEED = flags.DEFINE_integer("seed", 0, "Seed of weights, order, augmentation and noise.")
MIXED_PRECISION = flags.DEFINE_enum("mixed_precision", "bfloat16", ["bfloat16", "float32"], "Arithmetic.")
DEVICE = flags.DEFINE_string("device", "auto", "'auto', 'cpu', or 'gpu:0'.")
JIT_COMPILE = flags.DEFINE_boolean("jit_compile", False, "Compile the step with XLA (GPU; slower on a CPU).")


def main(argv: list[str]) -> int:
    """Trains until --max_steps, --max_minutes or SIGTERM; returns the exit status."""
    if len(argv) > 1:
        raise cli.UsageError(f"{argv[1]}: unexpected argument; photos come from --data_dir")
    if RUN_DIR.value is None:
        raise cli.UsageError("--run_dir is missing: the folder for this run")
    if sum(value is not None for value in (DATA_DIR.value, TFDS.value, RECORDS.value)) != 1:
        raise cli.UsageError("give one of --data_dir, --tfds and --records")
    cli.start_tensorflow(DEVICE.value)
    import keras

    from colorization.training import callbacks, checkpoints

    keras.utils.set_random_seed(SEED.value)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if MIXED_PRECISION.value == "bfloat16" else "float32")
    run_dir = Path(RUN_DIR.value)
    try:
        train_photos, val_photos = _make_sources(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        checkpoints.write_config(run_dir, _config_flags())
        gan = _build_gan()
        manager = checkpoints.make_manager(gan, run_dir)
        resumed = checkpoints.restore_latest(manager)
        if not resumed and INIT_RUN_DIR.value is not None:
            _start_from(gan, Path(INIT_RUN_DIR.value))
        return _fit(gan, manager, train_photos, val_photos, run_dir)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    except callbacks.NonFiniteLossError as error:
        raise cli.CommandError(str(error)) from error


def _make_sources(run_dir: Path):
    """Returns the datasets of training and validation photos."""
    from colorization import image_io
    from colorization.data import sources
    from colorization.data.skip_report import SkipReport

    max_short_side = 2 * IMAGE_SIZE.value
    report, val_report = SkipReport("training", run_dir / "skipped.csv"), SkipReport("validation")
    if DATA_DIR.value is not None:
        files = image_io.list_photos([Path(DATA_DIR.value)], recursive=True)
        if VAL_DATA_DIR.value is not None:
            val_files = image_io.list_photos([Path(VAL_DATA_DIR.value)], recursive=True)
        else:
            files, val_files = sources.split_by_hash(Path(DATA_DIR.value), files, val_percent=VAL_PERCENT.value)
        for name, found in (("training", files), ("validation", val_files)):
            if not found:
                folder = VAL_DATA_DIR.value or DATA_DIR.value if name == "validation" else DATA_DIR.value
                raise cli.UsageError(f"{folder}: no {name} photos found")
        train = sources.make_file_source(files, max_short_side=max_short_side, report=report, seed=SEED.value)
        # Every k-th file, so that a sorted list of folders is represented evenly.
        val_files = val_files[:: math.ceil(len(val_files) / NUM_VAL_PHOTOS.value)]
        return train, sources.make_file_source(val_files, max_short_side=max_short_side, report=val_report)
    if TFDS.value is not None:
        percent = max(1, round(VAL_PERCENT.value))
        train, val = (
            sources.make_tfds_source(
                TFDS.value,
                split=split,
                max_short_side=max_short_side,
                report=split_report,
                data_dir=TFDS_DATA_DIR.value,
            )
            for split, split_report in ((f"train[{percent}%:]", report), (f"train[:{percent}%]", val_report))
        )
        return train, val.take(NUM_VAL_PHOTOS.value)
    train = sources.make_record_source(RECORDS.value, report=report).skip(NUM_VAL_PHOTOS.value)
    val = sources.make_record_source(RECORDS.value, report=val_report).take(NUM_VAL_PHOTOS.value)
    return train, val


def _config_flags() -> dict:
    """All of this command's flags, and whether the encoder's structure is that of a pretrained one."""
    own = flags.FLAGS.get_key_flags_for_module(flags.FLAGS.find_module_defining_flag("run_dir"))
    values = {flag.name: flag.value for flag in own}
    pretrained = GENERATOR.value == "mobilenet_unet" and ENCODER_WEIGHTS.value != "none"
    return values | {"pretrained_encoder": pretrained}


def _build_gan():
    """Builds and compiles the networks from the flags."""
    import keras

    from colorization import models
    from colorization.training import checkpoints
    from colorization.training.colorization_gan import ColorizationGAN

    config = _config_flags()
    if config["pretrained_encoder"]:
        generator = models.build_mobilenet_unet(
            z_dim=Z_DIM.value, encoder_weights=ENCODER_WEIGHTS.value, frozen_until=FROZEN_UNTIL.value
        )
    else:
        generator = models.build_generator(GENERATOR.value, z_dim=Z_DIM.value)
    adversarial = ADVERSARIAL_WEIGHT.value > 0
    gan = ColorizationGAN(
        generator=generator,
        ema_generator=checkpoints.build_generator_like(config),
        noise_encoder=models.build_noise_encoder(z_dim=Z_DIM.value),
        discriminator=models.build_patch_gan() if adversarial else None,
        adversarial_weight=ADVERSARIAL_WEIGHT.value,
        saturation_weight=SATURATION_WEIGHT.value,
        kl_weight=KL_WEIGHT.value,
        noise_fraction=NOISE_FRACTION.value,
        ema_decay=EMA_DECAY.value,
        clip_norm=CLIP_NORM.value,
        seed=SEED.value,
    )

    def adam(rate: float) -> keras.optimizers.Optimizer:
        warm_up = min(200, MAX_STEPS.value // 10)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, MAX_STEPS.value - warm_up, warmup_target=rate, warmup_steps=warm_up
        )
        return keras.optimizers.AdamW(schedule, beta_1=BETA_1.value, weight_decay=WEIGHT_DECAY.value)

    gan.compile(
        decoder_optimizer=adam(LEARNING_RATE.value),
        encoder_optimizer=adam(LEARNING_RATE.value * ENCODER_RATE_FACTOR.value),
        discriminator_optimizer=keras.optimizers.Adam(DISCRIMINATOR_RATE.value, beta_1=0.0) if adversarial else None,
        jit_compile=JIT_COMPILE.value,
    )
    return gan


def _start_from(gan, run_dir: Path) -> None:
    """Starts generator, average and noise encoder from another run."""
    from colorization.training import checkpoints

    checkpoints.load_networks(run_dir, ema_generator=gan.ema_generator, noise_encoder=gan.noise_encoder)
    gan.generator.set_weights(gan.ema_generator.get_weights())


def _fit(gan, manager, train_photos, val_photos, run_dir: Path) -> int:
    """Runs the training loop; returns the exit status."""
    from colorization.data import dataset
    from colorization.training import callbacks

    step = int(gan.step)
    if step >= MAX_STEPS.value:
        print(f"{run_dir}: already at step {step} of --max_steps={MAX_STEPS.value}")
        return 0
    train = dataset.make_train_dataset(
        train_photos,
        image_size=IMAGE_SIZE.value,
        batch_size=BATCH_SIZE.value,
        seed=SEED.value,
        first_step=step,
        min_area=MIN_AREA.value,
        aged_share=AGED_SHARE.value,
        cache=CACHE.value,
    )
    val = dataset.make_val_dataset(val_photos, image_size=IMAGE_SIZE.value, batch_size=BATCH_SIZE.value)
    stops = callbacks.SaveAndStop(
        manager, max_steps=MAX_STEPS.value, max_minutes=MAX_MINUTES.value, checkpoint_steps=CHECKPOINT_STEPS.value
    )
    gan.fit(
        train,
        validation_data=val,
        epochs=math.ceil((MAX_STEPS.value - step) / VALIDATION_STEPS.value),
        steps_per_epoch=VALIDATION_STEPS.value,
        verbose=0,
        callbacks=[
            stops,
            callbacks.ProgressBar(max_steps=MAX_STEPS.value, batch_size=BATCH_SIZE.value),
            callbacks.TensorBoardLog(run_dir / "tensorboard", val),
        ],
    )
    end = "stopped by SIGTERM" if stops.terminated else "done" if int(gan.step) >= MAX_STEPS.value else "time is up"
    print(f"{run_dir}: {end} at step {int(gan.step)} of {MAX_STEPS.value}")
    return 0


def run() -> None:
    """Entry point of the console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
