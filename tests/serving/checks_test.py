import numpy as np
import pytest

from colorization.serving import checks
from colorization.serving.errors import Code, ServingError

LIMITS = checks.Limits(max_images=2, max_pixels=100)


@pytest.fixture(scope="module")
def signatures(tiny_model_dir):
    return checks.read_signature_defs(tiny_model_dir / "1")


def images(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return {"image_bytes": array}


def test_signatures_are_read_without_running_the_model(signatures):
    assert set(signatures) == {"serving_default", "colorize", "predict_ab", "sample_ab", "steer_ab", "encode_z"}
    assert list(signatures["sample_ab"].inputs) and set(signatures["sample_ab"].inputs) == {"l", "z"}


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff damaged")
    with pytest.raises(ServingError, match=r"^saved_model.pb can't be read \(DecodeError\)$"):
        checks.read_signature_defs(tmp_path)


def test_good_inputs_pass(signatures):
    l = np.zeros((2, 5, 5, 1), np.float32)
    checks.check_inputs({"l": l, "z": np.zeros((2, 2), np.float32)}, signatures, "sample_ab", LIMITS)
    checks.check_inputs({"rgb": np.zeros((0, 5, 5, 3), np.uint8)}, signatures, "colorize", LIMITS)
    checks.check_inputs(images(b"x"), signatures, "serving_default", LIMITS)


@pytest.mark.parametrize(
    "signature, inputs, message",
    [
        ("paint", {}, r'signature "paint" not found; there are colorize, encode_z, '),
        ("colorize", {}, "inputs are none; signature colorize takes rgb"),
        ("colorize", {"rgb": np.zeros((1, 2, 2, 3), np.float32)}, "input rgb has dtype float32; it must be uint8"),
        (
            "colorize",
            {"rgb": np.zeros((1, 2, 2, 4), np.uint8)},
            r"shape \(1, 2, 2, 4\); it must be \(any, any, any, 3\)",
        ),
        ("colorize", {"rgb": np.zeros((), np.uint8)}, r"input rgb has shape \(\); it must be"),
        ("colorize", {"rgb": np.zeros((3, 2, 2, 3), np.uint8)}, "input rgb has 3 rows; at most 2 are taken"),
        ("colorize", {"rgb": np.zeros((1, 11, 10, 3), np.uint8)}, "input rgb has 11 x 10 pixels; at most 100 are"),
        ("predict_ab", {"l": np.full((1, 2, 2, 1), np.nan, np.float32)}, "input l holds values that are not finite"),
        ("serving_default", images("text"), "input image_bytes must hold bytes"),
        (
            "sample_ab",
            {"l": np.zeros((2, 2, 2, 1), np.float32), "z": np.zeros((1, 2), np.float32)},
            "inputs have different numbers of rows",
        ),
    ],
)
def test_wrong_inputs_are_named(signatures, signature, inputs, message):
    with pytest.raises(ServingError, match=message) as caught:
        checks.check_inputs(inputs, signatures, signature, LIMITS)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_bytes_of_strings_count():
    assert checks.count_bytes(images(b"abc", b"de") | {"x": np.zeros(4, np.float32)}) == 21
