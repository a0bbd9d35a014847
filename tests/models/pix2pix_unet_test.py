"""The plain U-Net."""

import tensorflow as tf

from colorization.models.pix2pix_unet import build_pix2pix_unet
from tests.models.generator_checks import assert_is_generator


def test_is_a_generator():
    assert_is_generator(build_pix2pix_unet(z_dim=3, base_filters=8, num_stages=5), z_dim=3)


def test_output_is_bounded_by_tanh():
    generator = build_pix2pix_unet(z_dim=3, base_filters=8, num_stages=3)
    layer = generator.get_layer("tanh_ab")
    layer.set_weights([100.0 * weight for weight in layer.get_weights()])
    ab = generator([tf.random.stateless_uniform((1, 32, 32, 1), (0, 0)), tf.ones((1, 3)), tf.zeros((1, 32, 32, 3))])
    assert 0.9 < float(tf.reduce_max(tf.abs(ab))) <= 1.0


def test_filters_double_up_to_eight_times_the_first():
    generator = build_pix2pix_unet(base_filters=8, num_stages=6)
    assert [generator.get_layer(f"down_{i}").filters for i in range(6)] == [8, 16, 32, 64, 64, 64]
    assert [generator.get_layer(f"up_{i}").filters for i in range(5)] == [8, 16, 32, 64, 64]
