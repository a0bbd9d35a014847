from pathlib import Path

import pytest

from colorization.inference.photo_jobs import PhotoJob, find_obstacle, plan_jobs


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The current folder, with photos/{a.jpg, notes.txt, sub/b.png} and c.jpg in it."""
    for name in ("photos/a.jpg", "photos/notes.txt", "photos/sub/b.png", "c.jpg"):
        Path(tmp_path, name).parent.mkdir(parents=True, exist_ok=True)
        Path(tmp_path, name).touch()
    monkeypatch.chdir(tmp_path)


def plan(*paths, output_dir="out", recursive=False, num_samples=1):
    """The planned jobs as {photo: [outputs]}."""
    jobs = plan_jobs(paths, output_dir, recursive=recursive, num_samples=num_samples)
    return {str(job.photo): [str(path) for path in job.outputs] for job in jobs}


def test_files_keep_their_name_and_folders_their_tree(tree):
    assert plan("c.jpg", "photos") == {
        "c.jpg": ["out/c.jpg"],
        "photos/a.jpg": ["out/a.jpg"],
        "photos/notes.txt": ["out/notes.txt"],
    }
    assert plan("photos/sub/b.png", "photos/a.jpg") == {
        "photos/sub/b.png": ["out/b.png"],
        "photos/a.jpg": ["out/a.jpg"],
    }
    assert plan("photos", recursive=True) == {
        "photos/a.jpg": ["out/a.jpg"],
        "photos/notes.txt": ["out/notes.txt"],
        "photos/sub/b.png": ["out/sub/b.png"],
    }


def test_samples_are_numbered_before_the_suffix(tree):
    assert plan("c.jpg", num_samples=3) == {"c.jpg": ["out/c_1.jpg", "out/c_2.jpg", "out/c_3.jpg"]}


def test_results_inside_an_input_folder_are_no_inputs(tree):
    Path("photos/out").mkdir()
    Path("photos/out/a.jpg").touch()
    assert plan("photos", output_dir="photos/out", recursive=True) == {
        "photos/a.jpg": ["photos/out/a.jpg"],
        "photos/notes.txt": ["photos/out/notes.txt"],
        "photos/sub/b.png": ["photos/out/sub/b.png"],
    }


def test_only_the_names_of_files_in_folders_promise_nothing(tree):
    Path("photos/IMG_1.JPG").touch()
    jobs = plan_jobs(["photos"], "out", recursive=False, num_samples=2)
    assert {job.photo.name: job.is_guess for job in jobs} == {"a.jpg": False, "IMG_1.JPG": False, "notes.txt": True}
    (named,) = plan_jobs(["photos/notes.txt"], "out", recursive=False, num_samples=1)
    assert not named.is_guess


def test_links_that_go_in_circles_are_left_to_the_reader(tree):
    Path("photos/loop.jpg").symlink_to("loop.jpg")
    Path("photos/sub/up").symlink_to("..")
    assert plan("photos", output_dir="photos/out", recursive=True).keys() == {
        "photos/a.jpg",
        "photos/loop.jpg",
        "photos/notes.txt",
        "photos/sub/b.png",
    }


@pytest.mark.parametrize(
    "output, overwrite, obstacle",
    [
        ("out/c.jpg", False, None),
        ("photos/a.jpg", False, "c.jpg: photos/a.jpg exists; --overwrite replaces it"),
        ("photos/a.jpg", True, None),
        ("photos/sub", True, "c.jpg: photos/sub is a folder"),
        ("photos/a.jpg/x/c.jpg", True, "c.jpg: photos/a.jpg is no folder"),
        ("broken", False, "c.jpg: broken exists; --overwrite replaces it"),
    ],
)
def test_obstacles_are_found_before(tree, output, overwrite, obstacle):
    Path("broken").symlink_to("nowhere")
    assert find_obstacle(PhotoJob(Path("c.jpg"), (Path(output),)), overwrite=overwrite) == obstacle


def test_an_input_folder_inside_the_output_folder_is_read(tree):
    assert plan("photos/sub", output_dir="photos") == {"photos/sub/b.png": ["photos/b.png"]}


def test_a_missing_file_beside_a_good_one_is_left_to_the_reader(tree):
    assert plan("missing.jpg", "c.jpg") == {"missing.jpg": ["out/missing.jpg"], "c.jpg": ["out/c.jpg"]}


@pytest.mark.parametrize(
    "paths, options, message",
    [
        (["missing.jpg"], {}, "missing.jpg: no such file or folder"),
        (["empty"], {}, "empty: no photos found; --recursive also looks into the folders inside"),
        (["empty"], {"recursive": True}, "empty: no photos found"),
        (["c.jpg", "c.jpg"], {}, "c.jpg and c.jpg: both would be written to out/c.jpg"),
        (["photos", "other"], {}, "photos/a.jpg and other/a.jpg: both would be written to out/a.jpg"),
        (["c.jpg"], {"output_dir": "."}, "c.jpg: its result would replace the input c.jpg; choose another folder"),
        (["photos/a.jpg", "other/a.jpg"], {"output_dir": "photos"}, "photos/a.jpg: its result would replace the input"),
        (["c.jpg", "other/c_1.jpg"], {"output_dir": "other", "num_samples": 2}, "c.jpg: its result would replace"),
    ],
)
def test_a_wrong_call_is_refused(tree, paths, options, message):
    Path("empty").mkdir()
    Path("other").mkdir()
    Path("other/a.jpg").touch()
    Path("other/c_1.jpg").touch()
    with pytest.raises(ValueError) as caught:
        plan(*paths, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
