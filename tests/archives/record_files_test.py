"""TFRecord files that TensorFlow writes, whole and damaged."""

import pytest

from colorization.archives import record_files
from tests.archives.photos import make_example, write_records

EXAMPLES = [make_example(f"{i}.jpg".encode(), bytes([i]) * (i * 100)) for i in range(4)]


@pytest.fixture
def path(tmp_path):
    write_records(tmp_path / "x.tfrecord", EXAMPLES)
    return str(tmp_path / "x.tfrecord")


def test_records_are_read_in_order_and_by_their_place(path):
    records = list(record_files.scan(path))
    assert [data for _, data in records] == EXAMPLES and records[0][0] == 0
    for offset, data in reversed(records):
        assert record_files.read(path, offset) == data
    assert record_files.parse(EXAMPLES[2]) == ("2.jpg", b"\2" * 200)
    with pytest.raises(ValueError, match="the file ends before byte"):
        record_files.read(path, records[-1][0] + len(EXAMPLES[-1]) + 16)


@pytest.mark.parametrize("place", [3, 9, 30, -1])
def test_damage_is_noticed_where_it_is(path, place):
    offsets = [offset for offset, _ in record_files.scan(path)]
    data = bytearray(open(path, "rb").read())
    position = place if place < 0 else offsets[2] + place
    data[position] ^= 1
    open(path, "wb").write(data)
    read = []
    with pytest.raises(ValueError, match=f"at byte {offsets[3 if place < 0 else 2]}; the rest of it is not read$"):
        read.extend(record_files.scan(path))
        for record in record_files.scan(path):
            read.append(record)
    assert list(_read_until_damage(path)) == EXAMPLES[: 3 if place < 0 else 2]


def _read_until_damage(path):
    try:
        for _, data in record_files.scan(path):
            yield data
    except ValueError:
        return


def test_a_file_that_is_cut_off_or_no_record_file_is_an_error(path, tmp_path):
    data = open(path, "rb").read()
    open(path, "wb").write(data[:-3])
    assert list(_read_until_damage(path)) == EXAMPLES[:3]
    (tmp_path / "text").write_bytes(b"this is no record file at all")
    with pytest.raises(ValueError, match="^no TFRecord file, or damaged, at byte 0"):
        list(record_files.scan(str(tmp_path / "text")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\xff\xff", "no tf.train.Example"), (b"", "has no name"), (make_example(None, b"x"), "has no name")],
)
def test_other_messages_are_refused(data, reason):
    with pytest.raises(ValueError, match=reason):
        record_files.parse(data)
