"""Steps: what is learnt, who of a batch gets what, and that a recipe and a seed make a run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorization.jax_training import losses
from colorization.jax_training.trainer import Importance, Trainer, compute_loss, make_batch, plan_roles
from tests.jax_training.tiny_networks import RECIPE, TinyNetworks

IMPORTANCE = Importance(ciede2000=1.0, colorfulness=0.5, colorfulness_margin=2.0, overshoot=0.25, kl=0.01)


def make_photos(num: int = 6, colour=(200, 120, 60)) -> tuple[np.ndarray, np.ndarray]:
    """Photos of one colour, with noise."""
    noise = np.random.default_rng(4).integers(-20, 20, (num, 48, 48, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8), np.full((num, 2), (40, 48), np.int32)


def make_trainer(**changes) -> Trainer:
    return Trainer(TinyNetworks(), dataclasses.replace(RECIPE, **changes), IMPORTANCE, *make_photos())


def draw(steps: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 6, (steps, RECIPE.batch_size)).astype(np.int32)


@pytest.fixture(scope="module")
def trained():
    """A trainer after 20 steps, and the losses of the first and of the last ten."""
    trainer = make_trainer()
    return trainer, trainer.run(draw(10)), trainer.run(draw(10))


def test_the_losses_fall(trained):
    trainer, first, last = trained
    names = {"loss", "rgb_loss", "ciede2000_loss", "colorfulness_loss", "overshoot_loss", "kl_loss", "gradient_norm"}
    assert set(first) == names
    assert last["rgb_loss"] < 0.9 * first["rgb_loss"] and last["ciede2000_loss"] < first["ciede2000_loss"]
    assert int(trainer.state.step) == 20 and trainer.num_bad_steps_in_row == 0
    bias = np.asarray(trainer.state.weights["generator/bias"])
    assert bias.min() > 0.05, "towards orange: a and b above 0"


def test_averages_follow_the_weights(trained):
    trainer = trained[0]
    for name, weight in trainer.state.weights.items():
        average = np.asarray(trainer.state.averages[name])
        assert np.abs(average - np.asarray(weight)).max() < 0.05 and (average != np.asarray(weight)).any(), name


def test_the_same_seed_gives_the_same_weights_and_another_one_others(trained):
    again, other = make_trainer(), make_trainer(seed=4)
    for trainer in (again, again, other, other):
        trainer.run(draw(10))
    for name, weight in trained[0].state.weights.items():
        np.testing.assert_array_equal(weight, again.state.weights[name])
    assert (other.state.weights["generator/bias"] != again.state.weights["generator/bias"]).any()


def test_the_encoder_has_a_rate_of_its_own():
    """AdamW's first step is as long as the rate; in step 0 of a warm-up that is 0."""
    trainer = make_trainer(max_steps=100, warm_up_steps=1, encoder_rate_factor=0.25)
    before = {name: np.asarray(value) for name, value in trainer.state.weights.items()}
    trainer.run(draw(2))
    moved = {name: np.abs(np.asarray(trainer.state.weights[name]) - before[name]).max() for name in before}
    assert moved["generator/bias"] == pytest.approx(0.02, rel=0.1)
    assert moved["encoder/scale"] == pytest.approx(0.005, rel=0.1)


def test_steps_that_are_not_finite_change_nothing_and_are_counted():
    trainer = make_trainer()
    trainer.state = trainer.state._replace(weights=trainer.state.weights | {"generator/mood": jnp.array(jnp.nan)})
    trainer.run(draw(3))
    assert trainer.num_bad_steps_in_row == 3
    np.testing.assert_array_equal(trainer.state.weights["generator/bias"], [0.0, 0.0])


def test_roles_have_their_shares_and_fixed_places():
    roles = plan_roles(dataclasses.replace(RECIPE, batch_size=40, aged_share=0.5, noise_share=0.1, hint_share=0.2))
    assert roles.aged.size == 20 and len(set(roles.aged)) == 20
    assert roles.noisy.tolist() == [0, 1, 2, 3] and roles.hinted.tolist() == list(range(2, 10))
    assert roles.automatic.tolist() == list(range(10, 40))
    all_of_them = plan_roles(dataclasses.replace(RECIPE, noise_share=1.0, hint_share=1.0))
    assert all_of_them.hinted.size == RECIPE.batch_size and not all_of_them.automatic.size


def test_a_batch_has_its_roles():
    canvases, sizes = make_photos(8)
    recipe = dataclasses.replace(RECIPE, min_area=1.0, recoloured_share=0.0, aged_share=0.25)
    batch = make_batch(jax.random.key(1), canvases, sizes, recipe)
    roles = plan_roles(recipe)
    assert batch.l.shape == (8, 32, 32, 1) and batch.ab.shape == (8, 32, 32, 2)
    hinted = np.flatnonzero(np.asarray(batch.hints).any(axis=(1, 2, 3)))
    assert hinted.tolist() == roles.hinted.tolist()
    fresh = make_batch(jax.random.key(1), canvases, sizes, dataclasses.replace(recipe, aged_share=0.0))
    aged = np.flatnonzero((np.asarray(batch.l) != np.asarray(fresh.l)).any(axis=(1, 2, 3)))
    assert sorted(roles.aged) == aged.tolist()
    np.testing.assert_array_equal(batch.ab, fresh.ab)


def test_the_loss_is_the_weighted_sum_of_what_the_roles_ask_for():
    networks, recipe = TinyNetworks(bias=(-0.3, 0.2)), dataclasses.replace(RECIPE, noise_share=0.25, hint_share=0.0)
    trained, fixed = networks.read_weights()
    batch, key = make_batch(jax.random.key(1), *make_photos(8), recipe), jax.random.key(2)
    total, values = compute_loss(trained, fixed, key, batch, IMPORTANCE, networks=networks, roles=plan_roles(recipe))
    mean, log_variance = networks.encode(trained, fixed, batch.l[:2], batch.ab[:2])
    z = jnp.zeros((8, 2)).at[:2].set(mean + jnp.exp(-2.0) * jax.random.normal(key, (2, 2)))
    fake_ab = networks.generate(trained, fixed, batch.l, z, batch.hints)
    l, ab, fake_ab = (losses.area_means(x, 2) for x in (batch.l, batch.ab, fake_ab))
    real, fake = losses.l_ab_to_rgb(l, ab), losses.l_ab_to_rgb(l, fake_ab)
    expected = {
        "rgb_loss": losses.rgb_loss(real, fake),
        "ciede2000_loss": losses.ciede2000_loss(l, ab, fake_ab),
        "colorfulness_loss": losses.colorfulness_loss(real[2:], fake[2:], margin=2.0),
        "overshoot_loss": losses.overshoot_loss(ab, fake_ab),
        "kl_loss": losses.kl_loss(mean, log_variance),
    }
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(float(value), rel=1e-5) and float(value) > 0.0, name
    weighted = sum(w * float(v) for w, v in zip((1.0, 1.0, 0.5, 0.25, 0.01), expected.values(), strict=True))
    assert float(total) == pytest.approx(weighted, rel=1e-5)
