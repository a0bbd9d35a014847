"""Who in a batch gets noise and hints."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.training.batch_roles import Roles, assign_roles
from colorization.training.replicas import Rows


def assign(total: int, noise: float, hints: float, *, step: int = 0, first: int = 0, num: int | None = None) -> Roles:
    rows = Rows(tf.constant(first), num or total, total)
    return assign_roles(rows, tf.constant([5, step], tf.int64), noise_fraction=noise, hint_fraction=hints)


@pytest.mark.parametrize(
    ("total", "noise", "hints", "noisy", "hinted", "both", "automatic"),
    [
        (8, 0.25, 0.5, 2, 4, 1, 3),
        (8, 0.0, 0.5, 0, 4, 0, 4),
        (8, 0.25, 0.0, 2, 0, 0, 6),
        (10, 0.3, 0.1, 3, 1, 1, 7),
        (4, 0.5, 1.0, 2, 4, 2, 4),  # none is automatic: then all count as such
        (1, 0.25, 0.5, 1, 0, 0, 1),
    ],
)
def test_parts_have_their_sizes(total, noise, hints, noisy, hinted, both, automatic):
    roles = assign(total, noise, hints)
    count = [int(tf.math.count_nonzero(role)) for role in (roles.noisy, roles.hinted, roles.automatic)]
    assert count == [noisy, hinted, automatic]
    assert int(tf.math.count_nonzero(roles.noisy & roles.hinted)) == both
    assert (roles.num_noisy, roles.num_automatic) == (noisy, automatic)


def test_parts_of_a_batch_have_the_roles_of_the_whole():
    whole = assign(8, 0.25, 0.5)
    for first in (0, 4):
        part = assign(8, 0.25, 0.5, first=first, num=4)
        for name in ("noisy", "hinted", "automatic"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first : first + 4])
        assert part.num_noisy == whole.num_noisy and part.num_automatic == whole.num_automatic


def test_no_position_keeps_its_role():
    noisy = np.mean([assign(8, 0.25, 0.5, step=step).noisy for step in range(200)], axis=0)
    np.testing.assert_allclose(noisy, 0.25, atol=0.12)
