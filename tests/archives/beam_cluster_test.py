"""Clusters of several processes: Dask's, of which a worker is killed, and Beam's own job server."""

import contextlib
import subprocess
import sys
import time

import pytest

from benchmarks import beam_cluster
from tests.archives.photos import ROOT, read_tree, run_command, save_photo


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(200):
        save_photo(folder / str(index % 2) / f"{index}.png", index, size=(160, 120))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture(scope="module")
def expected(photos, tiny_model_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    run_command("colorize", photos, "--recursive", f"--output_dir={folder}", f"--model_dir={tiny_model_dir}")
    assert len(read_tree(folder)) == 200
    return read_tree(folder)


def test_dask_gives_the_work_of_a_killed_worker_to_the_other(photos, expected, tiny_model_dir, tmp_path):
    args = [f"--input={photos}/**", f"--output={tmp_path}/out", f"--model_dir={tiny_model_dir}"]
    with beam_cluster.start_dask(2) as (options, workers):
        command = [sys.executable, "-m", "colorization.archive", *args, *options]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 120
            while not list((tmp_path / "out").rglob("*.png")):
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.01)
            workers[0].kill()
            assert len(list((tmp_path / "out").rglob("*.png"))) < 200  # not read: files are being renamed there
            stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert stderr == f"{photos}/broken.jpg: not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image\n"
    done = {name: data for name, data in read_tree(tmp_path / "out").items() if not name.endswith(".tmp")}
    assert done == expected


def test_the_protocol_of_flink_and_spark_takes_the_pipeline(photos, expected, tiny_model_dir, tmp_path):
    args = [f"--input={photos}/0/1[0-9].png", f"--output={tmp_path}/out", f"--model_dir={tiny_model_dir}"]
    with beam_cluster.start_portable() as (options, _):
        done = run_command("archive", *args, *options)
    assert done.returncode == 0 and done.stderr == ""
    names = [name for name in expected if len(name) == 8 and name.startswith("0/1")]
    assert len(names) == 5 and read_tree(tmp_path / "out") == {name[2:]: expected[name] for name in names}


def test_a_cluster_that_is_not_there_is_one_line(photos, tiny_model_dir, tmp_path):
    args = [f"--input={photos}/**", f"--output={tmp_path}/out", f"--model_dir={tiny_model_dir}", "--runner=DaskRunner"]
    address = f"tcp://127.0.0.1:{beam_cluster.find_port()}"
    done = run_command("archive", *args, "--", f"--dask_client_address={address}", "--dask_connection_timeout=2")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "127.0.0.1" in done.stderr
    done = run_command("archive", *args)
    assert done.returncode == 2 and "-- --dask_client_address=HOST:PORT" in done.stderr


def test_a_port_is_waited_for(monkeypatch):
    monkeypatch.setattr(beam_cluster, "_START_SECONDS", 0.2)
    with contextlib.closing(beam_cluster.socket.create_server(("127.0.0.1", 0))) as server:
        beam_cluster.wait_for_port(server.getsockname()[1])
    with pytest.raises(TimeoutError):
        beam_cluster.wait_for_port(beam_cluster.find_port())
