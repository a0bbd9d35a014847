"""Writes a generator as a SavedModel that anything which runs TensorFlow can use, without this project.

Layout, as TensorFlow Serving wants it: `export_dir/<version>/` with saved_model.pb, variables/, and
assets.extra/colorizer.json (`z_dim`, `work_size`, the names of the weights, provenance) and assets.extra/checksums.json
(of all the other files; without it the model is believed as it is, so delete it after changing a file on purpose).
Signatures, N any number including 0:

| name              | input                                        | output                                     |
|-------------------|----------------------------------------------|--------------------------------------------|
| `serving_default` | `image_bytes` string (N,): encoded images    | `image_bytes` string (N,): PNG, same sizes |
| `colorize`        | `rgb` uint8 (N, H, W, 3), sRGB               | `rgb` uint8 (N, H, W, 3)                   |
| `predict_ab`      | `l` float32 (N, H, W, 1) in [-1, 1]          | `ab` float32 (N, H, W, 2) about [-1, 1]    |
| `sample_ab`       | `l` and `z` float32 (N, z_dim), z ~ N(0, I)  | `ab`                                       |
| `steer_ab`        | `l`, `z` and `hints` float32 (N, H, W, 3)    | `ab`                                       |
| `encode_z`        | `l` and `ab` of photos in colour             | `z`: their mood, for other photos          |

The first three use z = 0, the automatic colour, and the first four no hints. Of `hints`, channels 0 and 1 hold the `ab`
that is asked for and channel 2 is 1 at those pixels; elsewhere all three are 0. `encode_z` exists if the model was
exported with a noise encoder.

`serving_default` decodes JPEG, PNG, GIF (first frame), BMP and WebP as stored: 8 bits, no EXIF orientation, no colour
profile, no alpha; one undecodable image fails its whole request. The signatures that take `l` run the networks at the
size given, so shrink it to about `work_size` first.

All but `encode_z` show the network `l` with its contrast stretched (`processing.stretch_contrast`), and limit its blues
and smooth its chroma if the model was exported so (`processing.limit_blue`, `processing.smooth_ab`). The restored
object also has `predict(l, z, hints)`: that and the network, without the care for N = 0, for converters.
"""

import collections
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from colorization import unfinished
from colorization.inference import processing
from colorization.inference.version_files import INFO_PATH, check_files, list_versions, write_checksums

_L_SPEC = tf.TensorSpec([None, None, None, 1], tf.float32, name="l")
_AB_SPEC = tf.TensorSpec([None, None, None, 2], tf.float32, name="ab")
_HINTS_SPEC = tf.TensorSpec([None, None, None, 3], tf.float32, name="hints")


