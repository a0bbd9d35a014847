"""Who in a batch gets noise, who gets colour hints, and who neither; all drawn from a seed."""

import dataclasses
import math

import tensorflow as tf

from colorization.training.replicas import Rows


@dataclasses.dataclass(frozen=True)
class Roles:
    """The roles of a replica's photos, and how many have them in the global batch.

    Attributes:
      noisy: bool (B,), the noise encoder chooses their z.
      hinted: bool (B,), they get colour hints.
      automatic: bool (B,), they get neither; all of them where each has one or both, as in a batch of one.
      num_noisy: number of noisy photos in the global batch.
      num_automatic: number of automatic photos there.
    """

    noisy: tf.Tensor
    hinted: tf.Tensor
    automatic: tf.Tensor
    num_noisy: int
    num_automatic: int


def assign_roles(rows: Rows, seed: tf.Tensor, *, noise_fraction: float, hint_fraction: float) -> Roles:
    """Assigns roles to fixed parts of the global batch, each photo's by its position, counted from a random one.

    Half of the noisy photos, those counted last, are hinted, too. The parts have the same size in every step, but a
    photo that keeps its position, as one of a small shard may, does not keep its role.

    Args:
      rows: which photos of the global batch these are.
      seed: int64 (2,).
      noise_fraction: part that gets noise, rounded up; in [0, 1].
      hint_fraction: part that gets hints, rounded down; in [0, 1].
    """
    num_noisy = math.ceil(round(noise_fraction * rows.total, 6))
    num_hinted = math.floor(round(hint_fraction * rows.total, 6))
    first_hinted = min(num_noisy // 2, rows.total - num_hinted)
    first_automatic = max(num_noisy, first_hinted + num_hinted)
    start = tf.random.stateless_uniform((), seed, 0, rows.total, tf.int32)
    position = (rows.first + tf.range(rows.num) + start) % rows.total
    has_automatic = first_automatic < rows.total
    return Roles(
        noisy=position < num_noisy,
        hinted=(position >= first_hinted) & (position < first_hinted + num_hinted),
        automatic=position >= (first_automatic if has_automatic else 0),
        num_noisy=num_noisy,
        num_automatic=rows.total - first_automatic if has_automatic else rows.total,
    )
