import csv
import hashlib
import json
import pathlib

import pytest

from colorization.evaluation import protocol, report


def make_row(file="a.jpg", **values):
    defaults = dict(
        psnr=24.0,
        ssim=0.95,
        ciede2000=9.0,
        colorfulness=20.0,
        grey_psnr=22.0,
        grey_ssim=0.94,
        grey_ciede2000=11.0,
        grey_colorfulness=0.0,
        original_colorfulness=40.0,
    )
    return protocol.PhotoMetrics(file, **(defaults | values))


def test_summary_of_two_photos():
    rows = [make_row(), make_row("b.jpg", psnr=28.0, ciede2000=14.0, colorfulness=50.0, original_colorfulness=30.0)]
    summary = report.summarize(rows)
    assert summary["num_photos"] == 2
    assert summary["result"] == pytest.approx({"psnr": 26.0, "ssim": 0.95, "ciede2000": 11.5, "colorfulness": 35.0})
    assert summary["grey_baseline"] == pytest.approx(
        {"psnr": 22.0, "ssim": 0.94, "ciede2000": 11.0, "colorfulness": 0.0}
    )
    assert summary["gain"] == pytest.approx({"psnr": 4.0, "ssim": 0.01, "ciede2000": -0.5})
    assert summary["original"] == {"colorfulness": 35.0}
    assert summary["colorfulness_delta"] == 0.0  # the means agree,
    assert summary["colorfulness_delta_per_photo"] == 20.0  # no photo does
    assert summary["colorfulness_ratio"] == 1.0


def test_fid_is_reported_with_its_gain():
    summary = report.summarize([make_row()], fids=(30.0, 50.0))
    assert (summary["result"]["fid"], summary["grey_baseline"]["fid"], summary["gain"]["fid"]) == (30.0, 50.0, 20.0)


def test_the_table_shows_grey_and_gain_beside_every_result():
    lines = report.format_summary(report.summarize([make_row()], fids=(30.0, 50.0))).splitlines()
    cells = {line.rsplit(maxsplit=3)[0].strip(): line.split()[-3:] for line in lines[1:6] if "colorfulness" not in line}
    assert cells["PSNR (dB)"] == ["24.00", "22.00", "+2.00"]
    assert cells["SSIM"] == ["0.9500", "0.9400", "+0.0100"]
    assert cells["CIEDE2000 (lower is better)"] == ["9.00", "11.00", "+2.00"]
    assert cells["FID (lower is better)"] == ["30.00", "50.00", "+20.00"]
    assert lines[-1].startswith("colorfulness of the originals 40.00; results reach 50% of it")


def test_grey_originals_have_no_colorfulness_ratio():
    summary = report.summarize([make_row(original_colorfulness=0.0)])
    assert summary["colorfulness_ratio"] is None
    assert "reach" not in report.format_summary(summary)


def test_csv_has_one_named_column_per_field(tmp_path):
    report.write_per_image_csv(tmp_path / "rows.csv", [make_row('a, "b".jpg'), make_row("c/d.jpg", psnr=1 / 3)])
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ['a, "b".jpg', "c/d.jpg"]
    assert rows[1]["psnr"] == "0.333333" and rows[1]["original_colorfulness"] == "40"


def test_json_is_strict(tmp_path):
    report.write_metrics_json(tmp_path / "metrics.json", {"psnr": 1.5, "broken": []})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"psnr": 1.5, "broken": []}
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.write_metrics_json(tmp_path / "metrics.json", {"psnr": float("inf")})


def test_model_hash_covers_names_and_contents(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables/data").write_bytes(b"12")
    expected = hashlib.sha256(b"variables/data\x002\x0012").hexdigest()
    assert report.hash_model(tmp_path) == expected
    (tmp_path / "variables/data").rename(tmp_path / "variables/index")
    assert report.hash_model(tmp_path) != expected
    (tmp_path / "variables/index").unlink()
    with pytest.raises(ValueError, match="no model files"):
        report.hash_model(tmp_path)


def test_versions_name_what_the_numbers_depend_on():
    versions = report.installed_versions()
    assert versions["tensorflow"].startswith("2.") and {"python", "keras", "numpy", "pillow"} <= set(versions)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    for name in ("metrics.json", "per_image.csv"):
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(pathlib.Path, "replace", refuse)
    with pytest.raises(OSError):
        report.write_metrics_json(tmp_path / "metrics.json", {})
    with pytest.raises(OSError):
        report.write_per_image_csv(tmp_path / "per_image.csv", [make_row()])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "metrics.json": "before",
        "per_image.csv": "before",
    }
