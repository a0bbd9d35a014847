"""Photos for training and validation, whole and in shards."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization.data import records, training_sources
from colorization.data.skip_report import SkipReport
from tests.data.sources_test import colour_photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve photos."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(12):
        Image.fromarray(colour_photo(index)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory) -> str:
    """Glob of four TFRecord files of three photos each."""
    output_dir = tmp_path_factory.mktemp("shards")
    files = sorted(folder.iterdir())
    plan = records.make_plan(folder, files, photos_per_shard=3, max_short_side=64, jpeg_quality=95, seed=0)
    for index in range(plan.num_shards):
        records.write_shard(plan, index, output_dir, SkipReport("shards"))
    return str(output_dir / "*.tfrecord")


def indices(photos: tf.data.Dataset) -> list[int]:
    return [round(float(rgb[..., 0].mean()) / 20) for rgb in photos.as_numpy_iterator()]


def open_folder(folder: Path, report_dir: Path, **changes):
    settings = {"num_shards": 1, "val_percent": 20.0, "num_val_photos": 2, "max_short_side": 64, "seed": 0}
    return training_sources.open_folder(folder, None, report_dir=report_dir, **(settings | changes))


def test_shards_of_a_folder_are_all_of_it_and_each_has_its_own_report(folder, tmp_path):
    make_whole, val = open_folder(folder, tmp_path)
    whole = indices(make_whole(0))
    make_train, same_val = open_folder(folder, tmp_path, num_shards=3)
    parts = [indices(make_train(shard)) for shard in range(3)]
    assert [whole[shard::3] for shard in range(3)] == parts
    assert indices(val) == indices(same_val) and not set(whole) & set(indices(val))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"skipped.csv", *(f"skipped-0000{shard}-of-00003.csv" for shard in range(3))}


def test_a_folder_of_fewer_photos_than_shards_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="can't be dealt into 13 shards"):
        open_folder(folder, tmp_path, num_shards=13)


@pytest.fixture(scope="module")
def grouped(folder, tmp_path_factory) -> Path:
    """A folder "even" of the odd photos and a broken one; the even ones, 2 to 10, are in its subfolder "even"."""
    root = tmp_path_factory.mktemp("grouped") / "even"
    (root / "even").mkdir(parents=True)
    for index in range(1, 12):
        shutil.copy(folder / f"{index}.png", root / "even" if index % 2 == 0 else root)
    (root / "broken.png").write_bytes(b"no image")
    return root


def test_subfolders_with_a_share_are_groups_and_all_others_are_one(grouped, folder, tmp_path):
    val_dir = tmp_path / "val"
    val_dir.mkdir()
    shutil.copy(folder / "0.png", val_dir)
    settings = {"val_percent": 20.0, "num_val_photos": 1, "max_short_side": 64, "seed": 0}
    settings |= {"group_shares": {"even": 0.2}, "report_dir": tmp_path}
    make_train, _ = training_sources.open_folder(grouped, val_dir, num_shards=1, **settings)
    groups = {tuple(sorted(indices(group.photos))): group.share for group in make_train(0)}
    assert groups == {(2, 4, 6, 8, 10): 0.2, (1, 3, 5, 7, 9, 11): pytest.approx(7 / 12)}
    assert {path.name for path in tmp_path.glob("*.csv")} == {"skipped.csv", "skipped-even.csv"}
    assert "broken.png" in (tmp_path / "skipped.csv").read_text()

    make_part, _ = training_sources.open_folder(grouped, val_dir, num_shards=2, **settings)
    parts = [{group.share: indices(group.photos) for group in make_part(shard)} for shard in range(2)]
    assert sorted(parts[0][0.2] + parts[1][0.2]) == [2, 4, 6, 8, 10] and {len(part[0.2]) for part in parts} == {2, 3}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"cats": 1.0}, "cats: has a share, but no photos for training"),
        ({"1.png": 1.0}, "1.png: has a share, but no photos for training"),
    ],
)
def test_a_share_of_no_subfolder_is_refused(grouped, tmp_path, shares, message):
    with pytest.raises(ValueError, match=message):
        open_folder(grouped, tmp_path, val_percent=0.01, group_shares=shares)


def test_shares_of_0_for_all_are_refused(grouped, tmp_path):
    shutil.copytree(grouped / "even", tmp_path / "photos" / "even")
    with pytest.raises(ValueError, match="photos: the shares of all its photos are 0"):
        open_folder(tmp_path / "photos", tmp_path, group_shares={"even": 0.0})


def test_shards_of_records_are_whole_files_and_the_first_file_is_for_validation(shards, tmp_path):
    make_train, val = training_sources.open_records(shards, num_shards=2, num_val_photos=2, report_dir=tmp_path)
    parts = [indices(make_train(shard)) for shard in range(2)]
    assert [len(part) for part in parts] == [6, 3] and len(indices(val)) == 2
    all_indices = sum(parts, indices(val))
    assert len(set(all_indices)) == len(all_indices) == 11
    with pytest.raises(ValueError, match="4 files, one of them for validation, can't be dealt into 4 shards"):
        training_sources.open_records(shards, num_shards=4, num_val_photos=2, report_dir=tmp_path)


def test_one_shard_of_records_leaves_out_the_photos_for_validation_only(shards, tmp_path):
    make_train, val = training_sources.open_records(shards, num_shards=1, num_val_photos=4, report_dir=tmp_path)
    assert sorted(indices(make_train(0)) + indices(val)) == list(range(12)) and len(indices(val)) == 4


def test_records_can_be_read_without_python(shards, tmp_path):
    def operations(in_python: bool) -> str:
        make_train, _ = training_sources.open_records(
            shards, num_shards=1, num_val_photos=2, report_dir=tmp_path, in_python=in_python
        )
        return str(tf.raw_ops.DatasetToGraphV2(input_dataset=make_train(0)._variant_tensor).numpy())

    assert "PyFunc" in operations(True) and "PyFunc" not in operations(False)
    make_train, _ = training_sources.open_records(
        shards, num_shards=1, num_val_photos=2, report_dir=tmp_path, in_python=False
    )
    assert len(indices(make_train(0))) == 10


def test_shards_of_a_tfds_set_are_parts_of_its_split(tmp_path):
    import tensorflow_datasets as tfds

    class TwelvePhotos(tfds.core.GeneratorBasedBuilder):
        """Twelve photos."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": ((index, {"image": colour_photo(index)}) for index in range(12))}

        def _generate_examples(self):
            raise NotImplementedError

    TwelvePhotos(data_dir=tmp_path).download_and_prepare()
    settings = {"val_percent": 25.0, "num_val_photos": 2, "max_short_side": 64, "report_dir": tmp_path}
    make_train, val = training_sources.open_tfds("twelve_photos", str(tmp_path), num_shards=3, **settings)
    parts = [indices(make_train(shard)) for shard in range(3)]
    assert [len(part) for part in parts] == [3, 3, 3] and len(indices(val)) == 2
    assert len(set(sum(parts, indices(val)))) == 11
    assert np.concatenate(parts).min() >= 0
