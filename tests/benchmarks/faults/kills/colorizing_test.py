"""What the benchmark calls wrong in a folder of results."""

from benchmarks.faults.kills import colorizing


def test_results_are_whole_and_left_alone(tmp_path):
    expected = {"a.png": b"aa", "b.png": b"bb"}
    (tmp_path / "a.png").write_bytes(b"aa")
    (tmp_path / ".0123456789abcdef.tmp").write_bytes(b"b")
    assert [path.name for path in colorizing.list_results(tmp_path)] == ["a.png"]
    assert colorizing.find_problems(tmp_path, {}, {"a.png": (1, 2)}, expected) == []
    assert colorizing.find_problems(tmp_path, {"a.png": (1, 2)}, {"a.png": (1, 2)}, expected) == []
    for after in ({}, {"a.png": (1, 3)}, {"a.png": (2, 2)}):
        problems = colorizing.find_problems(tmp_path, {"a.png": (1, 2)}, after, expected)
        assert problems == ["a.png is gone or was written again"]
    (tmp_path / "b.png").write_bytes(b"b")
    problems = colorizing.find_problems(tmp_path, {}, {"b.png": (1, 2)}, expected)
    assert problems == ["b.png is not what an uninterrupted run writes"]
