"""Photos from files, TFDS and shards."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization.data import sources
from colorization.data.skip_report import SkipReport


def colour_photo(index: int, height: int = 24, width: int = 32) -> np.ndarray:
    """A smooth photo whose mean red tells its index."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0] = 20 * index
    rgb[..., 1] = np.linspace(0, 200, width, dtype=np.uint8)
    rgb[..., 2] = 128
    return rgb


@pytest.fixture
def folder(tmp_path) -> Path:
    """Six good photos in six formats, one grey, one broken."""
    for index, suffix in enumerate(["png", "jpg", "webp", "bmp", "tiff", "gif"]):
        Image.fromarray(colour_photo(index)).save(tmp_path / f"photo{index}.{suffix}", **({"quality": 95}))
    Image.fromarray(np.full((24, 32, 3), 77, np.uint8)).save(tmp_path / "grey.png")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "photo1.jpg").read_bytes()[:200])
    return tmp_path


def read_all(dataset: tf.data.Dataset) -> list[np.ndarray]:
    return list(dataset.as_numpy_iterator())


def test_file_source_reads_every_format_and_names_what_it_skips(folder, caplog):
    files = sorted(folder.iterdir())
    report = SkipReport("training")
    photos = read_all(sources.make_file_source(files, max_short_side=64, report=report))
    assert [photo.shape for photo in photos] == [(24, 32, 3)] * 6
    np.testing.assert_allclose([photo[..., 0].mean() for photo in photos], [0, 20, 40, 60, 80, 100], atol=8)
    assert report.num_seen == 8
    assert sorted(Path(name).name for name in report.skipped) == ["broken.jpg", "grey.png"]
    assert report.skipped[str(folder / "grey.png")] == "grey"
    assert "broken.jpg" in report.skipped[str(folder / "broken.jpg")]
    assert "training: 6 of 8 photos used, 2 skipped" in caplog.text


def test_file_source_shrinks(folder):
    files = sorted(folder.glob("photo*"))
    in_order = read_all(sources.make_file_source(files, max_short_side=12, report=SkipReport("training")))
    assert {photo.shape for photo in in_order} == {(12, 16, 3)}


def test_shuffled_files_stay_in_order_when_others_come_or_go_and_when_the_folder_moves():
    root = Path("photos")
    files = [root / f"{index}.jpg" for index in range(100)]
    shuffled = sources.shuffle_by_hash(root, files, seed=1)
    assert sorted(shuffled) == sorted(files) and shuffled != files
    assert sources.shuffle_by_hash(root, files[::-1], seed=1) == shuffled
    assert sources.shuffle_by_hash(root, files, seed=2) != shuffled
    some = {file for file in files if int(file.stem) % 10}
    assert sources.shuffle_by_hash(root, sorted(some), seed=1) == [file for file in shuffled if file in some]
    moved = [Path("elsewhere") / file.name for file in files]
    assert sources.shuffle_by_hash(Path("elsewhere"), moved, seed=1) == [Path("elsewhere") / f.name for f in shuffled]


def test_split_is_stable_when_photos_come_and_go():
    root = Path("photos")
    files = [root / f"{index}.jpg" for index in range(2000)]
    train, val = sources.split_by_hash(root, files, val_percent=10.0)
    assert sorted(train + val) == sorted(files)
    assert 150 < len(val) < 250
    moved = [Path("elsewhere") / file.name for file in files[::2]]
    _, val_of_half = sources.split_by_hash(Path("elsewhere"), moved, val_percent=10.0)
    assert {file.name for file in val_of_half} == {file.name for file in val} & {file.name for file in files[::2]}


def test_split_of_a_small_folder_leaves_one_for_validation():
    files = [Path(f"photos/{index}.jpg") for index in range(4)]
    train, val = sources.split_by_hash(Path("photos"), files, val_percent=0.01)
    assert len(train) == 3 and len(val) == 1 and set(train + val) == set(files)


def test_missing_shards_are_named(tmp_path):
    with pytest.raises(ValueError, match="nothing-.*no TFRecord shard"):
        sources.list_records(str(tmp_path / "nothing-*.tfrecord"))


def test_tfds_source_reads_skips_grey_and_shrinks(tmp_path, caplog):
    import tensorflow_datasets as tfds

    class TinyPhotos(tfds.core.GeneratorBasedBuilder):
        """Three photos, the second one grey."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for index in range(3):
                yield index, {"image": np.full((24, 32, 3), 9, np.uint8) if index == 1 else colour_photo(index)}

    TinyPhotos(data_dir=tmp_path).download_and_prepare()
    report = SkipReport("training")
    source = sources.make_tfds_source("tiny_photos", split="train", max_short_side=12, report=report, data_dir=tmp_path)
    photos = read_all(source)
    assert [photo.shape for photo in photos] == [(12, 16, 3)] * 2
    assert sorted(round(photo[..., 0].mean() / 20) for photo in photos) == [0, 2]
    assert list(report.skipped.values()) == ["grey"] and report.num_seen == 3
    assert "training: 2 of 3 photos used" in caplog.text


def test_tfds_data_that_is_not_on_disk_says_offline_what_to_do(tmp_path, monkeypatch):
    def unreachable(*args):
        raise OSError("name not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    with pytest.raises(ValueError, match="--tfds=imagenette: can't be used: name not known.*tfds build imagenette"):
        sources.make_tfds_source(
            "imagenette", split="train", max_short_side=12, report=SkipReport("training"), data_dir=str(tmp_path)
        )


def test_unknown_tfds_name_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="--tfds=no_such_photos.*--data_dir"):
        sources.make_tfds_source(
            "no_such_photos", split="train", max_short_side=12, report=SkipReport("training"), data_dir=str(tmp_path)
        )
