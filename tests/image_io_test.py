import dataclasses
import os
import stat
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from colorization import image_io
from colorization.image_io import ImageError, list_photos, read_photo, read_rgb, write_photo

RNG = np.random.default_rng(0)
SMOOTH = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 4, np.arange(80) * 3, 90), axis=-1).astype(np.uint8)
GRAY_PROFILE = imagecodecs.cms_profile("gray", whitepoint=[0.3127, 0.3290, 1.0], gamma=1.8)
WIDE_PROFILE = imagecodecs.cms_profile(
    "rgb", whitepoint=[0.3127, 0.3290, 1.0], primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], gamma=2.2
)


def error_of(call, *args, **kwargs) -> str:
    with pytest.raises(ImageError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
def test_bytes_are_read_and_written_as_files_are(tmp_path, file_format):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(SMOOTH).save(path, file_format, exif=exif, dpi=(300, 300))
    photo = image_io.decode_photo(path.read_bytes(), "photo")
    same = read_photo(path)
    np.testing.assert_array_equal(photo.rgb, same.rgb)
    assert photo.rgb.shape == (80, 64, 3) and (photo.format, photo.exif) == (same.format, same.exif)
    write_photo(tmp_path / "out.jpg", same)
    assert image_io.encode_photo(photo, "photo") == (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize(
    "data, reason",
    [(b"", "the file is empty"), (b"no image", "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF")],
)
def test_bytes_that_are_no_photo_are_refused_by_the_name_given(data, reason):
    assert error_of(image_io.decode_photo, data, "the upload").startswith(f"the upload: {reason}")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_gray_photo_becomes_a_color_file_of_the_same_format(tmp_path, file_format):
    path = tmp_path / "photo.jpg"  # the content tells the format, not the name
    Image.fromarray(SMOOTH[..., 0]).save(path, file_format)
    photo = read_photo(path)
    assert photo.format == file_format and photo.rgb.shape == (64, 80, 3) and photo.rgb.dtype == np.uint8
    np.testing.assert_allclose(photo.rgb[..., 1], SMOOTH[..., 0], atol=8)
    np.testing.assert_array_equal(photo.rgb[..., 0], photo.rgb[..., 2])
    write_photo(tmp_path / "out.jpg", dataclasses.replace(photo, rgb=SMOOTH))
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == file_format
        difference = np.asarray(image.convert("RGB")).astype(int) - SMOOTH
    assert np.abs(difference).mean() < (8 if file_format == "GIF" else 3)
    assert sorted(os.listdir(tmp_path)) == ["out.jpg", "photo.jpg"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_orientation_is_applied_once(tmp_path, orientation, file_format):
    pixels = RNG.integers(0, 256, (3, 5, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = orientation, "an artist"
    Image.fromarray(pixels).save(tmp_path / "in", file_format, exif=exif)
    Image.fromarray(pixels).save(tmp_path / "reference.png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "reference.png")))
    photo = read_photo(tmp_path / "in")
    np.testing.assert_array_equal(np.dstack([photo.rgb, photo.alpha]), expected)
    np.testing.assert_array_equal(read_rgb(tmp_path / "in"), expected[..., :3])
    write_photo(tmp_path / "out", photo)
    with Image.open(tmp_path / "out") as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif()[0x013B] == "an artist"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("is_gray", [True, False])
def test_16_bits_stay_with_profile(tmp_path, suffix, is_gray):
    source = RNG.integers(0, 65536, (20, 30) if is_gray else (20, 30, 3), dtype=np.uint16)
    write = tifffile.imwrite if suffix == ".tif" else imagecodecs.imwrite
    write(tmp_path / f"in{suffix}", source)
    photo = read_photo(tmp_path / f"in{suffix}")
    expected = np.repeat(source[..., None], 3, axis=2) if is_gray else source
    assert photo.rgb.dtype == np.uint16
    np.testing.assert_array_equal(photo.rgb, expected)
    np.testing.assert_array_equal(read_rgb(tmp_path / f"in{suffix}"), np.rint(expected / 257).astype(np.uint8))
    muted = expected // 2 + 16384  # inside both gamuts
    write_photo(tmp_path / "out", dataclasses.replace(photo, rgb=muted, icc_profile=WIDE_PROFILE))
    again = read_photo(tmp_path / "out")
    assert again.icc_profile == WIDE_PROFILE and again.rgb.dtype == np.uint16
    assert np.median(np.abs(again.rgb.astype(int) - muted)) < 100
    stored = imagecodecs.imread(tmp_path / "out")
    assert np.abs(stored.astype(int) - muted).max() > 300  # converted, not just labelled


def test_profiles_are_honoured(tmp_path):
    Image.new("L", (4, 4), 128).save(tmp_path / "gray.jpg", icc_profile=GRAY_PROFILE)
    photo = read_photo(tmp_path / "gray.jpg")
    linear = (128 / 255) ** 1.8
    np.testing.assert_allclose(photo.rgb, 255 * (1.055 * linear ** (1 / 2.4) - 0.055), atol=1)
    write_photo(tmp_path / "out.jpg", photo)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == "RGB" and image.info["icc_profile"][16:20] == b"RGB "
    np.testing.assert_allclose(read_photo(tmp_path / "out.jpg").rgb, photo.rgb, atol=1)

    Image.new("RGB", (4, 4), (150, 120, 100)).save(tmp_path / "wide.png", icc_profile=WIDE_PROFILE)
    photo = read_photo(tmp_path / "wide.png")
    assert photo.rgb[0, 0, 0] > 153  # more saturated in sRGB numbers
    np.testing.assert_array_equal(photo.rgb, read_rgb(tmp_path / "wide.png"))
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == WIDE_PROFILE
        np.testing.assert_allclose(np.asarray(image), np.full((4, 4, 3), (150, 120, 100)), atol=1)


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 51)).save(tmp_path / "in.jpg", quality=95)
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.format == "JPEG"
    np.testing.assert_allclose(photo.rgb, np.full((16, 16, 3), (204, 0, 0)), atol=3)
    write_photo(tmp_path / "out.jpg", photo)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == "RGB"


def test_resolution_is_kept(tmp_path):
    for file_format in ("JPEG", "PNG", "TIFF", "BMP"):
        Image.fromarray(SMOOTH).save(tmp_path / "in", file_format, dpi=(300, 300))
        write_photo(tmp_path / "out", read_photo(tmp_path / "in"))
        with Image.open(tmp_path / "out") as image:
            np.testing.assert_allclose([float(value) for value in image.info["dpi"]], 300, atol=0.1)


def test_read_rgb_shrinks_but_never_enlarges(tmp_path):
    image = Image.fromarray(SMOOTH).resize((800, 640), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, options in (("a.jpg", {"quality": 95}), ("a.png", {})):
        image.save(tmp_path / name, exif=exif, **options)
        assert read_rgb(tmp_path / name).shape == (800, 640, 3)
        assert read_rgb(tmp_path / name, max_short_side=641).shape == (800, 640, 3)
        small = read_rgb(tmp_path / name, max_short_side=100)
        assert small.shape == (125, 100, 3) and small.dtype == np.uint8
        expected = np.asarray(image.resize((125, 100), Image.Resampling.BICUBIC).transpose(Image.Transpose.ROTATE_270))
        np.testing.assert_allclose(small, expected, atol=6)


def test_files_that_cannot_be_read_give_one_clear_line(tmp_path):
    def written(name: str, data: bytes):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    Image.fromarray(SMOOTH).save(tmp_path / "good.jpg")
    Image.fromarray(SMOOTH).save(tmp_path / "good.png")
    Image.fromarray(SMOOTH).save(tmp_path / "good.tif")
    imagecodecs.imwrite(tmp_path / "deep.png", RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16))
    os.mkfifo(tmp_path / "pipe.jpg")
    unknown = "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image"
    expected = {
        tmp_path / "missing.jpg": "No such file or directory",
        tmp_path: "not a file",
        tmp_path / "pipe.jpg": "not a file",
        written("empty.jpg", b""): "the file is empty",
        written("text.png", b"version https://git-lfs.github.com/spec/v1\n"): unknown,
        written("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"): unknown,
    }
    for path, reason in expected.items():
        assert error_of(read_photo, path) == f"{path}: {reason}"
        assert error_of(read_rgb, path) == f"{path}: {reason}"
    for name in ("good.jpg", "good.png", "good.tif", "deep.png"):
        data = (tmp_path / name).read_bytes()
        for length in (20, len(data) // 2, len(data) - 30):
            message = error_of(read_photo, written("cut", data[:length]))
            assert message.startswith(f"{tmp_path / 'cut'}: ") and len(message.splitlines()) == 1
    odd = written("two\nlines.jpg", b"?")
    assert error_of(read_photo, odd) == f"{tmp_path}/two\\nlines.jpg: {unknown}"


def test_too_large_images_are_refused_before_decoding(tmp_path):
    Image.fromarray(SMOOTH).save(tmp_path / "a.png")
    limit = "80x64 pixels are more than the limit of 5119"
    assert error_of(read_photo, tmp_path / "a.png", max_pixels=5119) == f"{tmp_path}/a.png: {limit}"
    assert read_photo(tmp_path / "a.png", max_pixels=5120).rgb.shape == (64, 80, 3)
    # Only the header says so: a decoder would stumble over the missing pixels, with another message.
    Image.new("1", (8, 8)).save(tmp_path / "header.gif")
    data = bytearray((tmp_path / "header.gif").read_bytes())
    for size, message in ((7100, "7100x7100 pixels"), (65535, "exceeds limit")):
        data[6:10] = size.to_bytes(2, "little") * 2
        (tmp_path / "header.gif").write_bytes(data)
        assert message in error_of(read_photo, tmp_path / "header.gif")


def test_nothing_is_printed(tmp_path):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "warned.png")  # Pillow warns above 89 megapixels
    Image.fromarray(SMOOTH).save(tmp_path / "cut.tif", compression="tiff_lzw")
    os.truncate(tmp_path / "cut.tif", 3000)  # libtiff prints
    code = """if True:
        import sys
        from colorization import image_io
        for path in sys.argv[1:]:
            try:
                image_io.read_photo(path)
            except image_io.ImageError:
                continue
            raise SystemExit("read " + path)
        assert "tensorflow" not in sys.modules
    """
    arguments = [sys.executable, "-W", "always", "-c", code, tmp_path / "warned.png", tmp_path / "cut.tif"]
    root = os.path.dirname(os.path.dirname(image_io.__file__))
    result = subprocess.run(arguments, cwd=root, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    photo = image_io.Photo(SMOOTH, None, "PNG")
    (tmp_path / "out.png").write_bytes(b"old")
    for broken in (
        dataclasses.replace(photo, format="NONE"),
        dataclasses.replace(photo, alpha=np.zeros((1, 1), np.uint8)),
        dataclasses.replace(photo, format="WEBP", rgb=np.zeros((1, 20_000, 3), np.uint8)),  # beyond WebP's limit
    ):
        message = error_of(write_photo, tmp_path / "out.png", broken)
        assert message.startswith(f"{tmp_path}/out.png: ") and len(message.splitlines()) == 1
    assert os.listdir(tmp_path) == ["out.png"] and (tmp_path / "out.png").read_bytes() == b"old"

    path = tmp_path / "nowhere" / "out.png"
    assert error_of(write_photo, path, photo) == f"{path}: No such file or directory"
    assert error_of(write_photo, tmp_path / "out.png" / "x.png", photo).endswith("x.png: Not a directory")
    (tmp_path / "folder").mkdir()
    assert error_of(write_photo, tmp_path / "folder", photo).endswith("folder: Is a directory")
    assert sorted(os.listdir(tmp_path)) == ["folder", "out.png"]

    write_photo(tmp_path / "out.png", photo)
    np.testing.assert_array_equal(read_rgb(tmp_path / "out.png"), SMOOTH)
    assert sorted(os.listdir(tmp_path)) == ["folder", "out.png"]


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    message = error_of(write_photo, tmp_path / "out.png", image_io.Photo(SMOOTH, None, "PNG"))
    assert message == f"{tmp_path}/out.png: No space left on device"
    assert os.listdir(tmp_path) == []


def test_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write_photo(tmp_path / "out.png", image_io.Photo(SMOOTH, None, "PNG"))
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "out.png")]
    assert modes[0] == modes[1]


def test_list_photos(tmp_path):
    names = [
        "b.JPG",
        "a.png",
        "notes.txt",
        ".hidden.jpg",
        "sub/c.tiff",
        "sub/deep/d.webp",
        ".thumbs/e.jpg",
        "sub/f.mp4",
    ]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in" / "sub" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "sub" / "link.jpg").symlink_to(tmp_path / "in" / "a.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "g.gif").touch()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "other")

    folder = tmp_path / "in"
    assert list_photos([folder], recursive=False) == [folder / "a.png", folder / "b.JPG"]
    found = [str(path.relative_to(folder)) for path in list_photos([str(folder)], recursive=True)]
    assert found == ["a.png", "b.JPG", "linked/g.gif", "sub/c.tiff", "sub/deep/d.webp", "sub/link.jpg"]
    given = [folder / "notes.txt", folder / "missing.jpg", tmp_path / "other", folder / ".hidden.jpg"]
    expected = [given[0], given[1], tmp_path / "other" / "g.gif", given[3]]
    assert list_photos(given, recursive=False) == expected
    assert list_photos([], recursive=True) == []


@pytest.mark.parametrize("factor, dtype", [(1, np.uint8), (257, np.uint16)])
def test_is_grey(factor, dtype):
    for levels, grey in (
        ((128, 128, 128), True),
        ((130, 128, 127), True),
        ((100, 102, 99), True),
        ((120, 110, 100), False),
        ((200, 30, 40), False),
        ((132, 128, 128), False),
        ((0, 255, 9), False),
    ):
        assert image_io.is_grey((np.zeros((4, 5, 3)) + np.array(levels) * factor).astype(dtype)) is grey
    partly = np.zeros((10, 10, 3), dtype)
    partly[0, :3, 0] = 200 * factor  # a mean of 6
    assert not image_io.is_grey(partly)
    partly[0, 1:, 0] = 0  # of 2
    assert image_io.is_grey(partly)
