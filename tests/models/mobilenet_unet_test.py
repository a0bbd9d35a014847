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


def test_restraint_is_a_branch_that_touches_nothing_but_red():
    plain, restrained = build_mobilenet_unet(**TINY), build_mobilenet_unet(**TINY, restrained=True)
    randomize_output(plain, "half_ab")
    own = {variable.path: variable for variable in restrained.variables}
    for variable in plain.variables:
        own.pop(variable.path).assign(variable)
    assert own and all(path.startswith("restraint_") for path in own)
    inputs = [
        tf.random.stateless_uniform((1, 96, 64, 1), (0, 1), -1.0, 1.0),
        tf.zeros((1, 3)),
        tf.zeros((1, 96, 64, 3)),
    ]
    half = keras.Model(plain.inputs, plain.get_layer("half_ab").output)(inputs).numpy()
    shift = np.float32([0.5, 0.0]) - half.mean(axis=(0, 1, 2))  # so that all of it is red
    for generator in (plain, restrained):
        generator.get_layer("half_ab").bias.assign_add(shift)
    bias = restrained.get_layer("restraint_sure").bias
    assert np.linalg.norm(plain(inputs), axis=-1).max() > 0.4
    np.testing.assert_allclose(restrained(inputs), plain(inputs), atol=1e-6)  # untrained, it takes all for sure
    bias.assign([0.0])
    assert np.linalg.norm(restrained(inputs), axis=-1).max() <= 0.11 + 1e-3
    for generator in (plain, restrained):
        generator.get_layer("half_ab").bias.assign_add([-1.0, 0.0])  # green
    np.testing.assert_allclose(restrained(inputs), plain(inputs), atol=1e-6)


def test_restrained_is_a_generator():
    generator = build_mobilenet_unet(**TINY, restrained=True)
    for name in ("half_ab", "decoder_2_hint_conv", "restraint_sure"):
        randomize_output(generator, name)
    assert_is_generator(generator, z_dim=3)


def test_output_is_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator = build_mobilenet_unet(**TINY)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert generator.get_layer("decoder_8").compute_dtype == "bfloat16"
    assert generator([tf.zeros((1, 32, 32, 1)), tf.zeros((1, 3)), tf.zeros((1, 32, 32, 3))]).dtype == tf.float32
