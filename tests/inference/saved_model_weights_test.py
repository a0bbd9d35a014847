"""Weights that are read back from what `export_saved_model` wrote."""

import json
import re
import shutil

import numpy as np
import pytest

from colorization import models
from colorization.inference import saved_model, version_files


def test_weights_are_read_by_name(tiny_model_dir, tiny_generator, tiny_noise_encoder):
    for part, network in (("generator", tiny_generator), ("noise_encoder", tiny_noise_encoder)):
        weights = saved_model.read_weights(tiny_model_dir / "1", part)
        assert list(weights) == [variable.path for variable in network.variables]
        for variable in network.variables:
            np.testing.assert_array_equal(weights[variable.path], variable)


@pytest.mark.parametrize(
    "damage, message",
    [
        ("no info", "No such file or directory"),
        ("no names", "it is older than colour hints and does not name its weights"),
        ("too few names", ""),
        ("no weights", ""),
    ],
)
def test_weights_that_cannot_be_read_are_one_line(tiny_model_dir, tmp_path, damage, message):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "1")
    path = tmp_path / "1" / "assets.extra" / "colorizer.json"
    path.with_name("checksums.json").unlink()
    info = json.loads(path.read_text())
    names = info.pop("weights")
    if damage == "no info":
        path.unlink()
    elif damage == "no weights":
        shutil.rmtree(tmp_path / "1" / "variables")
    else:
        path.write_text(json.dumps(info if damage == "no names" else info | {"weights": names[:-1]}))
    with pytest.raises(ValueError, match=f"its weights can't be read: .*{message}") as caught:
        saved_model.read_weights(tmp_path / "1", "generator")
    assert str(caught.value).startswith(f"{tmp_path / '1'}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("build", [models.build_mobilenet_unet, models.build_pix2pix_unet])
def test_weights_of_the_generators_have_one_name_each_and_always_the_same(build):
    first, second = ([variable.path for variable in build(z_dim=2).variables] for _ in range(2))
    assert first == second and len(set(first)) == len(first)


def test_altered_weights_are_not_read(tiny_model_dir, tmp_path):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "1")
    path = tmp_path / "1" / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: altered since it was written (checksum differs)")):
        saved_model.read_weights(tmp_path / "1", "generator")
    version_files.write_checksums(tmp_path / "1")
    assert len(saved_model.read_weights(tmp_path / "1", "generator")) == 8
