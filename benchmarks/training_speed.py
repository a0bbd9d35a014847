"""Images per second of the data pipeline and of both training phases, beside what this machine's convolutions reach.

    python -m benchmarks.training_speed [--data_dir=PHOTOS]

Without --data_dir the pipeline reads smooth synthetic photos of 144 px. Every number is a median. The arithmetic of a
step is counted by TensorFlow's profiler from its graph: convolutions, forward and backward, as they really run.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from absl import flags

from colorization import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of photos for the pipeline; default: synthetic ones.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Side of the crops in pixels.", 32)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Photos per step.", 1)
_NUM_REPEATS = flags.DEFINE_integer("num_repeats", 20, "Timed steps per measurement.", 3)
_NUM_PHOTOS = flags.DEFINE_integer("num_photos", 2000, "Photos that the pipeline reads, at most.", 64)


def median_seconds(call: Callable[[], object], num_repeats: int) -> float:
    """Median duration of `call`, which must wait for its own result, after three untimed calls."""
    for _ in range(3):
        call()
    durations = []
    for _ in range(num_repeats):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def convolution_peak(dtype: str) -> float:
    """Best GFLOP/s of three 3x3 convolutions of this project's kind (batch 32, channels last)."""
    import tensorflow as tf

    best = 0.0
    for side, channels in ((8, 512), (16, 256), (32, 128)):
        image = tf.cast(tf.random.normal((32, side, side, channels)), dtype)
        kernel = tf.cast(tf.random.normal((3, 3, channels, channels)), dtype)
        convolve = tf.function(lambda image, kernel: tf.nn.conv2d(image, kernel, 1, "SAME"))
        seconds = median_seconds(lambda f=convolve, i=image, k=kernel: f(i, k).numpy(), 10)
        best = max(best, 2 * 32 * side * side * channels * channels * 9 / seconds / 1e9)
    return best


def pipeline_rate(folder: Path) -> float:
    """Images per second of the training pipeline alone, after its first pass."""
    from colorization import image_io
    from colorization.data import dataset, sources
    from colorization.data.skip_report import SkipReport

    files = image_io.list_photos([folder], recursive=True)[: _NUM_PHOTOS.value]
    photos = sources.make_file_source(files, max_short_side=2 * _IMAGE_SIZE.value, report=SkipReport("benchmark"))
    batches = iter(
        dataset.make_train_dataset(photos, image_size=_IMAGE_SIZE.value, batch_size=_BATCH_SIZE.value, seed=0)
    )
    return _BATCH_SIZE.value / median_seconds(lambda: [next(batches) for _ in range(8)], _NUM_REPEATS.value) * 8


def write_synthetic_photos(folder: Path, num: int = 500) -> None:
    """Writes smooth random colour photos, 192x144, as JPEG."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for index in range(num):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        coarse.resize((192, 144), Image.Resampling.BICUBIC).save(folder / f"{index}.jpg", quality=85)


def build_gan(*, adversarial: bool):
    """Builds the networks of `flags/train_gan.flags` or `flags/train_generator.flags`, with random weights."""
    import keras

    from colorization import models
    from colorization.training.colorization_gan import ColorizationGAN
    from colorization.training.objective import LossWeights

    weights = (
        LossWeights(chroma_kind="log", saturation=0.0, colorfulness=0.5, adversarial=0.02)
        if adversarial
        else LossWeights(
            chroma_kind="log_rgb", saturation=0.0, colorfulness=2.0, colorfulness_margin=3.0, ciede2000=2.0
        )
    )
    gan = ColorizationGAN(
        generator=models.build_mobilenet_unet(folded=True, frozen_until=5 if adversarial else 2),
        ema_generator=models.build_mobilenet_unet(folded=True),
        noise_encoder=models.build_noise_encoder(),
        discriminator=models.build_patch_gan() if adversarial else None,
        loss_weights=weights,
    )
    gan.compile(
        decoder_optimizer=keras.optimizers.AdamW(1e-4),
        encoder_optimizer=keras.optimizers.AdamW(1e-5),
        discriminator_optimizer=keras.optimizers.Adam(1e-4) if adversarial else None,
        jit_compile=False,
    )
    return gan


def step_rate(*, adversarial: bool) -> tuple[float, float]:
    """Images per second and GFLOP per image of a training step of the shipped recipes on one fixed batch."""
    import tensorflow as tf

    gan = build_gan(adversarial=adversarial)
    shape = (_BATCH_SIZE.value, _IMAGE_SIZE.value, _IMAGE_SIZE.value)
    batch = (tf.random.uniform((*shape, 1), -1, 1), tf.random.uniform((*shape, 2), -0.5, 0.5))
    step = tf.function(gan.train_step).get_concrete_function(batch)
    gflop = convolution_gflop(step.graph) / _BATCH_SIZE.value
    return _BATCH_SIZE.value / median_seconds(lambda: step(batch)["loss"].numpy(), _NUM_REPEATS.value), gflop


def convolution_gflop(graph) -> float:
    """GFLOP of the convolutions, forward and backward, that a step's graph needs for its outputs and assignments."""
    import tensorflow as tf

    v1 = tf.compat.v1
    roots = [tensor.op.name for tensor in graph.outputs] + [op.name for op in graph.control_outputs]
    definition = v1.graph_util.extract_sub_graph(graph.as_graph_def(), roots)  # frozen layers' gradients are not run
    needed = {node.name for node in definition.node if "Conv" in node.op}
    options = v1.profiler.ProfileOptionBuilder.float_operation() | {"output": "none"}
    unvisited, total = [v1.profiler.profile(graph, options=options, cmd="scope")], 0
    while unvisited:
        scope = unvisited.pop()
        unvisited += scope.children
        total += scope.float_ops if scope.name in needed else 0
    return total / 1e9


def main(argv: list[str]) -> None:
    """Prints the table."""
    cli.start_tensorflow("cpu", for_training=True)
    import keras

    peaks = {dtype: convolution_peak(dtype) for dtype in ("bfloat16", "float32")}
    for dtype, peak in peaks.items():
        print(f"convolution peak, {dtype}: {peak:.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as folder:
        if _DATA_DIR.value is None:
            write_synthetic_photos(Path(folder))
        pipeline = pipeline_rate(Path(_DATA_DIR.value or folder))
    print(f"pipeline alone, {_IMAGE_SIZE.value} px: {pipeline:.0f} images/s")
    for policy, dtype in (("mixed_bfloat16", "bfloat16"), ("float32", "float32")):
        keras.mixed_precision.set_global_policy(policy)
        for adversarial in (False, True):
            rate, gflop = step_rate(adversarial=adversarial)
            phase = "adversarial" if adversarial else "warm-up"
            share = 100 * rate * gflop / peaks[dtype]
            print(
                f"{phase} step, {dtype}, batch {_BATCH_SIZE.value}: {rate:.1f} images/s, {gflop:.2f} GFLOP an image, "
                f"{share:.0f} % of the convolution peak; pipeline/step = {pipeline / rate:.1f}"
            )


if __name__ == "__main__":
    cli.run(main)
