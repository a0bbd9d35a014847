import pytest
from PIL import Image

from benchmarks import scaling_cost


def test_the_cost_is_found_again():
    true = scaling_cost.Cost(start=8.0, photo=0.04, megapixel=0.1)
    calls = [
        scaling_cost.Call(n, size, true.predict(n, size), 0) for n, size in [(100, 0.3), (1000, 0.3), (16, 1), (16, 24)]
    ]
    cost = scaling_cost.fit_cost(calls)
    assert (cost.start, cost.photo, cost.megapixel) == pytest.approx((8.0, 0.04, 0.1))
    assert true.predict(100, 0.3) == pytest.approx(8.0 + 4.0 + 3.0)


def test_photos_have_the_size_asked_for(tmp_path):
    scaling_cost.write_photos(tmp_path / "photos", num_photos=9, megapixels=0.12)
    paths = sorted((tmp_path / "photos").iterdir())
    assert len(paths) == 9
    for path in paths:
        with Image.open(path) as photo:
            assert (photo.size, photo.mode, photo.format) == ((400, 300), "L", "JPEG")


def test_the_extrapolation_is_that_of_the_fit(capsys):
    cost = scaling_cost.Cost(start=10.0, photo=0.036, megapixel=0.36)
    scaling_cost.print_cost(cost, [scaling_cost.Call(10, 1.0, 13.96, 0), scaling_cost.Call(10, 1.0, 2 * 13.96, 0)])
    fit, *_, last = capsys.readouterr().out.strip().splitlines()
    assert fit.endswith("off by 25 % in the median, 50 % at most")
    assert last == "| 10,000,000 | 400 | 3,100 | 12,100 | 24,100 |"
