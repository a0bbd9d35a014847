"""What workers do: the photos of `colorize`, and one line for each that fails."""

import pickle

import pytest

from colorization import image_io
from colorization.archives import handler, plan, record_files
from colorization.inference.colorizer import Colorizer
from colorization.isolation.photo_files import Limits, PhotoFiles
from tests.archives.files_test import memory  # noqa: F401
from tests.archives.photos import make_example, save_photo, write_records


@pytest.fixture(scope="module")
def colorizer(tiny_model_dir):
    return Colorizer.load(tiny_model_dir)


def colorize(items, colorizer, **changes):
    settings = handler.Settings(**changes)
    with PhotoFiles(settings.limits) as photo_files:
        return dict(handler.colorize_items(items, colorizer, photo_files, settings))


def expect(photo, colorizer, **options):
    """The content of the file that the photo's result must be."""
    import dataclasses

    decoded = image_io.decode_photo(photo, "photo")
    rgb = colorizer.colorize(decoded.rgb, **options)
    return image_io.encode_photo(dataclasses.replace(decoded, rgb=rgb), "photo")


def test_files_records_and_stores_give_the_same_results(tmp_path, colorizer, memory):  # noqa: F811
    photo = save_photo(tmp_path / "in" / "a.png")
    write_records(tmp_path / "x.tfrecord", [make_example(b"z.png", b"x"), make_example(b"a.png", photo)])
    memory.contents["mem://in/a.png"] = photo
    outputs = [str(tmp_path / "out" / "1.png"), "mem://out/2.png", "mem://out/3.png"]
    (_, first), (offset, _) = record_files.scan(str(tmp_path / "x.tfrecord"))
    assert record_files.parse(first)[0] == "z.png"
    items = [
        plan.Item(str(tmp_path / "in" / "a.png"), None, "a.png", (outputs[0],), False),
        plan.Item(str(tmp_path / "x.tfrecord"), offset, "a.png", (outputs[1],), False),
        plan.Item("mem://in/a.png", None, "a.png", (outputs[2],), False),
    ]
    assert colorize(items, colorizer) == dict.fromkeys([item.label for item in items])
    results = [(tmp_path / "out" / "1.png").read_bytes(), memory.contents[outputs[1]], memory.contents[outputs[2]]]
    assert results == [expect(photo, colorizer)] * 3


def test_samples_have_a_file_each(tmp_path, colorizer):
    photo = save_photo(tmp_path / "a.png")
    outputs = tuple(str(tmp_path / f"a_{i}.png") for i in (1, 2))
    item = plan.Item(str(tmp_path / "a.png"), None, "a.png", outputs, False)
    assert colorize([item], colorizer, seed=3) == {item.label: None}
    z = colorizer.draw_z(2, 3)
    for i, output in enumerate(outputs):
        assert open(output, "rb").read() == expect(photo, colorizer, z=z[i])


def test_every_failure_is_a_line_without_the_path_of_a_copy(tmp_path, colorizer, memory):  # noqa: F811
    photo = save_photo(tmp_path / "large.png", size=(200, 100))
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "out" / "folder.png").mkdir(parents=True)
    memory.contents |= {"mem://in/bad.png": b"no photo", "mem://in/large.png": photo}
    write_records(tmp_path / "x.tfrecord", [make_example(b"bad.png", b"no photo")])
    not_readable = "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image"
    too_large = "200x100 pixels are more than the limit of 9999; --max_megapixels sets the limit"
    cases = [
        (str(tmp_path / "large.png"), None, False, "large.png", too_large),
        ("mem://in/large.png", None, False, "l.png", too_large),
        ("mem://in/bad.png", None, False, "b.png", not_readable),
        (str(tmp_path / "x.tfrecord"), 0, False, "bad.png", not_readable),
        (str(tmp_path / "notes.txt"), None, True, "notes.txt", f"{not_readable}; left out"),
        (str(tmp_path / "new\nline.png"), None, False, "n.png", "No such file or directory"),
        ("mem://in/gone.png", None, False, "g.png", "No such file"),
        (str(tmp_path / "large.png"), None, False, "folder.png", f"{tmp_path}/out/folder.png is a folder"),
    ]
    for source, offset, is_guess, name, reason in cases:
        item = plan.Item(source, offset, name, (f"{tmp_path}/out/{name}",), is_guess)
        outcomes = colorize([item], colorizer, limits=Limits(9999))
        assert outcomes == {item.label.replace("\n", "\\n"): reason}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["folder.png"]


def test_a_second_try_works_after_the_first_was_broken_off(tmp_path, colorizer, monkeypatch):
    save_photo(tmp_path / "a.png")
    item = plan.Item(str(tmp_path / "a.png"), None, "a.png", (str(tmp_path / "b.png"),), False)
    worker = pickle.loads(pickle.dumps(handler.ColorizeHandler(handler.Settings())))
    with monkeypatch.context() as patch:
        patch.setattr(Colorizer, "colorize_batch", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            worker.run_inference([(item,)], colorizer)
    assert worker.run_inference([(item,)], colorizer) == [[(item.label, None)]]


def test_a_model_is_loaded_as_the_settings_say(tiny_model_dir):
    assert handler.ColorizeHandler(handler.Settings(model_dir=str(tiny_model_dir))).load_model().work_size == 64
