"""What the benchmark calls wrong after a kill; its numbers are not tested."""

import pytest

from benchmarks.faults.kills import training
from benchmarks.faults.kills.tally import Tally
from colorization import checksums

BAR = "\r  0%| | 20/800 [00:00<?, ?img/s]\r 5%| | {last}/800 [00:02<00:09, 60img/s]"


@pytest.mark.parametrize(
    ("log", "before", "after", "problem"),
    [
        (BAR.format(last=40), 10, 20, None),
        (BAR.format(last=40), 10, 15, None),
        ("", 10, 10, None),
        (BAR.format(last=40), 10, 10, "it came to step 20, and the newest checkpoint is 10"),
        (BAR.format(last=20), 5, 10, "it began at step 10, and the newest checkpoint was 5"),
        ("", 10, 5, "checkpoint 10 is gone"),
        ("Traceback (most recent call last):", 0, 0, "a traceback"),
    ],
)
def test_problems(log, before, after, problem):
    problems = training.find_problems(log, before, after)
    assert len(problems) == (problem is not None) and (problem or "") in "".join(problems)


def test_newest_whole_and_unfinished(tmp_path):
    folder = tmp_path / "checkpoints"
    assert training.find_newest_whole(tmp_path) == 0 and training.list_unfinished(tmp_path) == set()
    folder.mkdir()
    for step in (5, 10):
        (folder / f"ckpt-{step}.index").write_bytes(b"whole")
        checksums.write_manifest(folder / f"ckpt-{step}.sha256.json", folder, [folder / f"ckpt-{step}.index"])
    assert training.find_newest_whole(tmp_path) == 10 and training.list_unfinished(tmp_path) == set()
    (folder / "ckpt-15_temp").mkdir()
    (folder / "ckpt-15.index").write_bytes(b"half")
    assert {name for name, *_ in training.list_unfinished(tmp_path)} == {"ckpt-15_temp", "ckpt-15.index"}
    (folder / "ckpt-10.index").write_bytes(b"other")
    assert training.find_newest_whole(tmp_path) == 5


def test_tally_counts_a_kill_with_problems_once(capsys):
    tally = Tally("`train`")
    tally.add_kill(in_write=True, problems=[])
    tally.add_kill(in_write=False, problems=["first", "second"])
    assert tally.format_row() == "| `train` | 2 | 1 | 1 | 1 |"
    assert capsys.readouterr().err.count("after kill 2") == 2
