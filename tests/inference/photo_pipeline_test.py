import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorization import image_io
from colorization.inference import photo_pipeline
from colorization.inference.hints import Hint
from colorization.inference.photo_jobs import PhotoJob
from colorization.isolation.photo_files import PhotoFiles


class FakeColorizer:
    """Adds 1 to every level, 10 x z for a sample, 2 for each hint; remembers the batches that it got."""

    def __init__(self):
        self.batches = []

    def encode_reference(self, rgb):
        return rgb[0, 0, 0]

    def draw_z(self, num_samples, seed):
        return np.arange(1, num_samples + 1) + seed

    def colorize_batch(self, photos, *, z, saturation, hints, out):
        assert saturation == 0.5
        self.batches.append(len(photos))
        added = 1 if z is None else 10 * z
        for photo, points, result in zip(photos, hints, out, strict=True):
            result[:] = photo + np.uint8(added + 2 * len(points))


def make_jobs(tmp_path, num_photos, num_samples=1, size=(4, 3)):
    """Jobs for PNG photos, photo i of level i all over."""
    jobs = []
    for i in range(num_photos):
        photo = tmp_path / f"{i}.png"
        Image.new("RGB", size, (i, i, i)).save(photo)
        jobs.append(PhotoJob(photo, tuple(tmp_path / "out" / f"{i}_{s}.png" for s in range(num_samples))))
    return jobs


class PlainFiles:
    """Reads and writes without processes of their own."""

    read = staticmethod(image_io.read_photo)
    write = staticmethod(image_io.write_photo)

    def close(self):
        pass


def run(jobs, files=None, **options):
    """All outcomes, with the words of errors, and the batches that the network saw."""
    colorizer = FakeColorizer()
    outcomes = photo_pipeline.colorize_jobs(jobs, lambda: colorizer, files or PlainFiles(), saturation=0.5, **options)
    return [(job, error and str(error)) for job, error in outcomes], colorizer.batches


def read_level(path):
    (level,) = np.unique(np.array(Image.open(path)))
    return level


def test_every_photo_is_written(tmp_path):
    jobs = make_jobs(tmp_path, 7)
    with PhotoFiles() as files:
        outcomes, batches = run(jobs, files, batch_size=3)
    assert outcomes == [(job, None) for job in jobs]
    assert batches == [3, 3, 1]
    assert [read_level(job.outputs[0]) for job in jobs] == [1, 2, 3, 4, 5, 6, 7]


def test_large_photos_go_alone(tmp_path):
    jobs = make_jobs(tmp_path, 3, size=(2000, 1500))
    assert run(jobs)[1] == [1, 1, 1]


def test_samples_have_the_same_noise_for_all_photos(tmp_path):
    jobs = make_jobs(tmp_path, 3, num_samples=2)
    outcomes, batches = run(jobs, batch_size=2, seed=4)
    assert outcomes == [(job, None) for job in jobs]
    assert batches == [2, 2, 1, 1]
    assert [[read_level(path) for path in job.outputs] for job in jobs] == [[50, 60], [51, 61], [52, 62]]


def test_hints_and_reference_are_those_of_all_photos(tmp_path):
    reference = np.full((2, 2, 3), 7, np.uint8)
    jobs = make_jobs(tmp_path, 3)
    outcomes, _ = run(jobs, batch_size=2, hints=[Hint(0, 0, (0, 0, 0))] * 2, reference=reference)
    assert outcomes == [(job, None) for job in jobs]
    assert [read_level(job.outputs[0]) for job in jobs] == [74, 75, 76]


def test_a_reference_gives_no_samples(tmp_path):
    with pytest.raises(ValueError, match="a reference gives each photo one result, not several"):
        run(make_jobs(tmp_path, 1, num_samples=2), reference=np.zeros((2, 2, 3), np.uint8))


def test_a_failure_is_told_and_the_others_are_done(tmp_path):
    jobs = make_jobs(tmp_path, 5, num_samples=2)
    jobs[0].photo.unlink()
    jobs[2].photo.write_bytes(b"garbage")
    jobs[3] = PhotoJob(jobs[3].photo, (tmp_path / "0.png" / "x.png", tmp_path / "out" / "x.png"))
    (tmp_path / "0.png").touch()
    jobs[0] = PhotoJob(tmp_path / "missing.png", jobs[0].outputs)
    outcomes, _ = run(jobs)
    failures = {job.photo.name: failure for job, failure in outcomes}
    assert len(outcomes) == 5
    assert failures.pop("1.png") is None and failures.pop("4.png") is None
    assert failures["missing.png"] == f"{tmp_path / 'missing.png'}: No such file or directory"
    assert failures["2.png"].startswith(f"{jobs[2].photo}: not a readable")
    assert failures["3.png"].startswith(f"{tmp_path / '0.png' / 'x.png'}: ")
    assert [read_level(path) for path in jobs[4].outputs] == [14, 24]


def test_all_failing_is_no_crash(tmp_path):
    jobs = [PhotoJob(Path("missing.png"), (tmp_path / "out.png",))]
    assert run(jobs) == ([(jobs[0], "missing.png: No such file or directory")], [])
    assert run([]) == ([], [])


def test_waiting_photos_are_bounded(tmp_path, monkeypatch):
    """However many photos there are, few are decoded ahead of the network, and few wait to be written."""
    monkeypatch.setattr(photo_pipeline, "_WAITING_PIXELS", 24)  # two photos of 4 x 3
    alive, most, lock = 0, 0, threading.Lock()

    def count(change):
        nonlocal alive, most
        with lock:
            alive += change
            most = max(most, alive)

    class CountingFiles(PlainFiles):
        def read(self, path):
            count(1)
            return image_io.read_photo(path)

        def write(self, path, photo):
            image_io.write_photo(path, photo)
            count(-1)

    outcomes, _ = run(make_jobs(tmp_path, 40), CountingFiles(), batch_size=2)
    assert len(outcomes) == 40 and alive == 0
    assert most <= 3 + 2 + 1 + 3  # decoded ahead, in the batch, read for the next one, being written


def test_a_model_that_cannot_be_loaded_stops_it(tmp_path):
    def load():
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        list(photo_pipeline.colorize_jobs(make_jobs(tmp_path, 40), load, PlainFiles()))
    assert not (tmp_path / "out").exists()
