"""Files of this machine, and of a file system that Beam does not know by itself."""

import io
import os
import re

import pytest
from apache_beam.io.filesystem import FileMetadata, FileSystem

from colorization.archives import files


class MemoryFileSystem(FileSystem):
    """Of mem:// URLs, as HDFS is: with folders, renaming, and files that are there before they are whole."""

    contents: dict[str, bytes] = {}
    created: list[str] = []

    @classmethod
    def scheme(cls):
        return "mem"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return path.rsplit("/", 1)

    def mkdirs(self, path):
        self.contents[path + "/"] = b""

    def has_dirs(self):
        return True

    def _list(self, dir_or_prefix):
        for path, data in list(self.contents.items()):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(data))

    def create(self, path, mime_type=None, compression_type=None):
        self.created.append(path)
        contents = self.contents

        class File(io.BytesIO):
            def close(self):
                contents[path] = self.getvalue()
                super().close()

        return File()

    def open(self, path, mime_type=None, compression_type=None):
        if path not in self.contents:
            raise OSError(2, "No such file")
        return io.BytesIO(self.contents[path])

    def rename(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            assert destination not in self.contents
            self.contents[destination] = self.contents.pop(source)

    def exists(self, path):
        return path in self.contents or path + "/" in self.contents

    def delete(self, paths):
        for path in paths:
            del self.contents[path]

    def copy(self, *args):
        raise NotImplementedError

    def size(self, path):
        return len(self.contents[path])

    def last_updated(self, path):
        return 0.0

    def metadata(self, path):
        return FileMetadata(path, len(self.contents[path]))


@pytest.fixture
def memory():
    MemoryFileSystem.contents, MemoryFileSystem.created = {}, []
    return MemoryFileSystem


@pytest.fixture
def tree(tmp_path):
    for name in ("a.jpg", "b.png", ".hidden.jpg", "sub/c.jpg", "sub/deep/d.jpg", ".git/e.jpg", "x[1].jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**", ["a.jpg", "b.png", "sub/c.jpg", "sub/deep/d.jpg", "x[1].jpg"]),
        ("*", ["a.jpg", "b.png", "x[1].jpg"]),
        ("*/*.jpg", ["sub/c.jpg"]),
        ("**.jpg", ["a.jpg", "sub/c.jpg", "sub/deep/d.jpg", "x[1].jpg"]),
        ("[ab].*", ["a.jpg", "b.png"]),
        ("?.png", ["b.png"]),
        ("x[1].jpg", ["x[1].jpg"]),
        ("sub", []),
        ("missing/**", []),
    ],
)
def test_a_pattern_finds_what_is_not_hidden(tree, pattern, names):
    folder, found = files.find_files(f"{tree}/{pattern}")
    assert [os.path.relpath(path, tree) for path in found] == names
    assert folder == str(tree / "missing" if "missing" in pattern else tree)


def test_patterns_mean_the_same_in_every_folder(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert files.normalize("*.png") == f"{tree}/*.png" and files.normalize("gs://b/x/") == "gs://b/x"


def test_a_url_that_nothing_reads_is_one_line():
    with pytest.raises(files.FilesError, match="^nosuch://b/\\*: Unable to get filesystem from specified path[^\n]*$"):
        files.find_files("nosuch://b/*")


def test_a_local_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file"
    files.write_file(str(path), b"one")
    files.write_file(str(path), b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(files.FilesError, match=f"^{tmp_path}/folder: Is a directory$"):
        files.write_file(str(tmp_path / "folder"), b"x")


def test_another_file_system_is_written_by_renaming(memory):
    files.write_file("mem://out/a.jpg", b"one")
    files.write_file("mem://out/a.jpg", b"two")
    assert memory.contents == {"mem://out/": b"", "mem://out/a.jpg": b"two"}
    assert len(memory.created) == 2
    assert all(re.fullmatch(r"mem://out/\.[0-9a-f]{16}\.tmp", path) for path in memory.created)
    assert files.find_files("mem://out/**") == ("mem://out", ["mem://out/a.jpg"])
    assert files.read_file("mem://out/a.jpg") == b"two" and files.read_file("mem://out/b.jpg") is None
    files.remove_file("mem://out/a.jpg")
    files.remove_file("mem://out/a.jpg")
    assert memory.contents == {"mem://out/": b""}


def test_hidden_files_of_another_file_system_are_left_out(memory):
    memory.contents |= {"mem://in/.x.tmp": b"", "mem://in/.git/a.jpg": b"", "mem://in/b.jpg": b"", "mem://in/c/": b""}
    assert files.find_files("mem://in/**") == ("mem://in", ["mem://in/b.jpg"])


def test_reading_starts_at_a_byte(tmp_path, memory):
    (tmp_path / "x.gz").write_bytes(b"0123")
    memory.contents["mem://x.gz"] = b"0123"
    for path in (str(tmp_path / "x.gz"), "mem://x.gz"):
        with files.open_file(path, 2) as file:
            assert file.read() == b"23"


def test_a_reason_is_the_innermost_one():
    from apache_beam.io.filesystem import BeamIOError

    inner = BeamIOError("list failed", {"gs://a/b": ValueError("no key\nand more")})
    assert files.make_reason("gs://a", BeamIOError("match failed", {"gs://a": inner})) == "gs://a: no key"
    assert files.make_reason("a\nb", KeyError()) == "a\\nb: KeyError"
