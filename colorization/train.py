"""Trains a colorizer on colour photos.

    python -m colorization.train --data_dir=PHOTOS --run_dir=runs/mine --flagfile=flags/train_generator.flags

Run the same command again to go on where it stopped. Several GPUs are used at once; so are several machines, if
TF_CONFIG names them and the same command runs on each: docs/scale.md.
"""

import contextlib
import functools
import math
import os
from pathlib import Path

from absl import flags

from colorization import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of colour photos, searched recursively.")
_GROUP_SHARES = flags.DEFINE_list(
    "group_shares",
    [],
    "Subfolder=share pairs of --data_dir: how often its photos come. Others come as often as they are many.",
)
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
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Photos per step, on all devices together.", 1)
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
_CHROMA_LOSS = flags.DEFINE_enum("chroma_loss", "huber", ["huber", "l1", "log", "log_rgb"], "Chroma loss.")
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
_COLORFULNESS_MARGIN = flags.DEFINE_float(
    "colorfulness_margin", 0.0, "Difference in mean colorfulness that costs nothing.", 0.0
)
_CIEDE2000_WEIGHT = flags.DEFINE_float(
    "ciede2000_weight", 0.0, "Weight of the mean CIEDE2000 difference, in tens, between results and originals.", 0.0
)
_OVERSHOOT_WEIGHT = flags.DEFINE_float(
    "overshoot_weight", 0.0, "Weight of areas far more vivid than they should be: red blotches.", 0.0
)
_UNEVENNESS_WEIGHT = flags.DEFINE_float(
    "unevenness_weight",
    0.0,
    "Weight of near areas of one colour that are painted in several: patches in an object.",
    0.0,
)
_RESTRAINT_QUANTILE = flags.DEFINE_float(
    "restraint_quantile",
    0.0,
    "If not 0, teach the model of --init_model_dir which reds are sure, and hold back the others. Of the true colours, "
    "this share is paler than what counts as sure: more is bolder.",
    0.0,
    0.9,
)
_RESTRAINT_WEIGHT = flags.DEFINE_float(
    "restraint_weight",
    0.0,
    "Weight of what --restraint_quantile teaches, beside the other losses; 0 teaches it alone, and all else stays.",
    0.0,
)
_ADVERSARIAL_WEIGHT = flags.DEFINE_float(
    "adversarial_weight", 0.0, "Weight of the adversarial loss; 0 is the warm-up phase without discriminator.", 0.0
)
_EMA_DECAY = flags.DEFINE_float("ema_decay", 0.999, "Decay of the generator's moving average.", 0.0, 1.0)

_SEED = flags.DEFINE_integer("seed", 0, "Seed of weights, order, augmentation and noise.", 0, 2**32 - 1)
_MIXED_PRECISION = flags.DEFINE_enum("mixed_precision", "bfloat16", ["bfloat16", "float32"], "Arithmetic.")
_DEVICE = flags.DEFINE_string("device", "auto", "'auto', 'cpu', or 'gpu:0'.")
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "auto",
    ["auto", "one_device", "mirrored", "multi_worker", "tpu"],
    "Devices that share each batch: one, all GPUs of this machine, those of all workers in TF_CONFIG, or the TPU that "
    "TPU_NAME names. 'auto' takes what there is.",
)
_NUM_DATA_SHARDS = flags.DEFINE_integer(
    "num_data_shards",
    None,
    "Shards that the photos are dealt into; each worker reads its own. With the same number of shards, any number of "
    "workers sees the same batches. Default: the number of workers (of hosts, on a TPU).",
    1,
)
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
    shares = cli.parse_shares(_GROUP_SHARES.value)
    if shares and _DATA_DIR.value is None:
        raise cli.UsageError("--group_shares is about subfolders of --data_dir, which is not given")
    from colorization.training.cluster import ClusterError, read_cluster

    try:
        cluster = read_cluster(os.environ)
    except ClusterError as error:
        raise cli.UsageError(str(error)) from error
    alone = cluster.num_workers == 1 and not os.environ.get("TPU_NAME")
    cli.start_tensorflow(_DEVICE.value, start_devices=alone, for_training=True)
    from colorization.training import strategies

    try:
        with strategies.lost_workers_named(cluster):
            return _train(strategies.make_strategy(_STRATEGY.value, cluster), cluster)
    except strategies.StrategyError as error:
        raise cli.UsageError(str(error)) from error
    except strategies.WorkerLostError as error:
        raise cli.CommandError(f"{_RUN_DIR.value}: {error}") from error


