import json
from pathlib import Path

import pytest

from colorization.browser import runtime
from tests.browser.fake_npm import LITERT, write_fake_npm

BROWSER_DIR = Path(runtime.__file__).parent


def test_a_site_gets_the_scripts_with_addresses_that_browsers_find(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(write_fake_npm(tmp_path / "bin")))
    runtime.copy_runtime(tmp_path / "site" / "runtime")
    files = {path.name: path.read_text() for path in (tmp_path / "site" / "runtime").iterdir()}
    builds = ("internal", "compat_internal", "threaded_internal")
    assert set(files) == {"litert.js", "wasm_utils.js", "ATTRIBUTION.txt"} | {
        f"litert_wasm_{build}{suffix}" for build in builds for suffix in (".js", ".wasm")
    }
    assert files["litert.js"] == (
        'import { utils } from "./wasm_utils.js";\nawait Environment.create({ webGpuDevice: null });\n'
    )
    assert files["wasm_utils.js"] == "export const utils = 1;\n"
    assert files["litert_wasm_compat_internal.wasm"] == "compat_internal"
    assert files["ATTRIBUTION.txt"].startswith("LiteRT.js 9.8.7, ")


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(runtime.RuntimeFilesError, match="^npm is not installed; it fetches the WebAssembly runtime"):
        runtime.check_npm()


def test_what_npm_complains_of_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(write_fake_npm(tmp_path / "bin", complaint="npm error EINTEGRITY\nnpm error more")))
    with pytest.raises(runtime.RuntimeFilesError, match="^npm ci: npm error EINTEGRITY$"):
        runtime.copy_runtime(tmp_path / "runtime")
    assert not (tmp_path / "runtime").exists()


def test_another_litert_than_the_known_one_is_refused(tmp_path, monkeypatch):
    script = LITERT.replace("Environment.create()", "Environment.make()")
    monkeypatch.setenv("PATH", str(write_fake_npm(tmp_path / "bin", script=script)))
    with pytest.raises(runtime.RuntimeFilesError, match="^LiteRT.js: await Environment.create.* not the version"):
        runtime.copy_runtime(tmp_path / "runtime")


def test_packages_are_pinned_by_checksum_and_come_from_the_public_registry():
    package = json.loads((BROWSER_DIR / "package.json").read_text())
    lock = json.loads((BROWSER_DIR / "package-lock.json").read_text())["packages"]
    assert lock.pop("")["dependencies"] == package["dependencies"]
    assert {name.removeprefix("node_modules/"): entry["version"] for name, entry in lock.items()} == package[
        "dependencies"
    ]
    for entry in lock.values():
        assert entry["integrity"].startswith("sha512-")
        assert entry["resolved"].startswith("https://registry.npmjs.org/@litertjs/")
