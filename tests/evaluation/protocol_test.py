import numpy as np
import pytest
import skimage.color
from PIL import Image

from colorization.evaluation import photos, protocol


def write_photo(path, color=(200, 60, 30)):
    Image.new("RGB", (40, 30), color).save(path)


def test_grey_keeps_the_lightness_and_is_exactly_grey():
    rgb = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    grey = protocol.make_grey(rgb).numpy()
    assert grey.dtype == np.uint8 and (np.ptp(grey, axis=-1) == 0).all()
    lightness, expected = (skimage.color.rgb2lab(image)[..., 0] for image in (grey, rgb))
    assert abs(lightness - expected).max() < 0.35  # half a grey level is at most 0.29 L*


def test_evaluation_has_a_row_or_a_reason_for_every_file(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a.png", "b/2.png", "c.png"):
        write_photo(tmp_path / name)
    (tmp_path / "b/1.png").write_bytes(b"not an image")
    files = photos.list_evaluation_photos(tmp_path)
    batch_sizes = []

    def colorize(rgb):
        batch_sizes.append(len(rgb))
        return rgb

    evaluation = protocol.evaluate_photos(files, tmp_path, colorize, batch_size=3)
    assert [row.file for row in evaluation.rows] == ["a.png", "b/2.png", "c.png"]
    assert len(evaluation.broken) == 1 and "1.png: " in evaluation.broken[0]
    assert batch_sizes == [2, 1]


def test_a_perfect_colorizer_and_a_grey_one_score_as_they_should(tmp_path):
    color = (200, 60, 30)
    write_photo(tmp_path / "a.png", color=color)
    files = photos.list_evaluation_photos(tmp_path)
    perfect = protocol.evaluate_photos(files, tmp_path, lambda rgb: np.zeros_like(rgb) + np.uint8(color)).rows[0]
    assert perfect.psnr == 100.0 and perfect.ciede2000 == 0.0 and perfect.ssim == pytest.approx(1.0)
    assert perfect.colorfulness == perfect.original_colorfulness == pytest.approx(0.3 * np.hypot(140, 100), rel=1e-5)

    grey = protocol.evaluate_photos(files, tmp_path, lambda rgb: rgb).rows[0]
    for name in ("psnr", "ssim", "ciede2000", "colorfulness"):
        assert getattr(grey, name) == getattr(grey, f"grey_{name}") == getattr(perfect, f"grey_{name}")
    lab = skimage.color.rgb2lab(np.uint8([[color]]))
    expected = skimage.color.deltaE_ciede2000(lab, lab * [1, 0, 0]).item()
    assert grey.ciede2000 == pytest.approx(expected, abs=0.1)  # the grey picture has 8 bits
    assert grey.colorfulness == 0.0


def test_the_colorizer_sees_no_colour(tmp_path):
    write_photo(tmp_path / "a.png", color=(10, 250, 30))

    def colorize(rgb):
        assert rgb.shape == (1, 256, 256, 3) and rgb.dtype == np.uint8
        assert (np.ptp(rgb, axis=-1) == 0).all()
        return rgb

    protocol.evaluate_photos(photos.list_evaluation_photos(tmp_path), tmp_path, colorize)


@pytest.mark.parametrize("wrong", [lambda rgb: rgb[:, ::2], lambda rgb: rgb / 255.0])
def test_a_result_of_another_size_or_type_is_an_error(tmp_path, wrong):
    write_photo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="the colorizer turned"):
        protocol.evaluate_photos(photos.list_evaluation_photos(tmp_path), tmp_path, wrong)
