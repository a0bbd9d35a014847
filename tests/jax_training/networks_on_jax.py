"""Run by `networks_test.py` in a process of its own, where Keras computes with JAX: python networks_on_jax.py FOLDER.

Reads inputs.npz; writes weights.npz, all of them, and outputs.npz.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from colorization.jax_training import networks, run_files  # noqa: E402


def main(folder: Path) -> None:
    nets = networks.build_networks(z_dim=3, encoder_weights=None, frozen_until=4, mixed_precision=False)
    trained, fixed = nets.read_weights()
    rng = np.random.default_rng(6)
    # Weights that start at zero would hide others.
    weights = {name: np.asarray(value) for name, value in (trained | fixed).items()}
    weights = {k: v if v.any() else 0.02 * rng.normal(size=v.shape).astype(np.float32) for k, v in weights.items()}
    nets.assign(weights, "here")
    run_files.write_weights(folder, weights)
    trained, fixed = nets.read_weights()
    inputs = dict(np.load(folder / "inputs.npz"))
    l, ab, z, hints = (jnp.asarray(inputs[name]) for name in ("l", "ab", "z", "hints"))
    mean, log_variance = jax.jit(nets.encode)(trained, fixed, l, ab)
    outputs = {"ab": jax.jit(nets.generate)(trained, fixed, l, z, hints), "mean": mean, "log_variance": log_variance}

    def error(trained):
        return jnp.mean(jnp.square(nets.generate(trained, fixed, l, z, hints) - ab))

    gradients = jax.jit(jax.grad(error))(trained)
    outputs |= {f"gradient {name}": value for name, value in gradients.items() if name.startswith("generator/")}
    outputs["encoder_names"] = sorted(nets.encoder_names())
    for name, change in (("missing", None), ("odd", np.zeros((1, 2), np.float32))):
        first = next(iter(weights))
        broken = {k: v for k, v in weights.items() if k != first} | ({} if change is None else {first: change})
        try:
            nets.assign(broken, "elsewhere")
        except ValueError as refusal:
            outputs[name] = str(refusal)
    np.savez(folder / "outputs.npz", **outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
