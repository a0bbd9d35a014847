"""The report of photos that could not be used."""

import csv

from colorization.data.skip_report import SkipReport


def test_names_and_counts_the_skipped(tmp_path, caplog):
    report = SkipReport(num_total=3, csv_path=tmp_path / "skipped.csv")
    report.add("b.jpg", "grey")
    report.add("good.jpg", None)
    assert not (tmp_path / "skipped.csv").exists()
    report.add("a.jpg", "truncated")
    assert report.summary() == "1 of 3 photos used, 2 skipped\n  a.jpg: truncated\n  b.jpg: grey"
    with open(tmp_path / "skipped.csv", newline="") as file:
        assert list(csv.reader(file)) == [["photo", "reason"], ["a.jpg", "truncated"], ["b.jpg", "grey"]]
    assert "1 of 3 photos used" in caplog.text


def test_only_the_first_pass_counts():
    report = SkipReport(num_total=1)
    report.add("a.jpg", "grey")
    report.add("a.jpg", "grey")
    assert report.num_seen == 1