def _train(strategy, cluster) -> int:
    """Makes everything within the strategy's scope, and runs it; returns the exit status."""
    import keras
    import tensorflow as tf

    from colorization.training import callbacks, checkpoints, gan_builder, strategies

    keras.utils.set_random_seed(_SEED.value)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if _MIXED_PRECISION.value == "bfloat16" else "float32")
    run_dir = Path(_RUN_DIR.value)
    try:
        layout = strategies.Layout(strategy, cluster, batch_size=_BATCH_SIZE.value, num_shards=_NUM_DATA_SHARDS.value)
        if _JIT_COMPILE.value and layout.num_replicas > 1:
            raise cli.UsageError("--jit_compile is for one device; a TPU compiles without it")
        make_train_photos, val_photos = _open_sources(run_dir, layout)
        run_dir.mkdir(parents=True, exist_ok=True)
        checkpoints.write_config(run_dir, _config_flags(), is_chief=cluster.is_chief)
        with strategy.scope():
            gan = gan_builder.build_gan(_config_flags())
            manager = checkpoints.make_manager(gan, run_dir, is_chief=cluster.is_chief)
            resumed = checkpoints.restore_latest(manager)
            if not resumed and _INIT_RUN_DIR.value is not None:
                _start_from_run(gan, Path(_INIT_RUN_DIR.value))
            elif not resumed and _INIT_MODEL_DIR.value is not None:
                _start_from_model(gan, _INIT_MODEL_DIR.value)
        layout.check_same_step(gan.steps_done)
    except (ValueError, OSError) as error:
        raise cli.UsageError(str(error)) from error
    try:
        with cli.write_errors(run_dir):
            return _fit(gan, manager, layout, make_train_photos, val_photos, run_dir)
    except (callbacks.NonFiniteLossError, tf.errors.DataLossError) as error:
        raise cli.CommandError(f"{run_dir}: {str(error).splitlines()[0]}") from error


def _open_sources(run_dir: Path, layout):
    """Returns a function that makes the dataset of a shard's training photos, and the dataset of validation photos."""
    from colorization.data import training_sources

    settings = {"num_shards": layout.num_shards, "num_val_photos": _NUM_VAL_PHOTOS.value, "report_dir": run_dir}
    if _RECORDS.value is not None:
        return training_sources.open_records(_RECORDS.value, in_python=not layout.is_tpu, **settings)
    if layout.is_tpu:
        raise cli.UsageError("a TPU reads --records only: its hosts run no Python (colorization.prepare writes them)")
    settings |= {"val_percent": _VAL_PERCENT.value, "max_short_side": 2 * _IMAGE_SIZE.value}
    if _TFDS.value is not None:
        return training_sources.open_tfds(_TFDS.value, _TFDS_DATA_DIR.value, **settings)
    val_data_dir = None if _VAL_DATA_DIR.value is None else Path(_VAL_DATA_DIR.value)
    settings |= {"seed": _SEED.value, "group_shares": cli.parse_shares(_GROUP_SHARES.value)}
    return training_sources.open_folder(Path(_DATA_DIR.value), val_data_dir, **settings)


def _config_flags() -> dict:
    """All of this command's flags, and whether the encoder's structure is that of a pretrained one."""
    own = flags.FLAGS.get_key_flags_for_module(flags.FLAGS.find_module_defining_flag("run_dir"))
    values = {flag.name: flag.value for flag in own}
    pretrained = _GENERATOR.value == "mobilenet_unet" and _ENCODER_WEIGHTS.value != "none"
    return values | {"pretrained_encoder": pretrained}


