"""The report of photos that could not be used."""

import csv

from colorization.data.skip_report import SkipReport


def test_names_and_counts_the_skipped(tmp_path, caplog):
    report = SkipReport("training", csv_path=tmp_path / "skipped.csv")
    report.add("b.jpg", "grey")
    report.add("good.jpg", None)
    report.add("a.jpg", "truncated")
    assert not (tmp_path / "skipped.csv").exists() and not caplog.text
    report.finish()
    assert report.summary() == "training: 1 of 3 photos used, 2 skipped\n  a.jpg: truncated\n  b.jpg: grey"
    with open(tmp_path / "skipped.csv", newline="") as file:
        assert list(csv.reader(file)) == [["photo", "reason"], ["a.jpg", "truncated"], ["b.jpg", "grey"]]
    assert report.summary() in caplog.text


def test_only_the_first_pass_counts(caplog):
    report = SkipReport("training")
    report.add("a.jpg", "grey")
    report.finish()
    caplog.clear()
    report.add("a.jpg", "grey")
    report.finish()
    assert report.num_seen == 1 and not caplog.text


def test_a_disk_that_refuses_the_file_is_a_warning(tmp_path, caplog):
    report = SkipReport("training", csv_path=tmp_path / "nowhere" / "skipped.csv")
    report.add("a.jpg", "grey")
    report.finish()
    assert f"{tmp_path / 'nowhere' / 'skipped.csv'}: No such file or directory" in caplog.messages
