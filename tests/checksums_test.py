"""What is altered is named, and nothing else."""

import hashlib
import json
import os

import pytest

from colorization import checksums


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(b"abc")
    (tmp_path / "sub" / "b.bin").write_bytes(b"")
    path = tmp_path / "manifest.json"
    checksums.write_manifest(path, tmp_path, [tmp_path / "sub" / "b.bin", tmp_path / "a.bin"])
    return path


def test_manifest_holds_size_and_digest_by_relative_name(manifest, tmp_path):
    assert json.loads(manifest.read_text()) == {
        "a.bin": {"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "size": 3},
        "sub/b.bin": {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0},
    }
    assert {path.name for path in tmp_path.iterdir()} == {"a.bin", "sub", "manifest.json"}
    checksums.verify_manifest(manifest, tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"abb", "altered since it was written (checksum differs)"),
        (b"ab", "altered since it was written (2 bytes instead of 3)"),
        (None, "missing"),
    ],
)
def test_a_damaged_file_is_named(manifest, tmp_path, content, reason):
    path = tmp_path / "a.bin"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(checksums.ChecksumError) as caught:
        checksums.verify_manifest(manifest, tmp_path)
    assert str(caught.value) == f"{path}: {reason}"
    assert (caught.value.path, caught.value.reason) == (path, reason)


def test_what_is_no_file_is_named(manifest, tmp_path):
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(checksums.ChecksumError, match="a.bin: can't be read: "):
        checksums.verify_manifest(manifest, tmp_path)


def test_other_files_do_not_matter(manifest, tmp_path):
    (tmp_path / "c.bin").write_bytes(b"new")
    checksums.verify_manifest(manifest, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"\xff",
        b'{"a.bin": 3}',
        b'{"a.bin": {"size": "x", "sha256": ""}}',
        b'{"a.bin": {}}',
        None,
    ],
)
def test_a_damaged_manifest_is_named(manifest, tmp_path, content):
    manifest.unlink()
    if content is not None:
        manifest.write_bytes(content)
    with pytest.raises(checksums.ChecksumError, match="manifest.json: not a list of checksums: ") as caught:
        checksums.verify_manifest(manifest, tmp_path)
    assert "\n" not in str(caught.value) and caught.value.path == manifest


def test_every_bit_of_a_small_manifest_counts(tmp_path):
    """A flip in the manifest is noticed, or changes nothing that it says."""
    (tmp_path / "a").write_bytes(b"abc")
    manifest = tmp_path / "m.json"
    checksums.write_manifest(manifest, tmp_path, [tmp_path / "a"])
    content = manifest.read_bytes()
    unnoticed = []
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        manifest.write_bytes(damaged)
        try:
            checksums.verify_manifest(manifest, tmp_path)
        except checksums.ChecksumError:
            continue
        unnoticed.append(bit)
    assert len(unnoticed) < 20
    for bit in unnoticed:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert json.loads(damaged) == json.loads(content)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/../../secret"])
def test_a_manifest_that_points_elsewhere_is_refused(tmp_path, name):
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({name: {"size": 0, "sha256": ""}}))
    with pytest.raises(checksums.ChecksumError, match="names .*, which lies elsewhere"):
        checksums.verify_manifest(manifest, tmp_path)


def test_a_pipe_is_not_waited_for(manifest, tmp_path):
    (tmp_path / "a.bin").unlink()
    os.mkfifo(tmp_path / "a.bin")
    with pytest.raises(checksums.ChecksumError, match="a.bin: can't be read: not a file"):
        checksums.verify_manifest(manifest, tmp_path)
