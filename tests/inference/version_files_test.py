import json

import pytest

from colorization.inference import version_files

(SHIPPED_DIR,) = [folder for folder in version_files.shipped_dirs("colorizer") if folder.is_dir()]


def test_the_highest_version_is_found(tmp_path):
    for name in ("2", "10", "9", "99", "old"):
        (tmp_path / name).mkdir()
        if name != "99":
            (tmp_path / name / "saved_model.pb").touch()
    assert version_files.find_version_dir(tmp_path) == tmp_path / "10"
    assert version_files.find_version_dir(tmp_path / "9") == tmp_path / "9"


def test_the_shipped_model_is_found_in_the_wheel_and_in_the_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(version_files, "_PACKAGE_DIR", tmp_path / "colorization")
    with pytest.raises(version_files.ModelError, match="no model found"):
        version_files.find_version_dir()
    for base in (tmp_path, tmp_path / "colorization"):
        version_dir = base / "saved_models" / "colorizer" / "1"
        version_dir.mkdir(parents=True)
        (version_dir / "saved_model.pb").touch()
        assert version_files.find_version_dir() == version_dir


def test_versions_are_sorted_as_numbers(tmp_path):
    for name in ("1", "10", "2", "11", "backup", ".tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "12").touch()
    assert [path.name for path in version_files.list_versions(tmp_path)] == ["1", "2", "10", "11"]
    assert version_files.list_versions(tmp_path / "missing") == []


def test_files_are_checked_against_checksums_if_there_are_any(tmp_path):
    path = tmp_path / "assets.extra" / "colorizer.json"
    path.parent.mkdir()
    path.write_text("{}")
    version_files.check_files(tmp_path)
    version_files.write_checksums(tmp_path)
    version_files.check_files(tmp_path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="altered since it was written"):
        version_files.check_files(tmp_path)


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_shipped_models_are_what_was_exported(version):
    version_dir = SHIPPED_DIR / version
    assert (version_dir / version_files.CHECKSUMS_PATH).is_file()
    version_files.check_files(version_dir)


def test_a_name_that_is_too_long_names_no_model():
    with pytest.raises(version_files.ModelError, match="aaa: no model found"):
        version_files.find_version_dir("a" * 300)


@pytest.mark.parametrize(
    ("info", "culprit"),
    [
        ({"work_size": 0, "z_dim": 2}, "work_size"),
        ({"work_size": 1_000_000, "z_dim": 2}, "work_size"),
        ({"work_size": "64", "z_dim": 2}, "work_size"),
        ({"work_size": 64, "z_dim": 10**12}, "z_dim"),
        ({"work_size": 64}, "z_dim"),
        ([], "work_size"),
    ],
)
def test_sizes_that_no_model_has_are_refused(tmp_path, info, culprit):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "colorizer.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match=f"colorizer.json: {culprit} must be a number from 1 to"):
        version_files.read_sizes(tmp_path)