def _start_from_model(gan, model_dir: str) -> None:
    """Starts generator, average and noise encoder from an exported model; what that lacks starts anew."""
    from colorization.inference import colorizer, saved_model
    from colorization.models.mobilenet_unet import RESTRAINT
    from colorization.training import checkpoints

    version_dir = colorizer.find_version_dir(model_dir)
    for network, part in ((gan.generator, "generator"), (gan.noise_encoder, "noise_encoder")):
        weights = saved_model.read_weights(version_dir, part)
        own = {variable.path for variable in network.variables}
        # A restraint knows the weights that it was taught with: when they are to change, it is left out.
        weights = {path: value for path, value in weights.items() if path in own or not path.startswith(RESTRAINT)}
        checkpoints.assign_weights(network, weights, version_dir)
    gan.ema_generator.set_weights(gan.generator.get_weights())


def _start_from_run(gan, run_dir: Path) -> None:
    """Starts generator, average and noise encoder from another run."""
    from colorization.training import checkpoints

    checkpoints.load_networks(run_dir, ema_generator=gan.ema_generator, noise_encoder=gan.noise_encoder)
    gan.generator.set_weights(gan.ema_generator.get_weights())


def _fit(gan, manager, layout, make_train_photos, val_photos, run_dir: Path) -> int:
    """Runs the training loop; returns the exit status."""
    from colorization.data import dataset
    from colorization.training import callbacks, strategies

    step = gan.steps_done
    if step >= _MAX_STEPS.value:
        print(f"{run_dir}: already at step {step} of --max_steps={_MAX_STEPS.value}")
        return 0

    def make_batches(worker: int, num_workers: int):
        return dataset.make_sharded_train_dataset(
            make_train_photos,
            shards=layout.shards_of(worker, num_workers),
            num_shards=layout.num_shards,
            image_size=_IMAGE_SIZE.value,
            batch_size=_BATCH_SIZE.value,
            seed=_SEED.value,
            first_step=step,
            min_area=_MIN_AREA.value,
            aged_share=_AGED_SHARE.value,
            cache=_CACHE.value,
        )

    val = dataset.make_val_dataset(val_photos, image_size=_IMAGE_SIZE.value, batch_size=_BATCH_SIZE.value)
    if not int(val.cardinality()):
        raise cli.CommandError("of the photos for validation none can be used; give others with --val_data_dir")
    val_batches, val_steps = val, None
    if layout.is_distributed:
        val_size, val_steps = layout.plan_validation(sum(len(l) for l, _ in val))
        split = functools.partial(dataset.split_val_batches, val, batch_size=val_size)
        val_batches = layout.distribute(split, val_size)
    stops = callbacks.SaveAndStop(
        manager,
        max_steps=_MAX_STEPS.value,
        max_minutes=_MAX_MINUTES.value,
        checkpoint_steps=_CHECKPOINT_STEPS.value,
        agree=layout.agree,
    )
    bar = callbacks.ProgressBar(max_steps=_MAX_STEPS.value, batch_size=_BATCH_SIZE.value)
    shown = [bar, callbacks.TensorBoardLog(run_dir / "tensorboard", val)] if layout.is_chief else []
    with contextlib.closing(bar), strategies.lost_workers_named(layout.cluster):
        gan.fit(
            layout.distribute(make_batches),
            epochs=math.ceil((_MAX_STEPS.value - step) / _VALIDATION_STEPS.value),
            steps_per_epoch=_VALIDATION_STEPS.value,
            verbose=0,
            callbacks=[stops, *shown],
            validation_data=val_batches,
            validation_steps=val_steps,
        )
    if gan.steps_done == step and not stops.terminated:
        raise cli.CommandError(f"of the photos for training none can be used: see {run_dir / 'skipped.csv'}")
    end = "stopped by SIGTERM" if stops.terminated else "done" if gan.steps_done >= _MAX_STEPS.value else "time is up"
    end = f"{run_dir}: {end} at step {gan.steps_done} of {_MAX_STEPS.value}"
    if stops.terminated and layout.num_workers > 1:
        raise cli.CommandError(f"{end}; start all workers again to go on")  # a supervisor shall not take this for done
    print(end)
    return 0


def run() -> None:
    """Entry point of the console script."""
    cli.run(main)


if __name__ == "__main__":
    run()
