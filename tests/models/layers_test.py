"""Layers that the generators share."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.models.layers import (
    DotProductAttention,
    PoolHints,
    ResizeLike,
    ResizeToMultiple,
    Restrain,
    attention_block,
    modulate,
)


@pytest.mark.parametrize(("size", "expected"), [((1, 1), (8, 8)), ((9, 16), (16, 16)), ((24, 17), (24, 24))])
def test_resize_to_multiple_rounds_up(size, expected):
    layer = ResizeToMultiple(8)
    assert layer(tf.zeros((2, *size, 1))).shape == (2, *expected, 1)
    assert layer.compute_output_shape((2, *size, 1)) == (2, *expected, 1)


def test_resize_to_multiple_leaves_fitting_sizes_alone():
    image = tf.random.stateless_uniform((1, 16, 24, 1), (0, 0))
    assert ResizeToMultiple(8)(image) is image


def test_resize_to_multiple_works_on_sizes_unknown_when_traced():
    layer = ResizeToMultiple(8)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 1))])
    ramp = tf.reshape(tf.range(12.0), (1, 1, 12, 1)) * tf.ones((1, 8, 1, 1))
    stretched = traced(ramp)
    assert stretched.shape == (1, 8, 16, 1)
    np.testing.assert_allclose(stretched, layer(ramp), atol=1e-5)
    assert float(stretched[0, 0, 0, 0]) == 0.0 and float(stretched[0, 0, -1, 0]) == 11.0


def test_resize_like_takes_the_size_of_its_reference():
    resized = ResizeLike()(tf.constant([[[[0.0], [1.0]]]]), reference=tf.zeros((1, 2, 4, 3)))
    np.testing.assert_allclose(resized[0, :, :, 0], [[0.0, 0.25, 0.75, 1.0]] * 2)


def test_layers_survive_saving():
    layer = ResizeToMultiple.from_config(ResizeToMultiple(32).get_config())
    assert layer.multiple == 32


def test_zero_noise_leaves_features_exactly_alone_and_other_noise_does_not():
    x, z = keras.Input((4, 4, 6)), keras.Input((3,))
    model = keras.Model([x, z], modulate(x, z, "mood"))
    features = tf.random.stateless_normal((2, 4, 4, 6), (1, 2))
    np.testing.assert_array_equal(model([features, tf.zeros((2, 3))]), features)
    assert float(tf.reduce_max(tf.abs(model([features, tf.ones((2, 3))]) - features))) > 1e-3


def test_pooled_hints_keep_the_colour_of_a_single_pixel_and_average_several():
    hints = np.zeros((1, 4, 8, 3), np.float32)
    hints[0, 1, 2] = (0.5, -0.25, 1.0)
    hints[0, 0, 4:6] = [(0.2, 0.0, 1.0), (0.4, 0.6, 1.0)]
    pooled = PoolHints(4)(hints)
    np.testing.assert_allclose(pooled, [[[[0.5, -0.25, 1.0], [0.3, 0.3, 1.0]]]], atol=1e-6)
    np.testing.assert_array_equal(PoolHints(4)(np.zeros((1, 4, 8, 3), np.float32)), np.zeros((1, 1, 2, 3)))
    assert PoolHints(4).compute_output_shape((None, None, 8, 3)) == (None, None, 2, 3)


def test_attention_of_equal_keys_is_the_mean_of_the_values():
    values = tf.random.stateless_normal((2, 3, 5, 8), (1, 2))
    attended = DotProductAttention(2)(tf.concat([tf.zeros((2, 3, 5, 16)), values], axis=-1))
    mean = tf.reduce_mean(values, axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(attended, tf.broadcast_to(mean, (2, 3, 5, 8)), atol=1e-5)


def test_an_untrained_attention_block_changes_nothing_and_takes_any_size():
    x = keras.Input((None, None, 8))
    model = keras.Model(x, attention_block(x, "block", num_heads=2))
    for shape in ((1, 4, 4, 8), (2, 3, 7, 8)):
        features = tf.random.stateless_normal(shape, (3, 4))
        np.testing.assert_array_equal(model(features), features)


def at_hue(degrees: float, chroma: float) -> tf.Tensor:
    """One pixel of a colour, as `ab` (1, 1, 1, 2)."""
    return tf.constant([[[[chroma * np.cos(np.radians(degrees)), chroma * np.sin(np.radians(degrees))]]]], tf.float32)


@pytest.mark.parametrize("hue", [-30.0, 10.0, 50.0])
def test_red_is_held_back_the_more_the_less_sure_it_is(hue):
    restrain = Restrain()

    def hold_back(chroma, sure):
        return restrain(at_hue(hue, chroma), tf.fill((1, 1, 1, 1), sure))

    # The limits are 0.11 + 0.11^2 / 0.11, 0.11, and 0.11 + 0.33^2 / 0.11, in units of 110.
    np.testing.assert_allclose(hold_back(0.6, 0.11), at_hue(hue, 0.22), atol=1e-5)
    np.testing.assert_allclose(hold_back(0.21, 0.11), at_hue(hue, 0.21), atol=1e-6)
    np.testing.assert_allclose(hold_back(0.6, -2.0), at_hue(hue, 0.11), atol=1e-5)
    np.testing.assert_allclose(hold_back(1.0, 0.33), at_hue(hue, 1.0), atol=1e-6)
    restrain.boldness, restrain.other_boldness = 2.0, 3.0
    np.testing.assert_allclose(hold_back(0.6, 0.055), at_hue(hue, 0.22), atol=1e-5)
    again = Restrain.from_config(restrain.get_config())
    assert (again.boldness, again.other_boldness) == (2.0, 3.0)


def test_what_is_sure_learns_nothing_from_the_restrained_colours():
    ab, sure = at_hue(10.0, 0.6), tf.fill((1, 1, 1, 1), 0.1)
    with tf.GradientTape() as tape:
        tape.watch([ab, sure])
        result = tf.reduce_sum(tf.square(Restrain()(ab, sure) - at_hue(60.0, 0.2)))
    gradients = tape.gradient(result, [ab, sure])
    assert gradients[1] is None and float(tf.norm(gradients[0])) > 0.01


@pytest.mark.parametrize("hue", [80.0, 130.0, -80.0, -110.0])
def test_other_colours_and_grey_are_left_as_they_are(hue):
    sure = tf.zeros((1, 1, 1, 1))
    np.testing.assert_array_equal(Restrain()(at_hue(hue, 0.6), sure), at_hue(hue, 0.6))
    np.testing.assert_array_equal(Restrain()(at_hue(hue, 0.0), sure), np.zeros((1, 1, 1, 2)))
    restrain = Restrain(other_boldness=2.0)
    np.testing.assert_allclose(restrain(at_hue(hue, 0.6), sure + 0.055), at_hue(hue, 0.22), atol=1e-5)
    np.testing.assert_allclose(restrain(at_hue(hue, 0.2), sure + 0.055), at_hue(hue, 0.2), atol=1e-6)


def test_between_red_and_its_neighbours_restraint_fades():
    chroma = [float(tf.norm(Restrain()(at_hue(hue, 0.6), tf.zeros((1, 1, 1, 1))))) for hue in (60.0, 65.0, 72.0)]
    assert Restrain.KNEE < chroma[0] < chroma[1] < chroma[2] < 0.6
