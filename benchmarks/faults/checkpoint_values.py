"""What a checkpoint holds, bit for bit."""

from pathlib import Path

import numpy as np


def read_variables(run_dir: Path, step: int) -> dict[str, np.ndarray]:
    """Reads all variables of a run's checkpoint: networks, average, optimizers, step; not the number of saves."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{step}"))
    names = [name for name in reader.get_variable_to_dtype_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names if not name.startswith("save_counter")}


def find_differing(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> list[str]:
    """Names of the variables that differ in any bit, or that only one of the two has."""
    both = first.keys() & second.keys()
    differing = (first.keys() ^ second.keys()) | {
        name for name in both if first[name].tobytes() != second[name].tobytes()
    }
    return sorted(differing)
