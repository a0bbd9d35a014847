import concurrent.futures
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorization.inference import conversion, onnx_conversion, openvino_conversion, runtimes, tflite
from colorization.inference.version_files import ModelError

ROOT = Path(__file__).parents[2]

L = np.random.default_rng(0).uniform(-1, 1, (1, 32, 64, 1)).astype(np.float32)
AB = np.concatenate([0.3 - 0.1 * L, -0.2 + 0.05 * L], axis=-1)  # of conftest's generator


@pytest.fixture(scope="module")
def models(tiny_model_dir, tmp_path_factory):
    """The tiny network as every runtime takes it, of any size."""
    source = conversion.SourceModel(tiny_model_dir / "1")
    folder = tmp_path_factory.mktemp("models")
    paths = {runtime: folder / f"chroma{runtimes.suffix_of(runtime)}" for runtime in runtimes.RUNTIMES}
    options = {"flavour": "chroma", "quantization": "float32", "image_size": None}
    paths["litert"].write_bytes(tflite.convert(source, **options))
    onnx_conversion.convert(source, paths["onnx"], **options)
    openvino_conversion.convert(source, paths["openvino"], **options)
    return paths


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES)
def test_outputs_by_name_for_all_sizes(models, runtime):
    predict = runtimes.open_model(models[runtime], runtime, num_threads=1)
    outputs = predict(l=L)
    assert set(outputs) == {"ab"}
    other = predict(l=L[:, :, :32])["ab"]
    np.testing.assert_allclose(outputs["ab"], AB, atol=1e-6)  # the second call has not overwritten it
    np.testing.assert_allclose(other, AB[:, :, :32], atol=1e-6)


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES)
def test_calls_from_several_threads_do_not_mix(models, runtime):
    predict = runtimes.open_model(models[runtime], runtime)
    widths = [32, 40, 48, 64] * 6
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda width: predict(l=L[:, :, :width])["ab"], widths))
    for width, ab in zip(widths, results, strict=True):
        np.testing.assert_allclose(ab, AB[:, :, :width], atol=1e-6)


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES)
def test_what_cannot_be_read_is_one_line(tmp_path, runtime):
    path = tmp_path / f"broken{runtimes.suffix_of(runtime)}"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError) as caught:
        runtimes.open_model(path, runtime)
    assert str(caught.value).startswith(f"{path}: {runtimes.RUNTIMES[runtime][0]} can't read it: ")
    assert "\n" not in str(caught.value)


def test_a_runtime_that_is_not_installed_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(runtimes.RUNTIMES, "onnx", ("ONNX Runtime", "no_such_package", ".onnx"))
    with pytest.raises(ModelError, match="^ONNX Runtime is not installed: pip install -r requirements-onnx.txt$"):
        runtimes.open_model(tmp_path / "model.onnx", "onnx")


FREED_ELSEWHERE = """
import signal, sys, threading
from pathlib import Path
import numpy as np
from colorization.inference import runtimes

runtime, path = sys.argv[1:]
models = [runtimes.open_model(Path(path), runtime)]
models[0](l=np.zeros((1, 32, 32, 1), np.float32))
thread = threading.Thread(target=models.clear)
thread.start()
thread.join()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES)
def test_a_signal_after_a_model_is_freed_in_another_thread_is_handled(models, runtime):
    """It crashed with OpenVINO on processors with AVX-512, where Python has its own stack for signals."""
    command = [sys.executable, "-X", "faulthandler", "-c", FREED_ELSEWHERE, runtime, models[runtime]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
