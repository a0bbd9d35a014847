import html.parser

import numpy as np
import pytest
from PIL import Image

from colorization.evaluation import gallery, photos, protocol


def make_rows(gains):
    names = [f"{index}.png" for index in range(len(gains))]
    return [
        protocol.PhotoMetrics(name, 20.0, 0.9, 10.0 - gain, 30.0, 19.0, 0.9, 10.0, 0.0, 40.0)
        for name, gain in zip(names, gains, strict=True)
    ]


def test_groups_are_ranked_by_gain_over_grey():
    groups = gallery.choose_rows(make_rows([0.0, 5.0, -3.0, 1.0, 2.0, 4.0, -1.0]), 2)
    assert groups == {"best": [1, 5], "median": [4, 3], "worst": [2, 6]}


@pytest.mark.parametrize("num_photos", [3, 4, 5, 8, 30])
def test_no_photo_is_in_two_groups(num_photos):
    groups = gallery.choose_rows(make_rows(range(num_photos)), 5)
    chosen = [index for indices in groups.values() for index in indices]
    assert len(chosen) == len(set(chosen)) == 3 * min(5, num_photos // 3)


@pytest.mark.parametrize("num_photos", [1, 2])
def test_one_or_two_photos_still_make_a_gallery(num_photos):
    groups = gallery.choose_rows(make_rows(range(num_photos)), 5)
    assert groups["best"] == [num_photos - 1] and groups["worst"] == [0] and len(groups["median"]) == 1


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


def test_gallery_folder_is_complete_and_shows_the_right_pictures(tmp_path):
    data_dir, gallery_dir = tmp_path / "data", tmp_path / "gallery"
    data_dir.mkdir()
    colors = {"a&b.png": (200, 30, 30), "c.png": (30, 200, 30), "d.png": (30, 30, 200)}
    for name, color in colors.items():
        Image.new("RGB", (64, 48), color).save(data_dir / name)

    def colorize(rgb):
        return np.zeros_like(rgb) + np.uint8([200, 30, 30])

    rows = protocol.evaluate_photos(photos.list_evaluation_photos(data_dir), data_dir, colorize).rows
    gallery.write_gallery(gallery_dir, rows, data_dir, colorize, size=4, table="PSNR <table>")

    page = (gallery_dir / "index.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    images = [link for link in links.found if link.startswith("images/")]
    assert len(images) == 9 and set(links.found) == {*images, "contact_sheet.png"}
    assert all((gallery_dir / link).is_file() for link in links.found)
    assert "<b>a&amp;b.png</b>" in page and "PSNR &lt;table&gt;" in page and "3 photos: PSNR" in page

    best = [np.asarray(Image.open(gallery_dir / f"images/best_01_{column}.png")) for column in gallery.COLUMNS]
    assert (np.ptp(best[0], axis=-1) == 0).all()
    assert (best[1] == [200, 30, 30]).all() and (best[2] == [200, 30, 30]).all()

    sheet = np.asarray(Image.open(gallery_dir / "contact_sheet.png"))
    assert sheet.shape[1] > 3 * 3 * gallery.CELL
    reds = (sheet == [200, 30, 30]).all(axis=-1).sum()
    assert reds == 4 * gallery.CELL**2  # three results and one original
