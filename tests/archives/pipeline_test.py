"""The list of errors, and that nothing is lost without a word."""

import pytest

from colorization.archives import handler, pipeline, plan, runners


def make_items(count, folder):
    return tuple(plan.Item(f"/in/{i}", None, str(i), (f"{folder}/{i}",), False) for i in range(count))


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (5, [5]), (20, [8, 8, 4]), (1000, [15] * 66 + [10])])
def test_groups_hold_each_photo_once(count, sizes):
    items = make_items(count, "/out")
    groups = pipeline.make_groups(items)
    assert [len(group) for group in groups] == sizes
    assert sum(groups, ()) == items


def test_groups_of_a_large_archive_have_32():
    assert {len(group) for group in pipeline.make_groups(make_items(32 * 99, "/out"))} == {32}


def test_the_list_is_read_as_it_was_written():
    outcomes = [("b\udcff\n", "two\twords"), ("a", "no photo; left out")]
    data = pipeline.make_lines(outcomes)
    assert data == b"a\tno photo; left out\nb\\udcff\\n\ttwo\\twords\n"
    read = pipeline.read_lines(data)
    assert read == [("a", "no photo; left out"), ("b\\udcff\\n", "two\\twords")]
    assert [pipeline.is_left_out(outcome) for outcome in read] == [True, False]


def test_a_runner_that_loses_photos_is_found_out(tmp_path, monkeypatch):
    """Dask's does, of a transform that yields at the end of its bundle."""
    (tmp_path / "0").touch()
    made = plan.Plan(str(tmp_path), make_items(3, tmp_path), 0, (("/in/1", "damaged"),))
    monkeypatch.setattr(runners, "run", lambda build, options: None)
    options = runners.make_options("DirectRunner", num_workers=1, arguments=[])
    with pytest.raises(runners.RunnerError, match="^/in/2 and 0 other photos have neither a result nor a line in"):
        pipeline.colorize(made, handler.Settings(), options)


def test_an_old_list_goes_where_nothing_fails(tmp_path):
    (tmp_path / "errors.tsv").write_text("old\treason\n")
    options = runners.make_options("DirectRunner", num_workers=1, arguments=[])
    assert pipeline.colorize(plan.Plan(str(tmp_path), (), 7, ()), handler.Settings(), options) == []
    assert list(tmp_path.iterdir()) == []
