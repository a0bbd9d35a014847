import sys
from pathlib import Path

import numpy as np

from benchmarks import process_tree

ROOT = Path(__file__).parents[2]


def test_memory_of_all_processes_is_counted_together():
    code = "import subprocess, sys, time; x = bytearray(b'x') * 60_000_000; time.sleep(0.5)"
    child = "x = bytearray(b'x') * 60_000_000; import time; time.sleep(0.5)"
    alone = process_tree.run([sys.executable, "-c", code])
    both = process_tree.run([sys.executable, "-c", f"{code}; subprocess.run([sys.executable, '-c', {child!r}])"])
    assert alone.exit_status == both.exit_status == 0
    assert 60e6 < alone.peak_bytes < 100e6 and 120e6 < both.peak_bytes < 200e6


def test_output_and_status_are_told_and_what_takes_too_long_is_killed():
    code = r"import sys; print('out'); sys.stderr.buffer.write(b'\xff'); sys.exit(3)"
    done = process_tree.run([sys.executable, "-c", code])
    assert (done.exit_status, done.stdout, done.stderr) == (3, "out\n", "\udcff")
    assert process_tree.run([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.2).exit_status is None


def test_a_process_counts_its_own_memory_and_not_that_of_its_parent():
    ballast = np.ones(40_000_000)  # 320 MB
    code = "from benchmarks import process_tree; print(process_tree.read_own_peak_bytes())"
    done = process_tree.run([sys.executable, "-c", code], cwd=ROOT)
    assert 5e6 < int(done.stdout) < 100e6
    assert process_tree.read_own_peak_bytes() > ballast.nbytes
