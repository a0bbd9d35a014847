"""The look at validation photos agrees with the metrics of `evaluate`."""

import types

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.jax_training import augment
from colorization.jax_training.validation import BATCH_SIZE, Validation
from colorization.training import metrics
from tests.jax_training.tiny_networks import TinyNetworks


def photo_array(num: int) -> types.SimpleNamespace:
    canvases = np.random.default_rng(2).integers(0, 256, (num, 24, 24, 3)).astype(np.uint8)
    return types.SimpleNamespace(canvases=canvases, sizes=np.full((num, 2), (20, 24), np.int32))


def test_values_are_means_of_the_metrics():
    networks, photos = TinyNetworks(bias=(0.2, -0.1)), photo_array(2 * BATCH_SIZE + 5)
    values = Validation(networks, photos, image_size=16).run(*networks.read_weights())
    used = slice(0, 2 * BATCH_SIZE)  # what does not fill a batch is left out
    rgb = np.asarray(augment.crop_centre(jnp.asarray(photos.canvases[used]), photos.sizes[used], size=16))
    l, ab = color.rgb_to_l_ab(rgb)
    fake_ab = tf.broadcast_to(tf.constant([0.2, -0.1]), ab.shape)
    real, fake, grey = (tf.round(255.0 * color.l_ab_to_rgb(l, x)) for x in (ab, fake_ab, tf.zeros_like(ab)))
    for prefix, result in (("", fake), ("grey_", grey)):
        assert values[f"{prefix}psnr"] == pytest.approx(np.mean(metrics.psnr(result, real)), abs=0.01)
        labs = [color.rgb_to_lab(image / 255.0) for image in (real, result)]
        assert values[f"{prefix}ciede2000"] == pytest.approx(np.mean(metrics.ciede2000(*labs)), abs=0.02)
    assert values["colorfulness"] == pytest.approx(np.mean(metrics.colorfulness(fake)), abs=0.05)
    assert values["real_colorfulness"] == pytest.approx(np.mean(metrics.colorfulness(real)), abs=0.05)
    assert len(values) == 6 and values["psnr"] > 5.0


def test_too_few_photos_are_refused():
    with pytest.raises(ValueError, match="31 photos for validation: at least 32 are needed"):
        Validation(TinyNetworks(), photo_array(31), image_size=16)
