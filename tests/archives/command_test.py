"""The archive command, as a user calls it: on this machine, in two processes and in one."""

import os

import pytest

from tests.archives.photos import make_example, read_tree, run_command, save_photo, write_records


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 photos in a tree, two of them bad, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(40):
        save_photo(folder / f"{index % 3}" / "deep" / f"{index}.{'jpg' if index % 2 else 'png'}", index)
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / os.fsdecode(b"empty\n\xff.png")).touch()
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def expected(photos, tiny_model_dir, tmp_path_factory):
    """What `colorize` makes of them: its files, and its lines."""
    folder = tmp_path_factory.mktemp("expected")
    done = run_command("colorize", photos, "--recursive", f"--output_dir={folder}", f"--model_dir={tiny_model_dir}")
    assert done.returncode == 1 and len(read_tree(folder)) == 40
    return read_tree(folder), sorted(done.stderr.splitlines())


def test_two_processes_write_what_colorize_writes_and_a_second_call_does_the_rest(
    photos, expected, tiny_model_dir, tmp_path
):
    args = [f"--input={photos}/**", f"--output={tmp_path}/out", f"--model_dir={tiny_model_dir}", "--num_workers=2"]
    done = run_command("archive", *args)
    assert done.returncode == 1
    assert done.stdout == (
        f"43 photos to colorize, 0 are there\n40 photos colorized into {tmp_path}/out, 0 were there, 2 failed\n"
    )
    assert read_tree(tmp_path / "out") == expected[0]
    assert sorted(done.stderr.splitlines()) == expected[1]
    lines = (tmp_path / "out" / "errors.tsv").read_text().splitlines()
    assert [line.replace("\t", ": ") for line in lines] == expected[1]

    (tmp_path / "out" / "1" / "deep" / "1.jpg").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*g")}
    (tmp_path / "out" / "1" / "deep" / ".0123456789abcdef.tmp").write_bytes(b"of a killed process")
    os.utime(tmp_path / "out" / "1" / "deep" / ".0123456789abcdef.tmp", (0, 0))
    done = run_command("archive", *args[:3])  # one process now
    assert done.returncode == 1
    assert done.stdout == (
        f"4 photos to colorize, 39 are there\n1 photos colorized into {tmp_path}/out, 39 were there, 2 failed\n"
    )
    assert read_tree(tmp_path / "out") == expected[0]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_records_are_colorized_under_their_names(photos, expected, tiny_model_dir, tmp_path):
    names = ["0/deep/0.png", "1/deep/1.jpg"]
    examples = [make_example(name.encode(), (photos / name).read_bytes()) for name in names]
    write_records(tmp_path / "a.tfrecord", examples[:1])
    write_records(tmp_path / "b.tfrecord", [examples[1], make_example(b"../x.jpg", b"x")])
    done = run_command(
        "archive", f"--input={tmp_path}/*.tfrecord", f"--output={tmp_path}/out", f"--model_dir={tiny_model_dir}"
    )
    assert done.returncode == 1 and "2 photos colorized" in done.stdout
    assert done.stderr == f"{tmp_path}/b.tfrecord: ../x.jpg: its name leads out of the output folder\n"
    assert read_tree(tmp_path / "out") == {name: expected[0][name] for name in names}


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--input={photos}/*.gif"], "*.gif: no file matches"),
        (["--input=nosuch://b/**"], "Unable to get filesystem"),
        (["--input={photos}/0/**", "--input={photos}/0/**"], "both would be written to"),
        (["--input={photos}/**", "--model_dir=/nowhere"], "/nowhere: no model found"),
        (["--input={photos}/**", "--runner=NoRunner"], "--runner=NoRunner"),
        (["--input={photos}/**", "--", "--no_such_option"], "--no_such_option: Beam has no such option"),
        (
            ["--input={photos}/0/**", "--runtime=onnx", "--model_dir=/nowhere"],
            "pip install -r requirements-onnx.txt",
        ),  # said by a worker
    ],
)
def test_wrong_calls_exit_2_with_one_line(photos, tiny_model_dir, tmp_path, args, reason):
    model = [] if any("model_dir" in arg for arg in args) else [f"--model_dir={tiny_model_dir}"]
    done = run_command("archive", f"--output={tmp_path}/out", *model, *[arg.format(photos=photos) for arg in args])
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr and done.stderr.count("\n") == 1
    assert read_tree(tmp_path) == {}
