"""A model's signatures in TensorFlow, and what happens to a photo before and after them: `processing.py`, compiled.

The only module through which `Colorizer` reaches TensorFlow; `numpy_backend.py` has the same functions without it.
"""

import concurrent.futures
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from colorization import color
from colorization.inference import full_size, graph_check, processing

Signature = Callable[..., dict[str, tf.Tensor]]

to_tensor = tf.constant
shrink_l, recolor = full_size.shrink_l, full_size.recolor


def load_signatures(version_dir: Path) -> Mapping[str, Signature]:
    """Loads a SavedModel and, in the background, prepares what the first photo would wait for.

    Raises:
      graph_check.UnsafeGraphError: the model could do more than compute.
      Exception: of any kind, on damaged files.
    """
    graph_check.check_graph(version_dir)
    background = concurrent.futures.ThreadPoolExecutor(2)  # loading keeps one core busy, the first photo too
    background.submit(full_size.compile_recolor)
    signatures = tf.saved_model.load(str(version_dir)).signatures
    background.submit(_call_once, signatures["sample_ab"])
    background.shutdown(wait=False)
    return signatures


def shrink_reference(rgb: np.ndarray, shape: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Resizes sRGB (H, W, 3) without aliasing: its `l` (1, height, width, 1) and `ab` (1, height, width, 2)."""
    return color.rgb_to_l_ab(processing.shrink_rgb(rgb[np.newaxis], shape))


def _call_once(predict: Callable[..., dict[str, tf.Tensor]]) -> None:
    """Calls a signature with zeros, for TensorFlow prepares it in its first call, whatever the shapes."""
    _, specs = predict.structured_input_signature
    predict(**{name: tf.zeros([size or processing.STRIDE for size in spec.shape]) for name, spec in specs.items()})
