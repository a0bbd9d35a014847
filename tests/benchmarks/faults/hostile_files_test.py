"""The benchmark calls wrong what is wrong; its numbers are not tested."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.faults import hostile_files
from benchmarks.faults.hostile_files import REJECTED, Case

GREY = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))


def test_the_manifest_is_read(tmp_path):
    (tmp_path / "MANIFEST.tsv").write_text(
        "file\texpectation\tnote\tsize_after_exif_transpose\na/b.png\tdecodes\t\t3x4\nc.mp4\tdecodes\tx\t\n"
    )
    cases = hostile_files.read_cases(tmp_path / "MANIFEST.tsv")
    assert cases == [Case("corpus/a/b.png", "decodes", "3x4"), Case("corpus/c.mp4", "decodes", "")]
    assert [case.fault for case in cases] == ["files that decode", "videos, which are not taken"]


@pytest.mark.parametrize(
    "expectation, result, lines, wrong",
    [
        ("decodes", GREY, [], None),
        ("decodes", None, ["x: no"], "refused"),
        ("decodes", None, [], "0 lines about it, and no result"),
        ("decodes", GREY, ["x: no"], "1 lines about it, and a result"),
        ("decodes", GREY.T, [], "30x40"),
        ("decodes", GREY[:, ::-1], [], "its lightness differs by"),
        ("decodes", GREY // 2 * 2, [], None),  # half a level in the mean
        ("decodes", GREY + 3, [], "its lightness differs by"),
        ("either", GREY, [], None),
        ("either", None, ["x: no"], None),
        (REJECTED, None, ["x: no"], None),
        (REJECTED, None, ["x: no", "x: no"], "2 lines"),
        (REJECTED, GREY, [], "not refused"),
    ],
)
def test_outcomes(tmp_path, expectation, result, lines, wrong):
    Image.fromarray(GREY).save(tmp_path / "source.png")
    if result is not None:
        Image.fromarray(np.ascontiguousarray(result)).save(tmp_path / "result.png")
    case = Case("corpus/x.png", expectation, "40x30")
    reason = hostile_files.judge(case, tmp_path / "source.png", tmp_path / "result.png", lines)
    assert reason is None if wrong is None else wrong in reason


def test_orientation_profile_and_opacity_count(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(tmp_path / "turned.png", exif=exif)
    lightness, opacity = hostile_files.read_lightness(tmp_path / "turned.png")
    assert lightness.shape == opacity.shape == (40, 30) and (opacity == 1).all()
    np.testing.assert_allclose(lightness[20, 0], 0.5043, atol=1e-4)  # L* of level 120
    alpha = np.where(GREY < 120, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "glass.png")
    Image.fromarray(np.dstack([np.where(alpha == 0, 200, GREY).astype(np.uint8), alpha])).save(tmp_path / "other.png")
    assert hostile_files.compare_lightness(tmp_path / "glass.png", tmp_path / "other.png") == (0, 0)
