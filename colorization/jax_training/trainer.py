"""Training steps on one device that holds all photos: crops, losses, gradients and averages in one compiled loop.

What a step does is what `training/colorization_gan.py` describes for the phase without a discriminator: part of the
batch gets colour hints, of part of it the noise encoder chooses `z`, the rest has neither. The roles belong to fixed
places in the batch, as photos come in random order.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from colorization.jax_training import augment, hints, losses
from colorization.jax_training.networks import Networks, Weights

Array = jax.Array

MAX_BAD_STEPS = 100  # in a row, whose gradients are not finite


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is trained for, and how.

    Attributes:
      image_size: side of the crops, px.
      batch_size: photos a step.
      min_area: smallest part of a photo's area that a crop takes.
      aged_share: part of each batch whose lightness is aged.
      noise_share: part that gets z from the noise encoder.
      hint_share: part that gets hints.
      recoloured_share: part of the hinted photos whose hints contradict the true colours.
      max_steps: at which the cosine schedule of the rate ends.
      warm_up_steps: in which it rises.
      learning_rate: its peak, of AdamW.
      encoder_rate_factor: the encoder's rate, relative to that.
      weight_decay: of AdamW.
      clip_norm: largest global norm of the gradient.
      ema_decay: of the averaged weights.
      seed: of all draws.
    """

    image_size: int
    batch_size: int
    min_area: float
    aged_share: float
    noise_share: float
    hint_share: float
    recoloured_share: float
    max_steps: int
    warm_up_steps: int
    learning_rate: float
    encoder_rate_factor: float
    weight_decay: float
    clip_norm: float
    ema_decay: float
    seed: int


class Importance(NamedTuple):
    """Weights of the losses relative to the RGB loss, and the difference in colorfulness that costs nothing."""

    ciede2000: float
    colorfulness: float
    colorfulness_margin: float
    overshoot: float
    kl: float


class State(NamedTuple):
    """What a step changes: its number, the weights, their averages, the optimizer's moments."""

    step: Array
    weights: Weights
    averages: Weights
    optimizer: optax.OptState


class Trainer:
    """Takes steps of a recipe."""

    def __init__(
        self, networks: Networks, recipe: Recipe, importance: Importance, canvases: np.ndarray, sizes: np.ndarray
    ):
        """Puts the photos and the weights on the device.

        Args:
          networks: with the weights to start from.
          recipe: what to do.
          importance: of the losses.
          canvases: uint8 (N, C, C, 3), as `photos.PhotoArray` holds them.
          sizes: int32 (N, 2).
        """
        self.networks, self.recipe, self.importance = networks, recipe, importance
        weights, self.fixed = networks.read_weights()
        self.optimizer = _make_optimizer(recipe, weights, networks.encoder_names())
        # The averages are a copy: the loop gives the memory of its old state away.
        self.state = State(
            jnp.zeros((), jnp.int32), weights, jax.tree.map(jnp.copy, weights), self.optimizer.init(weights)
        )
        self._schedule = optax.warmup_cosine_decay_schedule(
            0.0, recipe.learning_rate, recipe.warm_up_steps, recipe.max_steps
        )
        self._canvases, self._sizes = jax.device_put(canvases), jax.device_put(sizes)
        self._run = jax.jit(self._run_steps, donate_argnums=0)

    def run(self, indices: np.ndarray) -> dict[str, float]:
        """Takes a step for each row of `indices`, int32 (K, batch_size), numbers of photos.

        Another K is compiled anew.

        Returns:
          Means of the losses by name.
        """
        self.state, means = self._run(
            self.state,
            self.fixed,
            self.importance,
            self._canvases,
            self._sizes,
            indices,
            self._next_rates(len(indices)),
        )
        return {name: float(value) for name, value in means.items()}

    def _next_rates(self, num_steps: int) -> np.ndarray:
        """The learning rates of the next steps: given to the compiled loop, which so suits any schedule."""
        return np.asarray(self._schedule(int(self.state.step) + np.arange(num_steps)), np.float32)

    @property
    def num_bad_steps_in_row(self) -> int:
        """Steps since the last one whose gradient was finite."""
        return int(self.state.optimizer.notfinite_count)

    def _run_steps(
        self,
        state: State,
        fixed: Weights,
        importance: Importance,
        canvases: Array,
        sizes: Array,
        indices: Array,
        rates: Array,
    ) -> tuple[State, dict[str, Array]]:
        def step(state: State, chosen_and_rate: tuple[Array, Array]) -> tuple[State, dict[str, Array]]:
            chosen, rate = chosen_and_rate
            batch_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.key(self.recipe.seed), state.step))
            batch = make_batch(batch_key, canvases[chosen], sizes[chosen], self.recipe)
            loss = functools.partial(compute_loss, networks=self.networks, roles=plan_roles(self.recipe))
            gradients, values = jax.grad(loss, has_aux=True)(state.weights, fixed, noise_key, batch, importance)
            return self._apply(state, gradients, rate), values | {"gradient_norm": optax.tree.norm(gradients)}

        state, values = jax.lax.scan(step, state, (indices, rates))
        return state, {name: jnp.mean(value) for name, value in values.items()}

    def _apply(self, state: State, gradients: Weights, rate: Array) -> State:
        updates, optimizer = self.optimizer.update(gradients, state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, jax.tree.map(lambda update: rate * update, updates))
        decay = jnp.minimum(self.recipe.ema_decay, (1.0 + state.step) / (10.0 + state.step))
        averages = optax.incremental_update(weights, state.averages, 1.0 - decay)
        return State(state.step + 1, weights, averages, optimizer)


