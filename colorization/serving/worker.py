"""The process that holds a model: takes jobs from a pipe, answers each with its result or with a ServingError.

Photos of strangers are decoded here, so what a hostile file does to a decoder it does to this process only; the server
starts another one. A process holds one version of the model for as long as it lives.
"""

import concurrent.futures
import dataclasses
import io
import itertools
import logging
import os
import re
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizedPhoto, ColorizeJob, ModelInfo, PredictJob

if TYPE_CHECKING:
    from colorization.inference.colorizer import Colorizer

log = logging.getLogger(__name__)

_IMAGE_INPUT = "image_bytes"  # of encoded images, in the exported signatures
_SERVED_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")  # that TensorFlow decodes


def main(connection: Connection, version_dir: str, backend: str | None, num_threads: int) -> None:
    """Runs until the other end of the pipe closes.

    Sends a ModelInfo, or an exception if the model can't be used; then receives (number, job) and sends
    (number, result), where a result may be a ServingError. Jobs are worked on in `num_threads` threads, so that one
    is decoded and encoded while the network is at another.

    Args:
      connection: the pipe.
      version_dir: folder of one version of a model.
      backend: HOST:PORT of a TensorFlow Serving that runs that model for us, with its name as "HOST:PORT/NAME"; None to
        run it here.
      num_threads: jobs at a time.
    """
    # Ctrl-C and SIGTERM may reach the whole group; the server decides when its processes have done their work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        runner = _load(Path(version_dir), backend)
    except Exception as error:
        log.warning("%s can't be served: %s", version_dir, error)
        connection.send(ServingError(Code.UNAVAILABLE, f"the model can't be loaded ({type(error).__name__})"))
        return
    connection.send(runner.info)
    sending = threading.Lock()

    def work(number: int, job: ColorizeJob | PredictJob) -> None:
        result = run_job(runner, job)
        with sending:
            connection.send((number, result))

    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        while True:
            try:
                number, job = connection.recv()
            except (EOFError, OSError):  # the server is gone, or done with us
                os._exit(0)  # at once: nobody waits for what is still being worked on
            pool.submit(work, number, job)


class Runner:
    """A loaded model and its two kinds of work."""

    def __init__(self, colorizer: "Colorizer"):
        """Wraps a model."""
        self.colorizer = colorizer
        self.info = ModelInfo(
            takes_hints="steer_ab" in colorizer.signatures, takes_reference="encode_z" in colorizer.signatures
        )

    def colorize(self, job: ColorizeJob) -> ColorizedPhoto:
        """Colorizes a photo.

        Raises:
          ImageError, HintError, ModelError, ValueError: the photo, a hint, or what is asked of an old model.
        """
        from colorization import image_io
        from colorization.inference import reference

        self.colorizer.check_takes(hints=bool(job.hints), reference=job.reference is not None)
        photo = image_io.decode_photo(job.photo, "photo", max_pixels=job.max_pixels)
        zs: list[np.ndarray | None] = [None]
        if job.reference is not None:
            rgb = reference.decode_reference(job.reference, "reference", max_pixels=job.max_pixels)
            zs = [self.colorizer.encode_reference(rgb)]
        elif job.num_samples > 1:
            zs = list(self.colorizer.draw_z(job.num_samples, job.seed))
            zs = zs if job.sample is None else [zs[job.sample - 1]]
        images = []
        for z in zs:
            rgb = self.colorizer.colorize(photo.rgb, z=z, saturation=job.saturation, hints=job.hints)
            images.append(image_io.encode_photo(dataclasses.replace(photo, rgb=rgb), "photo"))
        return ColorizedPhoto(images, photo.format)

    def predict(self, job: PredictJob) -> dict[str, np.ndarray]:
        """Calls a signature; inputs were checked against it before, but for what is in them.

        The two signatures that take whole photos are done as `colorize` does them, one photo at a time: run by the
        graph, a photo's result differs from that by one level in a pixel here and there, and with its neighbours.

        Raises:
          ValueError: an image can't be decoded.
        """
        import tensorflow as tf

        if job.signature_name == "serving_default":
            images = [self._serve(i, data, job.max_pixels) for i, data in enumerate(job.inputs[_IMAGE_INPUT])]
            return {_IMAGE_INPUT: _to_array(images)}
        if job.signature_name == "colorize":
            photos = job.inputs["rgb"]
            return {"rgb": np.stack(self.colorizer.colorize_batch(list(photos))) if photos.size else photos}
        signature = self.colorizer.signatures[job.signature_name]
        outputs = signature(**{name: tf.constant(array) for name, array in job.inputs.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def _serve(self, index: int, data: bytes, max_pixels: int) -> bytes:
        """What `serving_default` makes of an image: it decodes the pixels as stored, and answers with a PNG."""
        import tensorflow as tf

        from colorization import image_io

        _check_image(index, data, max_pixels)
        rgb = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
        return image_io.encode_photo(image_io.Photo(self.colorizer.colorize(rgb), None, "PNG"), _IMAGE_INPUT)


def run_job(runner: Runner, job: ColorizeJob | PredictJob) -> Any:
    """Returns the result of a job, or the ServingError that stands for what went wrong; raises nothing."""
    import tensorflow as tf

    try:
        return runner.colorize(job) if isinstance(job, ColorizeJob) else runner.predict(job)
    except ServingError as error:
        return error
    except tf.errors.InvalidArgumentError as error:
        return ServingError(Code.INVALID_ARGUMENT, _extract_reason(error.message))
    except ValueError as error:  # ImageError, HintError and ModelError too
        return ServingError(Code.INVALID_ARGUMENT, str(error))
    except (MemoryError, tf.errors.ResourceExhaustedError):
        return ServingError(Code.RESOURCE_EXHAUSTED, "not enough memory for this request", http_status=413)
    except Exception:
        log.exception("a job failed")
        return ServingError(Code.INTERNAL, "internal error")


def _load(version_dir: Path, backend: str | None) -> Runner:
    """Loads a model and runs it once, so that the first request finds it warm and a broken one is found out."""
    from colorization import cli

    cli.start_tensorflow()
    from colorization.inference.colorizer import Colorizer

    if backend is None:
        colorizer = Colorizer.load(version_dir)
    else:
        from colorization.serving import remote

        colorizer = remote.connect(backend, version_dir)
    runner = Runner(colorizer)
    grey = _encode_png(np.full((64, 64, 3), 128, np.uint8))
    runner.colorize(ColorizeJob(grey))
    if backend is None:
        runner.predict(PredictJob("serving_default", {_IMAGE_INPUT: _to_array([grey])}))
    return runner


def _to_array(items: list[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _encode_png(rgb: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def _check_image(index: int, data: bytes, max_pixels: int) -> None:
    """Looks at an image's header before TensorFlow decodes all of it.

    Raises:
      ValueError: it is too large, or no image.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_SERVED_FORMATS) as image:
            width, height = image.size
    except Exception as error:
        raise ValueError(f"{_IMAGE_INPUT}[{index}]: not a readable JPEG, PNG, GIF, BMP or WebP image") from error
    if width * height > max_pixels:
        raise ValueError(f"{_IMAGE_INPUT}[{index}]: {width} x {height} is more than {max_pixels} pixels")


def _extract_reason(message: str) -> str:
    """What TensorFlow says of an invalid argument, without the names of nodes and functions around it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    reasons = [line for line, node in itertools.pairwise(lines) if node.startswith("[[")]
    reason = reasons[0] if reasons else "the model cannot take these inputs"
    asserted = re.match(r"assertion failed: \[(.*?)\]", reason)
    return asserted[1] if asserted else reason
