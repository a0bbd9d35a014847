"""What a training step of the shipped recipes takes of a device and of the network between workers.

    python -m benchmarks.training_memory

Prints the bytes of gradients, which workers exchange in each step, and of weights and optimizers, which each device
holds; the arithmetic of a photo; and how much memory one more photo in a batch takes (bfloat16, from the peaks of
processes with a small and a large batch).
"""

import resource
import subprocess
import sys

from absl import flags

from benchmarks import training_speed
from colorization import cli

_PEAK_OF = flags.DEFINE_integer("peak_of", None, "Only trains on batches of so many photos, and prints the peak.", 1)
_ADVERSARIAL = flags.DEFINE_boolean("adversarial", False, "With --peak_of: with discriminator.")
_BATCH_SIZES = (4, 32)
_IMAGE_SIZE = 128


def main(argv: list[str]) -> None:
    """Prints the table, or what one of its processes is to find out."""
    cli.start_tensorflow("cpu")
    import keras
    import tensorflow as tf

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    if _PEAK_OF.value is not None:
        step, batch = _trace(training_speed.build_gan(adversarial=_ADVERSARIAL.value), _PEAK_OF.value)
        for _ in range(2):
            step(batch)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    for adversarial in (False, True):
        gan = training_speed.build_gan(adversarial=adversarial)
        gradients = gan.encoder_variables + gan.decoder_variables
        gradients += gan.discriminator.trainable_variables if adversarial else []
        gradient_bytes = sum(4 * int(tf.size(variable)) for variable in gradients)
        small, large = (_peak_bytes(size, adversarial) for size in _BATCH_SIZES)
        photo_bytes = (large - small) / (_BATCH_SIZES[1] - _BATCH_SIZES[0])
        gflop = training_speed.convolution_gflop(_trace(gan, 1)[0].graph)
        phase = "adversarial" if adversarial else "warm-up"
        held = sum(4 * int(tf.size(variable)) for variable in _all_variables(gan))
        print(
            f"{phase}, {_IMAGE_SIZE} px: gradients {gradient_bytes / 1e6:.1f} MB, "
            f"all variables {held / 1e6:.0f} MB, {gflop:.2f} GFLOP and {photo_bytes / 1e6:.1f} MB a photo"
        )


def _all_variables(gan) -> list:
    networks = [gan.generator, gan.ema_generator, gan.noise_encoder, gan.discriminator]
    optimizers = [gan.decoder_optimizer, gan.encoder_optimizer, gan.discriminator_optimizer]
    return [variable for part in networks + optimizers if part is not None for variable in part.variables]


def _trace(gan, batch_size: int):
    """The step as a function of a batch, and a batch."""
    import tensorflow as tf

    shape = (batch_size, _IMAGE_SIZE, _IMAGE_SIZE)
    batch = (tf.random.uniform((*shape, 1), -1, 1), tf.random.uniform((*shape, 2), -0.5, 0.5))
    return tf.function(gan.train_step).get_concrete_function(batch), batch


def _peak_bytes(batch_size: int, adversarial: bool) -> int:
    command = [sys.executable, "-m", "benchmarks.training_memory", f"--peak_of={batch_size}"]
    command += [f"--adversarial={adversarial}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise cli.CommandError(f"{' '.join(command)}: {done.stderr.strip()}")
    return int(done.stdout)


if __name__ == "__main__":
    cli.run(main)
