import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization import Colorizer, image_io
from colorization.inference.hints import Hint
from colorization.serving import worker
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizeJob, PredictJob

RGB = np.random.default_rng(0).integers(0, 256, (40, 52, 3), np.uint8)
L, AB = np.zeros((2, 4, 4, 1), np.float32), np.zeros((2, 4, 4, 2), np.float32)


def encode(rgb, file_format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, file_format, **options)
    return buffer.getvalue()


PHOTO = encode(RGB, dpi=(300, 300))


@pytest.fixture(scope="module")
def runner(tiny_model_dir):
    return worker.Runner(Colorizer.load(tiny_model_dir))


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def images(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def error_of(runner, job) -> tuple[Code, str]:
    error = worker.run_job(runner, job)
    assert isinstance(error, ServingError)
    return error.code, str(error)


def test_a_photo_comes_back_as_a_file_would(runner, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    photo = image_io.read_photo(path)
    rgb = runner.colorizer.colorize(photo.rgb, saturation=0.5)
    image_io.write_photo(path, dataclasses.replace(photo, rgb=rgb))
    result = worker.run_job(runner, ColorizeJob(PHOTO, saturation=0.5))
    assert result.images == [path.read_bytes()] and result.format == "PNG"


def test_samples_hints_and_reference(runner):
    three = worker.run_job(runner, ColorizeJob(PHOTO, num_samples=3, seed=5)).images
    assert len(set(three)) == 3
    assert worker.run_job(runner, ColorizeJob(PHOTO, num_samples=2, sample=2, seed=5)).images == three[1:2]
    np.testing.assert_array_equal(decode(three[2]), runner.colorizer.colorize(RGB, z=runner.colorizer.draw_z(3, 5)[2]))
    hints = (Hint(x=5, y=6, color=(200, 30, 30)),)
    hinted = worker.run_job(runner, ColorizeJob(PHOTO, hints=hints)).images[0]
    np.testing.assert_array_equal(decode(hinted), runner.colorizer.colorize(RGB, hints=hints))
    like = worker.run_job(runner, ColorizeJob(PHOTO, reference=encode(RGB // 2 + 60))).images[0]
    np.testing.assert_array_equal(decode(like), runner.colorizer.colorize(RGB, reference=RGB // 2 + 60))


@pytest.mark.parametrize(
    "job, message",
    [
        (ColorizeJob(b""), "photo: the file is empty"),
        (ColorizeJob(PHOTO[:200]), "photo: "),
        (ColorizeJob(PHOTO, max_pixels=1000), "photo: 52x40"),
        (ColorizeJob(PHOTO, hints=(Hint(x=52, y=0, color=(0, 0, 0)),)), "point 1: x=52 lies outside the photo"),
        (ColorizeJob(PHOTO, reference=encode(RGB[..., 0])), "reference: grey; a reference photo must be in colour"),
        (PredictJob("serving_default", {"image_bytes": images(PHOTO, b"x")}), "image_bytes[1]: not a readable JPEG"),
        (
            PredictJob("serving_default", {"image_bytes": images(PHOTO)}, max_pixels=9),
            "image_bytes[0]: 52 x 40 is more",
        ),
        (PredictJob("serving_default", {"image_bytes": images(encode(RGB, "TIFF"))}), "image_bytes[0]: not a readable"),
        (PredictJob("encode_z", {"l": L[:1], "ab": AB}), "encode_z: ab must have N, H and W of l"),
        (PredictJob("serving_default", {"image_bytes": images(PHOTO[:-99])}), ""),
    ],
)
def test_what_is_wrong_is_one_line(runner, job, message):
    code, text = error_of(runner, job)
    assert code is Code.INVALID_ARGUMENT and text.startswith(message) and "\n" not in text
    assert "{{" not in text and "[[" not in text  # TensorFlow's names of nodes


def test_signatures(runner):
    outputs = worker.run_job(runner, PredictJob("colorize", {"rgb": np.stack([RGB, RGB[::-1]])}))
    expected = runner.colorizer.colorize_batch([RGB, RGB[::-1]])
    np.testing.assert_array_equal(outputs["rgb"], expected)
    graphs = runner.colorizer.signatures["colorize"](rgb=tf.constant(np.stack([RGB, RGB[::-1]])))["rgb"]
    np.testing.assert_allclose(outputs["rgb"].astype(int), graphs.numpy(), atol=1)
    assert (
        worker.run_job(runner, PredictJob("colorize", {"rgb": np.zeros((0, 5, 5, 3), np.uint8)}))["rgb"].shape[0] == 0
    )
    outputs = worker.run_job(runner, PredictJob("serving_default", {"image_bytes": images(PHOTO, PHOTO)}))
    # Byte for byte the file that colorize writes for a PNG without metadata.
    assert outputs["image_bytes"].tolist() == worker.run_job(runner, ColorizeJob(encode(RGB))).images * 2
    l = np.zeros((1, 4, 4, 1), np.float32)
    np.testing.assert_allclose(
        worker.run_job(runner, PredictJob("predict_ab", {"l": l}))["ab"][0, 0, 0], [0.3, -0.2], 1e-4
    )


def test_an_unforeseen_failure_tells_nothing_of_the_inside(runner, monkeypatch, caplog):
    monkeypatch.setattr(runner, "colorize", lambda job: 1 / 0)
    assert error_of(runner, ColorizeJob(PHOTO)) == (Code.INTERNAL, "internal error")
    assert "ZeroDivisionError" in caplog.text  # but the operator sees it


def test_memory_that_does_not_suffice(runner, monkeypatch):
    def fail(job):
        raise MemoryError

    monkeypatch.setattr(runner, "colorize", fail)
    error = worker.run_job(runner, ColorizeJob(PHOTO))
    assert (error.code, error.http_status) == (Code.RESOURCE_EXHAUSTED, 413)
