"""What is listed, refused and left out before any work."""

import os

import pytest

from colorization.archives import plan
from tests.archives.photos import make_example, save_photo, write_records


def make_plan(patterns, output_dir, **changes):
    return plan.make_plan(
        [str(pattern) for pattern in patterns], str(output_dir), **{"num_samples": 1, "overwrite": False} | changes
    )


def test_photos_keep_their_tree_below_the_fixed_folder(tmp_path):
    for name in ("1950/a.jpg", "1950/aunt/b.png", "1960/c", "out/1950/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    made = make_plan([tmp_path / "**"], tmp_path / "out")
    assert made.num_there == 1 and made.errors == ()
    assert [(item.label, item.outputs, item.is_guess) for item in made.items] == [
        (f"{tmp_path}/1950/aunt/b.png", (f"{tmp_path}/out/1950/aunt/b.png",), False),
        (f"{tmp_path}/1960/c", (f"{tmp_path}/out/1960/c",), True),
    ]
    everything = make_plan([tmp_path / "19*/**"], tmp_path / "out", overwrite=True, num_samples=2)
    assert everything.num_there == 0
    assert everything.items[0].outputs == (f"{tmp_path}/out/1950/a_1.jpg", f"{tmp_path}/out/1950/a_2.jpg")
    assert plan.find_missing(everything.items, everything.output_dir) == list(everything.items)


def test_a_folder_in_a_results_place_is_no_result(tmp_path):
    save_photo(tmp_path / "in" / "a.jpg")
    (tmp_path / "out" / "a.jpg").mkdir(parents=True)
    assert make_plan([tmp_path / "in/*"], tmp_path / "out").num_there == 0


@pytest.mark.parametrize(
    ("patterns", "output_dir", "reason"),
    [
        (["in/*.gif"], "out", "in/\\*.gif: no file matches$"),
        (["in"], "out", "in: no file matches; for all files of a folder say .*/in/\\*\\*$"),
        (["in/**"], "in", "in/a.jpg: its result would replace the input .*in/a.jpg; choose another folder$"),
        (["in/*.jpg"], ".", None),
        (["in/*.jpg", "other/*"], "out", "in/a.jpg and .*other/a.jpg: both would be written to .*out/a.jpg$"),
        (["link/a.jpg"], "in", "its result would replace the input"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path, monkeypatch, patterns, output_dir, reason):
    monkeypatch.chdir(tmp_path)
    save_photo(tmp_path / "in" / "a.jpg")
    save_photo(tmp_path / "other" / "a.jpg")
    (tmp_path / "link").mkdir()
    os.symlink(tmp_path / "in" / "a.jpg", tmp_path / "link" / "a.jpg")
    if reason is None:
        assert len(make_plan(patterns, output_dir).items) == 1
        return
    with pytest.raises(ValueError, match=reason) as info:
        make_plan(patterns, output_dir)
    assert "\n" not in str(info.value)


def test_records_have_places_and_bad_ones_are_errors(tmp_path):
    names = [b"a/b.jpg", b"../c.jpg", b"/etc/d.jpg", None, b"errors.tsv", b".e.jpg", b"f\xff.jpg"]
    path = tmp_path / "x.tfrecord-00000-of-00001"
    write_records(path, [make_example(name, b"x") for name in names])
    with open(path, "ab") as file:
        file.write(b"damage")
    made = make_plan([f"{tmp_path}/x.tfrecord-*"], tmp_path / "out")
    assert [(item.source, item.offset > 0, item.name) for item in made.items] == [
        (str(path), False, "a/b.jpg"),
        (str(path), True, "f\udcff.jpg"),
    ]
    assert made.items[0].label == f"{path}: a/b.jpg"
    reasons = [reason for _, reason in made.errors]
    assert reasons[:2] == ["its name leads out of the output folder"] * 2
    assert reasons[2] == "the tf.train.Example has no name"
    assert reasons[3:5] == ["its result would have the name of the list of errors", "its name is hidden"]
    assert "damaged, at byte" in reasons[5] and made.errors[5][0] == str(path) and len(reasons) == 6


def test_two_records_of_one_name_are_refused(tmp_path):
    write_records(tmp_path / "x.tfrecord", [make_example(b"a.jpg", b"x")] * 2)
    with pytest.raises(ValueError, match="both would be written to"):
        make_plan([tmp_path / "x.tfrecord"], tmp_path / "out")
