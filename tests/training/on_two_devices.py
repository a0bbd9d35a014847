"""What must be the same on two devices as on one; `replicas_test.py` runs this in a process with two virtual CPUs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.training import losses, replicas, strategies
from colorization.training.cluster import Cluster
from tests.training.tiny_gan import build_tiny_gan

ONE = tf.distribute.get_strategy()
TWO = strategies.make_strategy("mirrored", Cluster())
BATCH = 4


def split(strategy: tf.distribute.Strategy, tensor: tf.Tensor):
    """Gives each replica its part of a batch."""
    size = tensor.shape[0] // strategy.num_replicas_in_sync

    def part(context):
        return tensor[context.replica_id_in_sync_group * size : (context.replica_id_in_sync_group + 1) * size]

    return strategy.experimental_distribute_values_from_function(part)


def run(strategy: tf.distribute.Strategy, function, *tensors: tf.Tensor) -> list:
    """The results of each replica's call with its part of the tensors."""
    results = tf.function(lambda *parts: strategy.run(function, args=parts))(*(split(strategy, t) for t in tensors))
    return [
        tf.nest.map_structure(lambda result, i=i: strategy.experimental_local_results(result)[i].numpy(), results)
        for i in range(strategy.num_replicas_in_sync)
    ]


def photos(step: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Photos whose second half is far more vivid than the first: each half has other statistics than the batch."""
    l = tf.random.stateless_uniform((BATCH, 32, 32, 1), (step, 2), -1.0, 1.0)
    vividness = tf.constant([0.05, 0.1, 0.8, 1.0])[:, None, None, None]
    return l, vividness * tf.random.stateless_uniform((BATCH, 32, 32, 2), (step, 3), -1.0, 1.0)


def all_losses(real_ab: tf.Tensor, fake_ab: tf.Tensor) -> list[tf.Tensor]:
    real_rgb, fake_rgb = (tf.concat([0.5 + 0.3 * ab, ab[..., :1]], axis=-1) for ab in (real_ab, fake_ab))
    logits = tf.concat([fake_ab] * (losses.NUM_AB_CLASSES // 2), axis=-1)
    position = replicas.Rows.of(real_ab).first + tf.range(real_ab.shape[0])
    mean = fake_ab[:, 0, 0]
    return [
        *(losses.chroma_loss(real_ab, fake_ab, saturation_weight=3.0, kind=k) for k in ("huber", "l1", "log")),
        losses.rgb_loss(real_rgb, fake_rgb),
        losses.ciede2000_loss(real_ab[..., :1], real_ab, fake_ab),
        losses.classification_loss(real_ab, logits, saturation_weight=3.0),
        losses.perceptual_loss([real_ab, real_rgb], [fake_ab, fake_rgb]),
        losses.colorfulness_loss(real_rgb, fake_rgb),
        losses.colorfulness_loss(real_rgb, fake_rgb, position > 0, 3),
        losses.colorfulness_loss(real_rgb, fake_rgb, margin=0.5),
        losses.hinge_discriminator_loss(real_ab, fake_ab),
        losses.hinge_generator_loss(fake_ab),
        losses.kl_loss(mean, 0.1 * mean),
        losses.kl_loss(mean, 0.1 * mean, position < 3, 3),
    ]


def losses_and_gradients(real_ab: tf.Tensor, fake_ab: tf.Tensor) -> tuple[list, list]:
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake_ab)
        values = all_losses(real_ab, fake_ab)
    return values, [tape.gradient(value, fake_ab) for value in values]


def test_shares_of_each_loss_and_of_its_gradient_make_up_the_whole():
    real_ab = photos()[1]
    fake_ab = 0.5 * photos(1)[1][::-1]
    ((values, gradients),) = run(ONE, losses_and_gradients, real_ab, fake_ab)
    (first, first_gradients), (second, second_gradients) = run(TWO, losses_and_gradients, real_ab, fake_ab)
    np.testing.assert_allclose(np.add(first, second), values, rtol=1e-5)
    for whole, *parts in zip(gradients, first_gradients, second_gradients, strict=True):
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-4, atol=1e-9)
        assert np.abs(whole).max() > 0.0


def test_draws_are_rows_of_the_same_batch():
    def draw(batch):
        rows = replicas.Rows.of(batch)
        return rows.uniform((3,), (1, 2)), rows.normal((2,), (1, 2)), rows.uniform((), (1, 2), 0, 100, tf.int32)

    (whole,) = run(ONE, draw, tf.zeros((BATCH, 1)))
    parts = run(TWO, draw, tf.zeros((BATCH, 1)))
    for one, *two in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(np.concatenate(two), one)


def build(strategy: tf.distribute.Strategy):
    """With batch norms, every loss but the perceptual one, and plain descent, which doesn't magnify rounding."""
    with strategy.scope():
        weights = {"chroma_kind": "log", "colorfulness": 0.3}
        gan = build_tiny_gan(weights=weights, noise_fraction=0.5, hint_fraction=0.5, clip_norm=0.1)
        names = ("decoder_optimizer", "encoder_optimizer", "discriminator_optimizer")
        gan.compile(**{name: keras.optimizers.SGD(0.3) for name in names}, jit_compile=False)
    return gan


def weights_of(gan) -> dict[str, np.ndarray]:
    networks = (gan.generator, gan.ema_generator, gan.noise_encoder, gan.discriminator)
    return {f"{i} {weight.path}": weight.numpy() for i, network in enumerate(networks) for weight in network.weights}


@pytest.fixture(scope="module")
def gans():
    return build(ONE), build(TWO)


def test_steps_and_validation_are_the_same(gans):
    before = weights_of(gans[0])
    for step in range(3):
        (one,) = run(ONE, lambda l, ab: gans[0].train_step((l, ab)), *photos(step))
        for two in run(TWO, lambda l, ab: gans[1].train_step((l, ab)), *photos(step)):
            assert one.keys() == two.keys()
            for name in one:
                assert two[name] == pytest.approx(one[name], rel=1e-3), name
    assert one["gradient_norm"] > 0.1, "the gradient is clipped"
    after, other = (weights_of(gan) for gan in gans)
    for name in after:
        np.testing.assert_allclose(other[name], after[name], atol=1e-5, err_msg=name)
    assert all((after[name] != before[name]).any() for name in after if name.endswith("kernel"))
    (one,) = run(ONE, lambda l, ab: gans[0].test_step((l, ab)), *photos())
    for two in run(TWO, lambda l, ab: gans[1].test_step((l, ab)), *photos()):
        assert {name: pytest.approx(value, rel=1e-3) for name, value in one.items()} == two


def test_both_replicas_skip_a_step_that_is_not_finite_on_one(gans):
    gan = gans[1]
    before = weights_of(gan)
    l, ab = photos()
    ab = tf.tensor_scatter_nd_update(ab, [[BATCH - 1, 0, 0, 0]], [float("nan")])
    bad = int(gan.num_bad_steps_in_row.numpy())
    run(TWO, lambda l, ab: gan.train_step((l, ab)), l, ab)
    assert int(gan.num_bad_steps_in_row.numpy()) == bad + 1
    after = weights_of(gan)
    for name in before:
        if not name.startswith("3"):  # spectral norms are taken all the same
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    for weight in gan.generator.weights:
        copies = TWO.experimental_local_results(weight.value)
        np.testing.assert_array_equal(copies[0], copies[1])
