"""Names of what is unfinished, and what is done with it when nobody finishes it."""

import os
import time

from colorization import unfinished


def age(path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_path_is_hidden_new_and_known_for_what_it_is(tmp_path):
    first, second = unfinished.make_path(tmp_path), unfinished.make_path(tmp_path)
    assert first != second and first.parent == tmp_path and first.name.startswith(".") and first.suffix == ".tmp"


def test_only_leftovers_that_have_not_changed_for_an_hour_are_removed(tmp_path):
    old_file, new_file, old_folder, busy_folder = (unfinished.make_path(tmp_path) for _ in range(4))
    others = [tmp_path / name for name in (".hidden", "photo.tmp", ".0123.tmp", "photo.jpg")]
    for path in (old_file, new_file, *others):
        path.write_bytes(b"half")
    for folder in (old_folder, busy_folder):
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "data").write_bytes(b"half")
        for path in (folder / "variables", folder):
            age(path, 4000)
    age(old_folder / "variables" / "data", 4000)
    for path in (old_file, *others):
        age(path, 4000)
    unfinished.remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {new_file, busy_folder, *others}


def test_a_missing_folder_has_no_leftovers(tmp_path):
    unfinished.remove_leftovers(tmp_path / "missing")
