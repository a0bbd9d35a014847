import gzip
import json
import re

import pytest

from colorization.browser import site


@pytest.fixture
def site_dir(tmp_path):
    """A site with a stand-in for the runtime."""
    folder = tmp_path / "site"
    site.write_page(folder)
    (folder / "runtime").mkdir()
    for name in ("litert.js", "wasm_utils.js", "litert_wasm_internal.wasm", "litert_wasm_compat_internal.wasm"):
        (folder / "runtime" / name).write_bytes(b"x" * 1000)
    site.write_model(folder, b"the model", {"work_size": 64})
    site.write_list(folder)
    return folder


def read_list(site_dir):
    text = (site_dir / "files.js").read_text()
    return json.loads(re.fullmatch(r"self\.SITE = (.*);\n", text, flags=re.DOTALL)[1])


def test_page_is_that_of_serve_with_another_backend(site_dir):
    for name in ("page.js", "darkroom.js", "contract.js", "photo.css"):
        assert (site_dir / name).read_bytes() == (site._WEB_DIR / name).read_bytes()
    backend = (site_dir / "backend.js").read_text()
    assert "class Backend" in backend and "fetch(" not in backend
    assert (site_dir / "device" / "worker.js").is_file()


def test_policy_of_the_page_allows_connections_to_its_own_host_only(site_dir):
    html = (site_dir / "index.html").read_text()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html)
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'" and directives["connect-src"] == "'self'"
    assert directives["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert html.index("Content-Security-Policy") < html.index("<title>") < html.index("<script")
    assert "http" not in re.sub(r"http-equiv", "", html)  # nothing from elsewhere


def test_every_address_is_relative_so_any_path_will_do(site_dir):
    html = (site_dir / "index.html").read_text()
    assert not [address for address in re.findall(r'(?:src|href)="([^"]*)"', html) if address.startswith("/")]
    assert json.loads((site_dir / "manifest.webmanifest").read_text())["start_url"] == "."


def test_list_names_every_file_of_the_page_and_its_version_follows_all_files(site_dir):
    listed = read_list(site_dir)
    names = {path.relative_to(site_dir).as_posix() for path in site_dir.rglob("*") if path.is_file()}
    left_out = {name for name in names if name.startswith(("model/", "runtime/"))} | {"service_worker.js"}
    assert len(left_out) == 7
    assert set(listed["files"]) == names - left_out | {"."}
    assert listed["files"][0] == "." and len(listed["files"]) == len(set(listed["files"]))

    (site_dir / "files.js").unlink()
    site.write_list(site_dir)
    assert read_list(site_dir) == listed
    (site_dir / "files.js").unlink()
    (site_dir / "model" / "colorizer.tflite").write_bytes(b"changed")
    site.write_list(site_dir)
    assert read_list(site_dir)["version"] != listed["version"]


def test_model_is_written_with_its_length(site_dir):
    info = json.loads((site_dir / "model" / "model.json").read_text())
    assert info == {"work_size": 64, "file": "colorizer.tflite", "num_bytes": 9}
    assert (site_dir / "model" / info["file"]).read_bytes() == b"the model"


def test_downloads_count_one_build_of_the_webassembly(site_dir):
    downloads = site.measure_downloads(site_dir)
    assert set(downloads) == {"page", "runtime", "model"}
    assert downloads["runtime"] == (3000, 3 * len(gzip.compress(b"x" * 1000, 6)))
    assert downloads["model"][0] == 9 + (site_dir / "model" / "model.json").stat().st_size
    html = (site_dir / "index.html").stat().st_size
    assert html < downloads["page"][1] < downloads["page"][0]


def test_only_sites_and_empty_folders_are_replaced(site_dir, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("private")
    (tmp_path / "file").write_text("")
    answers = {name: site.can_be_written(tmp_path / name) for name in ("missing", "empty", "site", "mine", "file")}
    assert answers == {"missing": True, "empty": True, "site": True, "mine": False, "file": False}
