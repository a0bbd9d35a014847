import shutil

import pytest

from colorization.serving.model import VersionStatus
from colorization.serving.versions import VersionBook, fingerprint


def write_version(base_dir, number, content="graph"):
    (base_dir / str(number) / "variables").mkdir(parents=True, exist_ok=True)
    (base_dir / str(number) / "saved_model.pb").write_text(content)
    (base_dir / str(number) / "variables" / "index").write_text(content)


@pytest.fixture
def book(tmp_path):
    write_version(tmp_path, 9)
    write_version(tmp_path, 10)
    return VersionBook(tmp_path)


def test_the_highest_number_is_chosen(book):
    (book.base_dir / "11").mkdir()  # still empty
    (book.base_dir / ".12.tmp").mkdir()
    assert book.choose() == book.base_dir / "10"


def test_a_refused_version_is_left_alone_until_a_file_changes(book):
    book.refuse(book.choose(), "broken")
    assert book.choose() == book.base_dir / "9"
    book.refuse(book.choose(), "broken too")
    assert book.choose() is None
    write_version(book.base_dir, 10, "mended graph")
    assert book.choose() == book.base_dir / "10"


def test_a_file_that_comes_while_the_version_is_tried_counts(book):
    chosen = book.choose()
    (chosen / "variables" / "data").write_text("arrived late")
    book.refuse(chosen, "no variables/data")
    assert book.choose() == chosen


def test_a_version_that_goes_is_no_choice(book):
    shutil.rmtree(book.base_dir / "10")
    assert book.choose() == book.base_dir / "9"
    shutil.rmtree(book.base_dir)
    assert book.choose() is None
    assert fingerprint(book.base_dir / "10") == frozenset()


def test_states(book):
    book.set_state(9, "AVAILABLE")
    book.choose()
    book.refuse(book.base_dir / "10", "broken")
    assert book.statuses() == [VersionStatus(10, "END", "broken"), VersionStatus(9, "AVAILABLE")]
