"""The archive command, killed amid its work."""

import os
import signal
import subprocess
import sys
import time

from tests.archives.photos import ROOT, read_tree, run_command, save_photo


def test_killed_amid_the_work_nothing_is_half_written_and_the_rest_is_done(tiny_model_dir, tmp_path):
    for index in range(120):  # enough to be killed in
        save_photo(tmp_path / "in" / str(index % 2) / f"{index}.png", index)
    model = f"--model_dir={tiny_model_dir}"
    run_command("colorize", tmp_path / "in", "--recursive", f"--output_dir={tmp_path}/expected", model)
    whole = read_tree(tmp_path / "expected")
    assert len(whole) == 120
    args = [f"--input={tmp_path}/in/**", f"--output={tmp_path}/out", model, "--num_workers=2"]
    command = [sys.executable, "-m", "colorization.archive", *args]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        end = time.monotonic() + 120
        while not list((tmp_path / "out").rglob("*.png")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    written = {name: data for name, data in read_tree(tmp_path / "out").items() if not name.endswith(".tmp")}
    assert 0 < len(written) < len(whole) and written.items() <= whole.items()
    done = run_command("archive", *args)
    assert done.returncode == 0, done.stderr
    assert f"{len(whole) - len(written)} photos to colorize, {len(written)} are there" in done.stdout
    assert {name: data for name, data in read_tree(tmp_path / "out").items() if not name.endswith(".tmp")} == whole