class Batch(NamedTuple):
    """Photos: `l` (B, S, S, 1), the `ab` to be learnt (B, S, S, 2), and `hints` (B, S, S, 3)."""

    l: Array
    ab: Array
    hints: Array


class Roles(NamedTuple):
    """Places in the batch, int64 arrays: of aged photos; of those with noise, with hints, and with neither."""

    aged: np.ndarray
    noisy: np.ndarray
    hinted: np.ndarray
    automatic: np.ndarray


def plan_roles(recipe: Recipe) -> Roles:
    """Half of the noisy photos are hinted, too; aged ones are dealt among all others by chance, once for all."""
    places = np.arange(recipe.batch_size)
    num_aged, num_noisy, num_hinted = (
        round(share * recipe.batch_size) for share in (recipe.aged_share, recipe.noise_share, recipe.hint_share)
    )
    first_hinted = min(num_noisy // 2, recipe.batch_size - num_hinted)
    noisy, hinted = places[:num_noisy], places[first_hinted : first_hinted + num_hinted]
    aged = np.random.default_rng(0).permutation(places)[:num_aged]
    return Roles(aged, noisy, hinted, automatic=np.setdiff1d(places, np.union1d(noisy, hinted)))


def make_batch(key: Array, canvases: Array, sizes: Array, recipe: Recipe) -> Batch:
    """Crops, ages and hints photos, as the recipe says; see `augment.crop_and_flip` for the arguments."""
    crop_key, age_key, hint_key = jax.random.split(key, 3)
    rgb = augment.crop_and_flip(crop_key, canvases, sizes, size=recipe.image_size, min_area=recipe.min_area)
    l, ab = losses.rgb_to_l_ab(rgb)
    roles = plan_roles(recipe)
    if roles.aged.size:
        l = l.at[roles.aged].set(augment.age_lightness(age_key, l[roles.aged]))
    all_hints = jnp.zeros((*l.shape[:3], 3))
    if roles.hinted.size:
        drawn, recoloured = hints.sample_hints(
            hint_key, l[roles.hinted], ab[roles.hinted], recoloured_share=recipe.recoloured_share
        )
        all_hints, ab = all_hints.at[roles.hinted].set(drawn), ab.at[roles.hinted].set(recoloured)
    return Batch(l, ab, all_hints)


def compute_loss(
    weights: Weights,
    fixed: Weights,
    key: Array,
    batch: Batch,
    importance: Importance,
    *,
    networks: Networks,
    roles: Roles,
) -> tuple[Array, dict[str, Array]]:
    """The weighted sum of the losses, and each of them by its name."""
    z, kl = jnp.zeros((batch.l.shape[0], networks.z_dim)), jnp.zeros(())
    if roles.noisy.size:
        mean, log_variance = networks.encode(weights, fixed, batch.l[roles.noisy], batch.ab[roles.noisy])
        z = z.at[roles.noisy].set(mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape))
        kl = losses.kl_loss(mean, log_variance)
    fake_ab = networks.generate(weights, fixed, batch.l, z, batch.hints)
    l, real_ab, fake_ab = (losses.area_means(x, 2) for x in (batch.l, batch.ab, fake_ab))
    real_rgb, fake_rgb = losses.l_ab_to_rgb(l, real_ab), losses.l_ab_to_rgb(l, fake_ab)
    values = {
        "rgb_loss": losses.rgb_loss(real_rgb, fake_rgb),
        "ciede2000_loss": losses.ciede2000_loss(l, real_ab, fake_ab),
        "colorfulness_loss": losses.colorfulness_loss(
            real_rgb[roles.automatic], fake_rgb[roles.automatic], margin=importance.colorfulness_margin
        ),
        "overshoot_loss": losses.overshoot_loss(real_ab, fake_ab),
        "kl_loss": kl,
    }
    values["loss"] = (
        values["rgb_loss"]
        + importance.ciede2000 * values["ciede2000_loss"]
        + importance.colorfulness * values["colorfulness_loss"]
        + importance.overshoot * values["overshoot_loss"]
        + importance.kl * kl
    )
    return values["loss"], values


def _make_optimizer(recipe: Recipe, weights: Weights, encoder_names: set[str]) -> optax.GradientTransformation:
    """AdamW at a rate of 1, the encoder's relative to that; steps that aren't finite are left out."""
    labels = {name: "encoder" if name in encoder_names else "decoder" for name in weights}
    rates = {"decoder": 1.0, "encoder": recipe.encoder_rate_factor}
    by_part = optax.partition(
        {part: optax.adamw(rate, weight_decay=recipe.weight_decay) for part, rate in rates.items()}, labels
    )
    return optax.apply_if_finite(optax.chain(optax.clip_by_global_norm(recipe.clip_norm), by_part), MAX_BAD_STEPS)
