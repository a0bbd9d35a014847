"""TFRecord shards: written, resumed, read back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization.data import records, sources
from colorization.data.skip_report import SkipReport
from tests.data.sources_test import colour_photo


@pytest.fixture
def photos(tmp_path) -> Path:
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    for index in range(5):
        Image.fromarray(colour_photo(index)).save(root / "sub" / f"{index}.png")
    Image.fromarray(np.full((24, 32, 3), 77, np.uint8)).save(root / "grey.png")
    (root / "broken.png").write_bytes(b"no image")
    return root


def plan_of(root: Path, **changes) -> records.ShardPlan:
    settings = {"photos_per_shard": 3, "max_short_side": 64, "jpeg_quality": 95, "seed": 0} | changes
    return records.make_plan(root, sorted(root.rglob("*.png")), **settings)


def test_plan_covers_each_photo_once_and_depends_on_the_seed_only(photos):
    plan = plan_of(photos)
    assert plan.num_shards == 3
    assert plan.shard_name(0) == "photos-00000-of-00003.tfrecord"
    spread = [name for index in range(3) for name in plan.shard_photos(index)]
    assert sorted(spread) == sorted(["broken.png", "grey.png", *(f"sub/{index}.png" for index in range(5))])
    assert plan == plan_of(photos) and plan != plan_of(photos, seed=1)


def test_what_is_written_is_read_back(photos, tmp_path):
    plan, report = plan_of(photos), SkipReport("training")
    assert all(records.write_shard(plan, index, tmp_path, report) for index in range(3))
    assert sorted(report.skipped) == ["broken.png", "grey.png"] and report.num_seen == 7
    files = sources.list_records(str(tmp_path / "photos-*.tfrecord"))
    source = sources.make_record_source(files, report=SkipReport("training"))
    read = {round(rgb[..., 0].mean() / 20): rgb for rgb in source.as_numpy_iterator()}
    assert sorted(read) == list(range(5))
    for index, rgb in read.items():
        np.testing.assert_allclose(rgb, colour_photo(index), atol=12)


def test_shards_that_are_there_are_not_written_again(photos, tmp_path):
    plan = plan_of(photos)
    records.write_shard(plan, 1, tmp_path, SkipReport("training"))
    before = (tmp_path / plan.shard_name(1)).stat().st_mtime_ns
    report = SkipReport("training")
    assert not records.write_shard(plan, 1, tmp_path, report)
    assert (tmp_path / plan.shard_name(1)).stat().st_mtime_ns == before and report.num_seen == 0


def test_other_settings_do_not_mix_with_shards_that_are_there(photos, tmp_path):
    records.write_index(plan_of(photos), tmp_path)
    records.write_index(plan_of(photos), tmp_path)
    with pytest.raises(ValueError, match="index.json"):
        records.write_index(plan_of(photos, jpeg_quality=50), tmp_path)


def test_what_a_full_disk_leaves_is_removed(photos, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(records, "_make_record", refuse)
    with pytest.raises(OSError):
        records.write_shard(plan_of(photos, photos_per_shard=9), 0, tmp_path / "out", SkipReport("prepared"))
    monkeypatch.setattr(records.os, "replace", refuse)
    with pytest.raises(OSError):
        records.write_index(plan_of(photos), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
