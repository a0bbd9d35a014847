"""Losses against values worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.training import losses, metrics


def chroma(*pixels: tuple[float, float]) -> tf.Tensor:
    """One photo of one row, from ab in CIE units."""
    return tf.constant([[pixels]], tf.float32) / 110.0


def test_chroma_loss_is_quadratic_below_20_ab_units_and_linear_above():
    for error, expected in [(0.0, 0.0), (10.0, 0.125), (20.0, 0.5), (60.0, 2.5)]:
        loss = losses.chroma_loss(chroma((0, 0)), chroma((error, 0)), saturation_weight=0.0)
        assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_chroma_loss_adds_a_and_b():
    loss = losses.chroma_loss(chroma((0, 0)), chroma((10, -20)), saturation_weight=0.0)
    assert float(loss) == pytest.approx(0.625, abs=1e-5)


def test_vivid_pixels_weigh_more():
    real = chroma((0, 0), (0, 110))  # weights 1 and 1 + 3
    grey_wrong = losses.chroma_loss(real, chroma((20, 0), (0, 110)), saturation_weight=3.0)
    vivid_wrong = losses.chroma_loss(real, chroma((0, 0), (20, 110)), saturation_weight=3.0)
    assert float(grey_wrong) == pytest.approx(0.5 * 1 / 5, abs=1e-5)
    assert float(vivid_wrong) == pytest.approx(0.5 * 4 / 5, abs=1e-5)


def test_l1_chroma_loss_is_linear_everywhere():
    for error in (0.0, 10.0, 60.0):
        loss = losses.chroma_loss(chroma((0, 0)), chroma((error, 0)), saturation_weight=0.0, kind="l1")
        assert float(loss) == pytest.approx(error / 20.0, abs=1e-5)


def test_log_chroma_loss_takes_the_mean_square_of_each_photo_and_then_the_logarithm():
    real = tf.zeros((2, 1, 2, 2))
    fake = tf.concat([chroma((30, 40), (0, 0)), chroma((5, 0), (0, 5))], axis=0)
    # Mean squares: 2500 / 2 and 25, over 5^2: 50 and 1.
    expected = 0.5 * (math.log(51) + math.log(2)) / 2
    assert float(losses.chroma_loss(real, fake, saturation_weight=0.0, kind="log")) == pytest.approx(expected, rel=1e-5)


def test_rgb_loss_takes_the_mean_square_of_each_photo_and_then_the_logarithm():
    real = tf.zeros((2, 1, 2, 3))
    fake = tf.concat([tf.fill((1, 1, 2, 3), 0.2), tf.constant([[[[0.06, 0.0, 0.0], [0.0, 0.0, 0.0]]]])], axis=0)
    # Mean squares: 0.04 and 0.06^2 / 6, over 0.02^2: 100 and 1.5.
    expected = 0.5 * (math.log(101) + math.log(2.5)) / 2
    assert float(losses.rgb_loss(real, fake)) == pytest.approx(expected, rel=1e-5)


def test_classification_loss_is_low_for_the_class_of_the_mean_colour_only():
    real = tf.concat(
        [tf.zeros((1, 2, 2, 1)), tf.fill((1, 2, 2, 1), 25.0 / 110.0)], axis=-1
    )  # a = 0, b = 25: squares 11, 13
    right = tf.one_hot(tf.fill((1, 1, 1), 11 * 22 + 13), losses.NUM_AB_CLASSES) * 20.0
    assert float(losses.classification_loss(real, right, saturation_weight=3.0)) == pytest.approx(0.0, abs=1e-5)
    even = losses.classification_loss(real, tf.zeros_like(right), saturation_weight=3.0)
    assert float(even) == pytest.approx(math.log(484), rel=1e-5)


def test_perceptual_loss_is_relative_to_the_size_of_the_features():
    real = [tf.fill((1, 2, 2, 3), 2.0), tf.fill((1, 1, 1, 4), -10.0)]
    assert float(losses.perceptual_loss(real, real)) == 0.0
    fake = [tf.fill((1, 2, 2, 3), 3.0), tf.fill((1, 1, 1, 4), -5.0)]
    assert float(losses.perceptual_loss(real, fake)) == pytest.approx(0.5, rel=1e-5)


def test_ciede2000_loss_is_the_mean_difference_in_tens():
    l = tf.zeros((2, 2, 4, 1))  # L* = 50
    real = tf.concat([tf.zeros((1, 2, 4, 2)), tf.fill((1, 2, 4, 2), 0.3)], axis=0)
    fake = real + tf.constant([0.0, 0.3])
    labs = [color.join_lab(l, ab)[:, 0, 0] for ab in (real, fake)]
    differences = metrics.ciede2000(*labs).numpy()
    assert differences.shape == (2,) and min(differences) > 5.0
    expected = sum(math.hypot(difference, 0.5) for difference in differences) / 20.0  # 0.5: the smoothing
    assert float(losses.ciede2000_loss(l, real, fake)) == pytest.approx(expected, rel=1e-3)
    assert float(losses.ciede2000_loss(l, real, real)) == pytest.approx(0.05, rel=1e-2)


@pytest.mark.parametrize("ab", [0.0, 0.3])
def test_ciede2000_loss_has_finite_gradients_at_equal_colours(ab):
    real, fake = tf.fill((1, 4, 4, 2), ab), tf.Variable(tf.fill((1, 4, 4, 2), ab))
    with tf.GradientTape() as tape:
        loss = losses.ciede2000_loss(tf.zeros((1, 4, 4, 1)), real, fake)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def test_colorfulness_loss_compares_the_means_of_the_batches():
    grey, vivid = tf.fill((1, 4, 4, 3), 0.5), tf.tile(tf.constant([[[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]]), (1, 4, 2, 1))
    real, fake = tf.concat([vivid, grey], 0), tf.concat([grey, vivid], 0)
    assert float(losses.colorfulness_loss(real, fake)) == pytest.approx(0.0, abs=1e-6)
    # R - G: 255 and 0; (R + G) / 2 - B: 127.5 and -255. M3 = sqrt(127.5^2 + 191.25^2) + 0.3 * sqrt(127.5^2 + 63.75^2)
    expected = (math.hypot(127.5, 191.25) + 0.3 * math.hypot(127.5, 63.75) - 1.3) / 100.0  # 1.3: the roots of epsilon
    assert float(losses.colorfulness_loss(vivid, grey)) == pytest.approx(expected, abs=1e-4)
    assert float(losses.colorfulness_loss(vivid, grey, margin=30.0)) == pytest.approx(expected - 0.3, abs=1e-4)
    assert float(losses.colorfulness_loss(vivid, grey, margin=300.0)) == 0.0


def test_colorfulness_loss_leaves_the_border_out():
    grey = tf.fill((1, 32, 48, 3), 0.5)
    red = tf.constant([1.0, 0.0, 0.0])

    def paint(rows: int, columns: int) -> tf.Tensor:
        return tf.tensor_scatter_nd_update(grey, [[0, rows, columns]], [red])

    assert (
        float(losses.colorfulness_loss(grey, paint(1, 20)))
        == float(losses.colorfulness_loss(grey, paint(15, 45)))
        == 0.0
    )
    assert float(losses.colorfulness_loss(grey, paint(2, 20))) > 0.01
    assert float(losses.colorfulness_loss(grey, paint(29, 44))) > 0.01


def test_colorfulness_loss_has_finite_gradients_at_grey():
    fake = tf.Variable(tf.fill((1, 4, 4, 3), 0.5))
    with tf.GradientTape() as tape:
        loss = losses.colorfulness_loss(tf.random.stateless_uniform((1, 4, 4, 3), (1, 2)), fake)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def test_chroma_loss_has_finite_gradients_at_grey():
    fake = tf.Variable(tf.zeros((1, 4, 4, 2)))
    with tf.GradientTape() as tape:
        loss = losses.chroma_loss(tf.zeros((1, 4, 4, 2)), fake, saturation_weight=3.0)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def make_areas(*ab: tuple[float, float]) -> tf.Tensor:
    """One photo of 8 x 8 pixels a colour, all of that colour, given in CIE ab units."""
    return tf.tile(tf.constant(ab, tf.float32)[:, None, None] / 110.0, (1, 8, 8, 1))


def test_overshoot_loss_grows_with_the_square_of_what_is_too_vivid_beyond_the_margin():
    grey, red = make_areas((0.0, 0.0)), make_areas((55.0, 0.0))
    assert float(losses.overshoot_loss(grey, red)) == pytest.approx(((55.0 - 15.0) / 20.0) ** 2, rel=1e-3)
    assert float(losses.overshoot_loss(make_areas((30.0, 0.0)), red)) == pytest.approx(0.5**2, rel=2e-2)
    assert float(losses.overshoot_loss(make_areas((0.0, 55.0)), red)) == pytest.approx(4.0, rel=1e-3)  # a wrong hue
    photos = tf.concat([grey, red], 0), tf.concat([red, red], 0)
    assert float(losses.overshoot_loss(*photos)) == pytest.approx(2.0, rel=1e-3)


def test_overshoot_loss_allows_what_is_paler_or_within_the_margin_or_a_detail():
    grey, red = make_areas((0.0, 0.0)), make_areas((55.0, 0.0))
    assert float(losses.overshoot_loss(red, grey)) == float(losses.overshoot_loss(red, red)) == 0.0
    assert float(losses.overshoot_loss(grey, make_areas((0.0, -14.0)))) == 0.0
    detail = tf.pad(red[:, :4, :4], ((0, 0), (0, 4), (0, 4), (0, 0)))  # a quarter of the area: 13.75 on average
    assert float(losses.overshoot_loss(grey, detail)) == 0.0


def test_overshoot_loss_has_finite_gradients_at_grey():
    fake = tf.Variable(make_areas((0.0, 0.0)))
    with tf.GradientTape() as tape:
        loss = losses.overshoot_loss(make_areas((-40.0, 0.0)), fake)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def make_grid(ab_of_columns):
    """A photo of 8 rows of areas whose colours change from column to column: (1, 64, 8 * columns, 2)."""
    areas = tf.tile(tf.constant(ab_of_columns, tf.float32)[None, None] / 110.0, (1, 8, 1, 1))
    return tf.repeat(tf.repeat(areas, 8, axis=1), 8, axis=2)


def test_unevenness_loss_counts_pairs_of_one_true_colour_that_are_painted_apart():
    grey, patched = make_grid([(0.0, 0.0)] * 8), make_grid([(0.0, 0.0)] * 4 + [(25.0, 0.0)] * 4)
    square = ((25.0 - 5.0) / 10.0) ** 2  # of a pair that has one area in each half
    # Such pairs: 1 in 7 of those 1 column apart, 3 in 5 of those 3 columns apart (three steps), none of the upright.
    expected = square * (1 / 7 + 3 * 3 / 5) / 6
    assert float(losses.unevenness_loss(grey, patched)) == pytest.approx(expected, rel=1e-2)
    assert float(losses.unevenness_loss(*(tf.transpose(ab, (0, 2, 1, 3)) for ab in (grey, patched)))) == pytest.approx(
        expected, rel=1e-2
    )
    half_alike = make_grid([(40.0, 0.0)] * 4 + [(40.0, 5.0)] * 4)
    assert float(losses.unevenness_loss(half_alike, patched)) == pytest.approx(expected / 2, rel=1e-2)


def test_unevenness_loss_allows_true_edges_wrong_hues_and_faint_differences():
    patched = make_grid([(0.0, 0.0)] * 4 + [(25.0, 0.0)] * 4)
    assert float(losses.unevenness_loss(patched, patched)) == 0.0
    assert float(losses.unevenness_loss(make_grid([(0.0, 0.0)] * 8), make_grid([(40.0, 0.0)] * 8))) == 0.0
    assert float(losses.unevenness_loss(make_grid([(0.0, 0.0)] * 8), make_grid([(0.0, 0.0), (4.5, 0.0)] * 4))) == 0.0


def test_unevenness_loss_has_finite_gradients_at_even_colours():
    fake = tf.Variable(make_grid([(0.0, 0.0)] * 8))
    with tf.GradientTape() as tape:
        loss = losses.unevenness_loss(make_grid([(0.0, 0.0)] * 8), fake)
    assert np.isfinite(tape.gradient(loss, fake)).all()


def test_hinge_losses():
    real, fake = tf.constant([2.0, 0.5]), tf.constant([-3.0, 0.0])
    assert float(losses.hinge_discriminator_loss(real, fake)) == pytest.approx(0.25 + 0.5)
    assert float(losses.hinge_generator_loss(fake)) == pytest.approx(1.5)


def test_kl_of_the_prior_is_zero_and_of_others_known():
    assert float(losses.kl_loss(tf.zeros((3, 4)), tf.zeros((3, 4)))) == 0.0
    # KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - ln s, per dimension.
    loss = losses.kl_loss(tf.fill((3, 4), 2.0), tf.fill((3, 4), math.log(9.0)))
    assert float(loss) == pytest.approx(4 * ((9 + 4 - 1) / 2 - math.log(3.0)), rel=1e-5)


def test_restraint_loss_is_smallest_at_the_quantile_of_the_true_colours():
    true = tf.reshape(tf.range(0.0, 0.5, 0.05), (1, 1, 10, 1)) * tf.ones((1, 4, 1, 1))  # 0, 0.05, ... as far out as red
    real = tf.repeat(tf.repeat(true, 4, axis=2), 4, axis=1) * tf.constant([1.0, 0.0])
    painted = tf.fill((1, 8, 20, 2), 0.5) * tf.constant([1.0, 0.0])

    def loss(sure: float) -> float:
        return float(losses.restraint_loss(real, painted, tf.fill((1, 4, 10, 1), float(sure)), quantile=0.3))

    assert min(np.arange(0.0, 0.5, 0.025), key=loss) == pytest.approx(0.125, abs=0.026)  # 3 of 10 lie below
    assert loss(0.125) == pytest.approx(np.mean([(0.3 - (t < 0.125)) * (t - 0.125) for t in np.arange(0, 0.5, 0.05)]))


def test_restraint_loss_looks_in_the_direction_of_the_painted_colour_and_not_at_grey():
    real = tf.fill((1, 16, 16, 2), 0.4) * tf.constant([0.0, 1.0])
    sure = tf.zeros((1, 4, 4, 1))
    red, orange = (tf.fill((1, 8, 8, 2), 0.5) * tf.constant(ab) for ab in ([1.0, 0.0], [0.6, 0.8]))
    assert float(losses.restraint_loss(real, red, sure, quantile=0.3)) == 0.0
    assert float(losses.restraint_loss(real, orange, sure, quantile=0.3)) == pytest.approx(0.3 * 0.8 * 0.4, rel=1e-5)
    assert float(losses.restraint_loss(real, 0.01 * orange, sure, quantile=0.3)) == 0.0
