"""The mean of the weights of networks of the same shape."""

import keras
import numpy as np
import pytest

from colorization.training.averaging import average_weights


def make_network(
    value: float, kernel_size: int = 1, num_layers: int = 1, *, names: tuple[str, ...] = ("chroma_0", "chroma_1")
) -> keras.Model:
    """All weights have this value."""
    x = inputs = keras.Input((None, None, 3))
    for i in range(num_layers):
        x = keras.layers.Conv2D(3, kernel_size, padding="same", name=names[i])(x)
    network = keras.Model(inputs, x)
    for variable in network.variables:
        variable.assign(np.full(variable.shape, value))
    return network


def read(network: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable) for variable in network.variables}


def test_all_have_equal_shares():
    network = make_network(1.0)
    means = average_weights(network, [("two", read(make_network(2.0))), ("six", read(make_network(6.0)))])
    assert means.keys() == {"chroma_0/kernel", "chroma_0/bias"}
    for path, mean in means.items():
        expected = np.full(read(network)[path].shape, 3.0, np.float32)
        np.testing.assert_array_equal(mean, expected, strict=True)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_network(1.0, kernel_size=3), "^one: its chroma_0/kernel has shape .3, 3, 3, 3., [^\n]*$"),
        (make_network(1.0, num_layers=2), "^one: the network that the flags describe has no weight chroma_1/[^\n]*$"),
    ],
)
def test_a_model_of_another_network_is_named(other, message):
    with pytest.raises(ValueError, match=message):
        average_weights(make_network(1.0), [("one", read(other))])


def test_restraint_stays_the_networks_own():
    names = ("chroma_0", "restraint_conv")
    restrained, other = (make_network(value, num_layers=2, names=names) for value in (1.0, 5.0))
    plain = make_network(3.0)
    means = average_weights(restrained, [("plain", read(plain)), ("other", read(other))])
    assert {path: float(mean.mean()) for path, mean in means.items()} == {
        "chroma_0/kernel": 3.0,
        "chroma_0/bias": 3.0,
        "restraint_conv/kernel": 1.0,
        "restraint_conv/bias": 1.0,
    }
    means = average_weights(restrained, [("plain", read(plain))])
    assert float(means["chroma_0/bias"].mean()) == 2.0 and float(means["restraint_conv/bias"].mean()) == 1.0
    assert average_weights(plain, [("restrained", read(restrained))]).keys() == {"chroma_0/kernel", "chroma_0/bias"}


def test_a_model_that_lacks_weights_is_named():
    with pytest.raises(ValueError, match="^one: it has no weight chroma_1/bias$"):
        average_weights(make_network(1.0, num_layers=2), [("one", read(make_network(1.0)))])
