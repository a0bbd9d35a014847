"""Several replicas, and the rows of a global batch. Devices can't be split once TensorFlow runs: a process does it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from colorization.training import replicas

ROOT = Path(__file__).parents[2]
TWO_DEVICES = """
import sys, pytest, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.exit(pytest.main(["-p", "no:cacheprovider", "tests/training/on_two_devices.py"]))
"""


def test_two_devices_do_what_one_does():
    done = subprocess.run([sys.executable, "-c", TWO_DEVICES], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_alone_a_share_is_the_whole():
    values = tf.constant([1.0, 2.0, 6.0])
    assert float(replicas.share_of_mean(values)) == float(replicas.global_mean(values)) == 3.0
    assert float(replicas.sum_over_replicas([tf.constant(2.0)])[0]) == 2.0
    rows = replicas.Rows.of(values)
    assert (int(rows.first), rows.num, rows.total) == (0, 3, 3)


def test_rows_are_taken_from_what_is_drawn_for_all():
    whole = replicas.Rows(tf.constant(0), 6, 6)
    part = replicas.Rows(tf.constant(2), 3, 6)
    np.testing.assert_array_equal(part.uniform((2, 1), (1, 2)), whole.uniform((2, 1), (1, 2))[2:5])
    np.testing.assert_array_equal(part.normal((), (1, 2)), whole.normal((), (1, 2))[2:5])
    assert part.uniform((2, 1), (1, 2)).shape == (3, 2, 1)


def test_cond_calls_one_of_two():
    variable = tf.Variable(0.0)

    @tf.function
    def choose(predicate):
        replicas.cond(predicate, variable.assign_add, variable.assign_sub, [tf.constant(2.0)])

    choose(tf.constant(True))
    assert float(variable) == 2.0
    choose(tf.constant(False))
    assert float(variable) == 0.0
