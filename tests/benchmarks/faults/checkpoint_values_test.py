"""Variables are compared bit for bit."""

import numpy as np
import tensorflow as tf

from benchmarks.faults import checkpoint_values


def test_variables_are_read_and_compared(tmp_path):
    checkpoint = tf.train.Checkpoint(a=tf.Variable([1.0, 2.0]), b=tf.Variable(3.0))
    checkpoint.write(str(tmp_path / "checkpoints" / "ckpt-5"))
    variables = checkpoint_values.read_variables(tmp_path, 5)
    assert {name.split("/")[0] for name in variables} == {"a", "b"}
    assert checkpoint_values.find_differing(variables, dict(variables)) == []
    (first, second) = sorted(variables)
    changed = variables | {first: np.nextafter(variables[first], np.float32(9))}
    assert checkpoint_values.find_differing(variables, changed) == [first]
    assert checkpoint_values.find_differing(variables, {first: variables[first]}) == [second]