def export_saved_model(
    generator: Any,
    export_dir: str | os.PathLike,
    *,
    noise_encoder: Any = None,
    work_size: int = 256,
    saturation: float = 1.0,
    blue_limit: float | None = None,
    smoothing: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the next version under `export_dir`; it appears there only when it is complete.

    Args:
      generator: keras.Model with inputs `l` (B, H, W, 1) in [-1, 1], `z` (B, z_dim) and `hints` (B, H, W, 3), output
        `ab` (B, H, W, 2).
      export_dir: folder of versions, made if missing.
      noise_encoder: keras.Model with inputs `l` and `ab`, outputs the mean and the log variance of `z`, (B, z_dim)
        each; without one there is no `encode_z`.
      work_size: shorter side, in pixels, at which the network sees a photo; a multiple of 32.
      saturation: factor built into the generator's chroma: less than 1 for a model that promises too much.
      blue_limit: chroma, in CIE ab units, that no blue exceeds after that, see `processing.limit_blue`; None for none.
      smoothing: radius, in pixels of the work size, of the filter behind the generator; 0 for none.
      provenance: where the generator comes from, JSON-serializable; stored beside it.

    Returns:
      The folder of the new version.

    Raises:
      ValueError: a network does not have these inputs or outputs, weights of the generator share a name, or
        `work_size` is not a positive multiple of 32.
      OSError: the folder can't be written.
    """
    if work_size < processing.STRIDE or work_size % processing.STRIDE:
        raise ValueError(f"work size {work_size}: must be a positive multiple of {processing.STRIDE}")
    _check_networks(generator, noise_encoder)
    module = _ExportModule(generator, noise_encoder, work_size, saturation, blue_limit, smoothing)
    info = {
        "z_dim": module.z_dim,
        "work_size": work_size,
        "saturation": saturation,
        "blue_limit": blue_limit,
        "smoothing": smoothing,
        "weights": [variable.path for variable in generator.variables],
        "noise_encoder_weights": [variable.path for variable in noise_encoder.variables] if noise_encoder else [],
        "provenance": dict(provenance or {}),
    }

    export_dir = Path(export_dir)
    export_dir.mkdir(parents=True, exist_ok=True)
    unfinished.remove_leftovers(export_dir)
    unfinished_dir = unfinished.make_path(export_dir)  # TensorFlow Serving looks at whole numbers only
    try:
        tf.saved_model.save(
            module,
            str(unfinished_dir),
            signatures=module.make_signatures(),
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),  # nobody trains it further
        )
        path = unfinished_dir / INFO_PATH
        path.parent.mkdir()
        path.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        write_checksums(unfinished_dir)
        return _move_to_next_version(unfinished_dir, export_dir)
    finally:
        shutil.rmtree(unfinished_dir, ignore_errors=True)


def read_weights(version_dir: str | os.PathLike, network: str) -> dict[str, np.ndarray]:
    """Reads the weights of an exported network, by their names: the `path` of each variable of its Keras model.

    Args:
      version_dir: folder of one version, as `export_saved_model` wrote it.
      network: "generator" or "noise_encoder"; the latter has none if the model was exported without.

    Raises:
      ValueError: it is not such a folder, was altered, or was written before names were stored; the message is one
        line that names it, or its file.
    """
    check_files(version_dir)
    key, attribute = {"generator": ("weights", "v"), "noise_encoder": ("noise_encoder_weights", "noise_encoder_v")}[
        network
    ]
    try:
        info = json.loads((Path(version_dir) / INFO_PATH).read_text(encoding="utf-8"))
        if "weights" not in info:
            raise ValueError("it is older than colour hints and does not name its weights")
        reader = tf.train.load_checkpoint(str(Path(version_dir) / "variables" / "variables"))
        num_weights = sum(name.startswith(f"{attribute}/") for name in reader.get_variable_to_dtype_map())
        values = [reader.get_tensor(f"{attribute}/{i}/.ATTRIBUTES/VARIABLE_VALUE") for i in range(num_weights)]
        return dict(zip(info.get(key, []), values, strict=True))
    except (ValueError, TypeError, RuntimeError, OSError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{version_dir}: its weights can't be read: {reason}") from error


def _check_networks(generator: Any, noise_encoder: Any) -> None:
    """Raises ValueError for networks that `export_saved_model` cannot take."""
    for role, network, expected in (
        ("generator", generator, ["l", "z", "hints"]),
        ("noise encoder", noise_encoder, ["l", "ab"]),
    ):
        names = expected if network is None else [tensor.name for tensor in network.inputs]
        if names != expected:
            raise ValueError(f"{role} {network.name}: inputs are {names}, not {expected}")
    z_dim = generator.inputs[1].shape[-1]
    if noise_encoder is not None and [output.shape[-1] for output in noise_encoder.outputs] != [z_dim, z_dim]:
        raise ValueError(f"noise encoder {noise_encoder.name}: outputs are not mean and log variance of {z_dim}")
    counts = collections.Counter(variable.path for variable in generator.variables)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"generator {generator.name}: {repeated[0]} is the name of several weights")


def _move_to_next_version(source: Path, export_dir: Path) -> Path:
    while True:
        versions = list_versions(export_dir)
        target = export_dir / str(int(versions[-1].name) + 1 if versions else 1)
        try:
            return source.rename(target)
        except OSError:
            if not target.exists():  # else another export took this number in between
                raise


class _ExportModule(tf.Module):
    """The networks' variables and the functions around them.

    It holds the variables in lists and not the Keras models: saved through the model, they could not be found by
    TensorFlow's C++ loader (keras-team/keras#20095), and `ExportArchive` would store them twice. `v` are those of the
    generator, in order.
    """

    def __init__(
        self,
        generator: Any,
        noise_encoder: Any,
        work_size: int,
        saturation: float,
        blue_limit: float | None,
        smoothing: int,
    ):
        super().__init__(name="colorizer")
        self.v = [variable.value for variable in generator.variables]
        self.z_dim = generator.inputs[1].shape[-1]
        self.work_size = work_size
        self._z_spec = tf.TensorSpec([None, self.z_dim], tf.float32, name="z")

        def predict(l, z, hints):
            ab = saturation * generator([processing.stretch_contrast(l), z, hints], training=False)
            if blue_limit is not None:
                ab = processing.limit_blue(ab, blue_limit)
            return processing.smooth_ab(l, ab, smoothing) if smoothing else ab

        self.predict = tf.function(predict, input_signature=[_L_SPEC, self._z_spec, _HINTS_SPEC])
        self._encode = None
        if noise_encoder is not None:
            self.noise_encoder_v = [variable.value for variable in noise_encoder.variables]
            self._encode = tf.function(
                lambda l, ab: noise_encoder([l, ab], training=False)[0], input_signature=[_L_SPEC, _AB_SPEC]
            )

    def make_signatures(self) -> dict[str, Any]:
        """Makes the functions of the module's table, by name."""
        rgb_spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="rgb")
        bytes_spec = tf.TensorSpec([None], tf.string, name="image_bytes")

        def predict_ab(l):
            return {"ab": self._predict_any(l, self._no_noise(l), _no_hints(l))}

        def sample_ab(l, z):
            return {"ab": self._predict_any(l, z, _no_hints(l))}

        def steer_ab(l, z, hints):
            with tf.control_dependencies([_assert_same_size("steer_ab", l, "hints", hints)]):
                return {"ab": processing.obey_hints(self._predict_any(l, z, hints), hints)}

        def encode_z(l, ab):
            with tf.control_dependencies([_assert_same_size("encode_z", l, "ab", ab)]):
                return {"z": self._encode_any(l, ab)}

        def colorize(rgb):
            return {"rgb": self._colorize(rgb)}

        signatures = {
            "serving_default": tf.function(self._serve, input_signature=[bytes_spec]),
            "colorize": tf.function(colorize, input_signature=[rgb_spec]),
            "predict_ab": tf.function(predict_ab, input_signature=[_L_SPEC]),
            "sample_ab": tf.function(sample_ab, input_signature=[_L_SPEC, self._z_spec]),
            "steer_ab": tf.function(steer_ab, input_signature=[_L_SPEC, self._z_spec, _HINTS_SPEC]),
        }
        if self._encode is not None:
            signatures["encode_z"] = tf.function(encode_z, input_signature=[_L_SPEC, _AB_SPEC])
        return signatures

    def _no_noise(self, l: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(l)[0], self.z_dim])

    def _predict_any(self, l: tf.Tensor, z: tf.Tensor, hints: tf.Tensor) -> tf.Tensor:
        """The generator, which cannot take an empty batch, or an empty answer."""
        empty = tf.zeros(tf.concat([tf.shape(l)[:3], [2]], axis=0))
        ab = tf.cond(tf.size(l) > 0, lambda: self.predict(l, z, hints), lambda: empty)
        return tf.ensure_shape(ab, [None, None, None, 2])

    def _encode_any(self, l: tf.Tensor, ab: tf.Tensor) -> tf.Tensor:
        """The noise encoder's mean, or an empty answer; a photo that its pooling leaves nothing of is an error."""
        mean = tf.cond(tf.size(l) > 0, lambda: self._encode(l, ab), lambda: self._no_noise(l))
        mean = tf.debugging.check_numerics(mean, "encode_z: the photo is too small, or holds no numbers")
        return tf.ensure_shape(mean, [None, self.z_dim])

    def _colorize(self, rgb: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(
            tf.cond(tf.size(rgb) > 0, lambda: self._colorize_some(rgb), lambda: rgb), [None, None, None, 3]
        )

    def _colorize_some(self, rgb: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(rgb)[1:3]
        l = processing.to_l(rgb)
        small = processing.shrink_l(l, processing.work_shape(shape[0], shape[1], self.work_size))
        small_ab = self.predict(small, self._no_noise(small), _no_hints(small))
        return processing.recolor(l, processing.upsample_ab(small_ab, shape), 1.0, tf.uint8)

    def _serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        def colorize_one(data: tf.Tensor) -> tf.Tensor:
            rgb = tf.io.decode_image(data, channels=3, expand_animations=False)
            return tf.io.encode_png(self._colorize_some(tf.ensure_shape(rgb, [None, None, 3])[tf.newaxis])[0])

        # One at a time: the network uses all cores anyway, and memory stays that of one image.
        encoded = tf.map_fn(colorize_one, image_bytes, fn_output_signature=tf.string, parallel_iterations=1)
        return {"image_bytes": encoded}


def _no_hints(l: tf.Tensor) -> tf.Tensor:
    return tf.zeros(tf.concat([tf.shape(l)[:3], [3]], axis=0))


def _assert_same_size(signature: str, l: tf.Tensor, name: str, other: tf.Tensor) -> tf.Operation:
    """Networks that resize what they get would take other sizes in silence."""
    message = f"{signature}: {name} must have N, H and W of l"
    return tf.debugging.assert_equal(tf.shape(l)[:3], tf.shape(other)[:3], message=message)
