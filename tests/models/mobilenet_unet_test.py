"""The U-Net on an ImageNet encoder."""

import keras
import numpy as np
import tensorflow as tf

from colorization.models.mobilenet_unet import build_mobilenet_unet
from tests.models.generator_checks import assert_is_generator, randomize_output

TINY = {"alpha": 0.25, "decoder_filters": (16, 12, 8, 4), "z_dim": 3}


def test_is_a_generator():
    generator = build_mobilenet_unet(**TINY)
    for name in ("half_ab", "decoder_2_hint_conv"):
        randomize_output(generator, name)
    assert_is_generator(generator, z_dim=3)


def test_starts_grey():
    ab = build_mobilenet_unet(**TINY)(
        [tf.random.stateless_uniform((1, 64, 64, 1), (0, 0)), tf.ones((1, 3)), tf.ones((1, 64, 64, 3))]
    )
    np.testing.assert_array_equal(ab, np.zeros((1, 64, 64, 2)))


def test_chroma_is_predicted_at_half_resolution():
    generator = build_mobilenet_unet(**TINY)
    half = keras.Model(generator.inputs, generator.get_layer("half_ab").output)
    assert half([tf.zeros((1, 64, 96, 1)), tf.zeros((1, 3)), tf.zeros((1, 64, 96, 3))]).shape == (1, 32, 48, 2)


def test_shipped_size_stays_below_six_million_parameters():
    assert build_mobilenet_unet(folded=True).count_params() == 5_323_778


def test_output_is_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator = build_mobilenet_unet(**TINY)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert generator.get_layer("decoder_8").compute_dtype == "bfloat16"
    assert generator([tf.zeros((1, 32, 32, 1)), tf.zeros((1, 3)), tf.zeros((1, 32, 32, 3))]).dtype == tf.float32
