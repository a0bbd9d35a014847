"""The benchmark damages what it says, and calls wrong what is wrong; its numbers are not tested."""

import os
import random

import pytest

from benchmarks.faults import broken_state

DIGESTS = {2: "a", 4: "b", 6: "c"}
WARNING = "run/checkpoints/ckpt-6 is damaged (ckpt-6.index: missing); going on from ckpt-4"


@pytest.mark.parametrize("seed", range(5))
def test_damage_is_of_its_kind_and_spares_other_links(tmp_path, seed):
    content = bytes(range(256))
    original = tmp_path / "original"
    original.write_bytes(content)
    damaged = {}
    for kind in set(broken_state.KINDS):
        path = tmp_path / kind
        os.link(original, path)
        broken_state.damage(path, kind, random.Random(seed))
        damaged[kind] = path.read_bytes() if path.exists() else None
    flipped, cut = damaged["a bit flips"], damaged["cut short"]
    assert sum((a ^ b).bit_count() for a, b in zip(flipped, content, strict=True)) == 1
    assert cut == content[: len(cut)] and len(cut) < 256 and damaged["deleted"] is None
    assert original.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "said", "loaded", "outcome"),
    [
        ("ckpt-6.index", [WARNING], "b", "named"),
        ("ckpt-6.index", [WARNING], "c", "silently wrong"),
        ("ckpt-6.index", [WARNING], "x", "silently wrong"),
        ("ckpt-6.data-00000-of-00001", [WARNING], "b", "silently wrong"),
        ("ckpt-6.sha256.json", [WARNING], "b", "named"),
        ("checkpoint", [], "c", "unharmed"),
        ("checkpoint", [], "b", "silently wrong"),
        ("ckpt-6.data-00000-of-00001", [], "c", "silently wrong"),
    ],
)
def test_outcomes(name, said, loaded, outcome):
    assert broken_state.judge_checkpoint(name, said, loaded, DIGESTS) == outcome
