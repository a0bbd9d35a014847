"""The mean of the weights of networks and exported versions."""

import keras
import numpy as np
import pytest

from colorization import models
from colorization.inference.saved_model import export_saved_model
from colorization.training.averaging import average_with_versions


def make_generator(value: float, kernel_size: int = 1) -> keras.Model:
    """All weights have this value."""
    l, z = keras.Input((None, None, 1), name="l"), keras.Input((2,), name="z")
    hints = keras.Input((None, None, 3), name="hints")
    ab = keras.layers.Conv2D(2, kernel_size, padding="same", name="chroma")(keras.layers.Concatenate()([l, hints]))
    return fill(keras.Model([l, z, hints], ab + keras.layers.Reshape((1, 1, 2))(z)), value)


def fill(network: keras.Model, value: float) -> keras.Model:
    for variable in network.variables:
        variable.assign(np.full(variable.shape, value))
    return network


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Of weights 2 and 6, 3 and 9 in the noise encoder; the last has another kernel."""
    folder = tmp_path_factory.mktemp("models")
    for value, kernel_size in ((2.0, 1), (6.0, 1), (2.0, 3)):
        noise_encoder = fill(models.build_noise_encoder(z_dim=2), 1.5 * value)
        export_saved_model(
            make_generator(value, kernel_size),
            folder,
            noise_encoder=noise_encoder,
            work_size=32,
            saturation=0.9,
            provenance={"of": value},
        )
    return folder


def test_all_have_equal_shares(versions):
    networks = {"generator": make_generator(1.0), "noise_encoder": fill(models.build_noise_encoder(z_dim=2), 3.0)}
    assert average_with_versions(networks, [versions / "1", versions / "2"]) == [{"of": 2.0}, {"of": 6.0}]
    for name, expected in (("generator", 3.0), ("noise_encoder", 5.0)):
        assert len(networks[name].variables) >= 2
        for variable in networks[name].variables:
            np.testing.assert_array_equal(variable, np.full(variable.shape, expected, np.float32))


def test_other_networks_are_named_and_nothing_changes(versions):
    generator = make_generator(1.0)
    with pytest.raises(ValueError, match=f"^{versions / '3'}: its chroma/kernel has shape .3, 3, 4, 2., [^\\n]*$"):
        average_with_versions({"generator": generator}, [versions / "1", versions / "3"])
    with pytest.raises(ValueError, match=f"^{versions / '7'}[^\\n]*$"):
        average_with_versions({"generator": generator}, [versions / "7"])
    deeper = fill(keras.Model(generator.inputs, keras.layers.Conv2D(2, 1, name="more")(generator.output)), 1.0)
    with pytest.raises(ValueError, match=f"^{versions / '1'}: its generator has no weight more/bias$"):
        average_with_versions({"generator": deeper}, [versions / "1"])
    assert all((np.asarray(variable) == 1.0).all() for variable in generator.variables)
