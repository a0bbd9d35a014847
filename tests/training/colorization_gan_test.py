"""The training step."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.training import losses
from tests.training.tiny_gan import build_tiny_gan, make_photos


def weights_of(model) -> list[np.ndarray]:
    return [weight.numpy() for weight in model.weights]


def differ(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return any((a != b).any() for a, b in zip(before, after, strict=True))


def test_training_learns():
    gan = build_tiny_gan(adversarial=False, ema_decay=0.9, hint_fraction=0.0)
    data = tf.data.Dataset.from_tensors(make_photos()).repeat()
    gan.fit(data, steps_per_epoch=100, epochs=1, verbose=0)
    result = gan.evaluate(data.take(1), return_dict=True, verbose=0)
    assert result["psnr"] > result["grey_psnr"] + 3.0
    assert result["real_colorfulness"] > 10.0


def test_a_step_trains_all_four_networks():
    gan = build_tiny_gan()
    networks = (gan.generator, gan.ema_generator, gan.noise_encoder, gan.discriminator)
    before = [weights_of(network) for network in networks]
    values = gan.train_step(make_photos())
    assert all(differ(old, weights_of(network)) for old, network in zip(before, networks, strict=True))
    expected = {"loss", "chroma_loss", "kl_loss", "gradient_norm", "adversarial_loss", "discriminator_loss"}
    assert set(values) == expected and all(np.isfinite(float(value)) for value in values.values())
    assert int(gan.step) == 1


def test_warm_up_has_no_discriminator():
    gan = build_tiny_gan(adversarial=False)
    assert set(gan.train_step(make_photos())) == {"loss", "chroma_loss", "kl_loss", "gradient_norm"}


def test_average_starts_as_the_generator_and_follows_it():
    gan = build_tiny_gan(adversarial=False)
    assert not differ(weights_of(gan.generator), weights_of(gan.ema_generator))
    start = weights_of(gan.generator)[0]
    gan.train_step(make_photos())
    # At step 0 the young average's decay is (1 + 0) / (10 + 0).
    np.testing.assert_allclose(
        weights_of(gan.ema_generator)[0], 0.1 * start + 0.9 * weights_of(gan.generator)[0], rtol=1e-5
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_a_step_with_a_loss_that_is_not_finite_changes_no_weights(compiled):
    gan = build_tiny_gan()
    step = tf.function(gan.train_step) if compiled else gan.train_step
    step(make_photos())
    networks = (gan.generator, gan.ema_generator, gan.noise_encoder)
    before = [weights_of(network) for network in networks]
    mean = float(gan.train_means["loss"].result())
    for _ in range(3):
        step(make_photos(value=float("nan")))
    trained = [[weight.numpy() for weight in network.trainable_weights] for network in networks]
    kept = [
        [w for w, v in zip(old, n.weights, strict=True) if v.trainable] for old, n in zip(before, networks, strict=True)
    ]
    assert not any(differ(old, new) for old, new in zip(kept, trained, strict=True))
    assert all(np.isfinite(weight).all() for network in networks for weight in weights_of(network))
    assert int(gan.num_bad_steps_in_row) == 3 and int(gan.step) == 4
    assert float(gan.train_means["loss"].result()) == mean
    step(make_photos())
    assert int(gan.num_bad_steps_in_row) == 0


def test_noise_goes_to_the_given_share_of_a_batch_and_depends_on_seed_and_step():
    gan = build_tiny_gan(noise_fraction=0.25)
    l, ab = make_photos(8)
    z, _ = gan.sample_noise(l, ab)
    assert z.shape == (8, 2)
    noisy = (z.numpy() != 0).all(axis=1)
    assert noisy.sum() == 2 and (z.numpy()[~noisy] == 0).all()
    np.testing.assert_array_equal(z, gan.sample_noise(l, ab)[0])
    gan.step.assign(7)
    other = gan.sample_noise(l, ab)[0].numpy()
    assert (other != 0).all(axis=1).sum() == 2 and (z.numpy() != other).any()


def test_without_noise_it_trains_and_the_noise_encoder_stays_as_it_is():
    gan = build_tiny_gan(noise_fraction=0.0)
    before = [tf.identity(v) for v in gan.noise_encoder.trainable_variables]
    values = gan.train_step(make_photos())
    assert float(values["kl_loss"]) == 0.0 and float(values["loss"]) > 0.0
    assert int(gan.num_bad_steps_in_row) == 0
    for old, new in zip(before, gan.noise_encoder.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old, rtol=2e-3)  # but for weight decay


def test_hints_go_to_the_given_share_and_overlap_with_the_noise():
    gan = build_tiny_gan(noise_fraction=0.25, hint_fraction=0.5, recoloured_fraction=1.0)
    l, ab = make_photos(8)
    hinted_ab, hints = gan.sample_hints(l, ab)
    hinted = hints.numpy()[..., 2].any(axis=(1, 2))
    assert hinted.sum() == 4
    noisy = (gan.sample_noise(l, ab)[0].numpy() != 0).all(axis=1)
    assert (noisy & hinted).sum() == 1
    recoloured = (hinted_ab.numpy() != ab.numpy()).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(recoloured, hinted)
    np.testing.assert_array_equal(hints, gan.sample_hints(l, ab)[1])
    gan.step.assign(7)
    assert (hints.numpy() != gan.sample_hints(l, ab)[1].numpy()).any()


@pytest.mark.parametrize(("num", "fractions"), [(1, {}), (4, {"noise_fraction": 0.5, "hint_fraction": 1.0})])
def test_a_batch_in_which_no_photo_is_automatic_trains_too(num, fractions):
    gan = build_tiny_gan(adversarial=False, weights={"colorfulness": 0.3}, **fractions)
    values = gan.train_step(make_photos(num))
    assert all(np.isfinite(float(value)) for value in values.values()) and values["colorfulness_loss"] > 0.0
    assert int(gan.num_bad_steps_in_row) == 0


def test_without_hints_the_photos_stay_as_they_are():
    gan = build_tiny_gan(hint_fraction=0.0)
    l, ab = make_photos(4)
    same_ab, hints = gan.sample_hints(l, ab)
    np.testing.assert_array_equal(same_ab, ab)
    np.testing.assert_array_equal(hints, np.zeros((4, 32, 32, 3)))


def test_validation_uses_the_average_at_zero_noise_and_the_same_loss():
    gan = build_tiny_gan(adversarial=False)
    gan.generator.set_weights([weight + 1.0 for weight in gan.generator.get_weights()])
    l, ab = make_photos()
    fake = gan.ema_generator([l, tf.zeros((4, 2)), tf.zeros((4, 32, 32, 3))], training=False)
    expected = losses.chroma_loss(ab, fake, saturation_weight=gan.loss_weights.saturation)
    result = gan.test_step((l, ab))
    assert float(result["chroma_loss"]) == pytest.approx(float(expected), rel=1e-5)
    assert set(result) == {"chroma_loss", "psnr", "grey_psnr", "colorfulness", "real_colorfulness"}


def test_gradients_are_clipped_to_the_global_norm():
    variable = tf.Variable([3.0, 4.0])

    class Holder:
        value = variable

    gan = build_tiny_gan(adversarial=False, clip_norm=1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(variable))
    gradients, norm = gan._clipped_gradients(tape, loss, [Holder])
    assert float(norm) == pytest.approx(10.0)
    np.testing.assert_allclose(gradients[0], [0.6, 0.8], rtol=1e-5)
