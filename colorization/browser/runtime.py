"""Fetches LiteRT.js, which runs TensorFlow Lite files in WebAssembly: with npm, exactly what package-lock.json names.

npm compares what it gets with the checksums there. Of the packages, a site needs two scripts and, for browsers with and
without relaxed SIMD and for pages that may use threads, three builds of the WebAssembly, of which a visitor gets one.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

_BROWSER_DIR = Path(__file__).parent
_PACKAGE_FILES = ("package.json", "package-lock.json")
_TIMEOUT_SECONDS = 600
_BUILDS = ("internal", "compat_internal", "threaded_internal")
_CHANGES = {  # of LiteRT.js
    '"@litertjs/wasm-utils"': '"./wasm_utils.js"',  # a browser looks for files, not for packages
    "await Environment.create()": "await Environment.create({ webGpuDevice: null })",  # or it wakes a GPU for nothing
}


_ATTRIBUTION = """LiteRT.js {version}, https://www.npmjs.com/package/@litertjs/core. Copyright Google LLC.
Licensed under the Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0
Changed here, in litert.js alone: where it looks for wasm_utils.js, and that it asks for no GPU.
"""


class RuntimeFilesError(Exception):
    """The runtime can't be had; the message is one line."""


def check_npm() -> None:
    """Raises RuntimeFilesError if npm is missing."""
    if shutil.which("npm") is None:
        raise RuntimeFilesError("npm is not installed; it fetches the WebAssembly runtime and comes with Node.js")


def copy_runtime(target_dir: Path) -> None:
    """Fetches the packages, from npm's cache if they are there, and copies what a site needs.

    Args:
      target_dir: folder for litert.js, wasm_utils.js, litert_wasm_* and a note on their origin; made.

    Raises:
      RuntimeFilesError: npm is missing, or fails; the message holds its first complaint.
    """
    check_npm()
    with tempfile.TemporaryDirectory() as folder:
        for name in _PACKAGE_FILES:
            shutil.copy(_BROWSER_DIR / name, folder)
        _run_npm_ci(folder)
        packages_dir = Path(folder) / "node_modules" / "@litertjs"
        target_dir.mkdir(parents=True)
        script = (packages_dir / "core" / "dist" / "index.js").read_text(encoding="utf-8")
        for old, new in _CHANGES.items():
            if script.count(old) != 1:
                raise RuntimeFilesError(f"LiteRT.js: {old} is not there once: not the version that this project knows")
            script = script.replace(old, new)
        (target_dir / "litert.js").write_text(_without_map(script), "utf-8")
        utils = (packages_dir / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf-8")
        (target_dir / "wasm_utils.js").write_text(_without_map(utils), "utf-8")
        version = json.loads((packages_dir / "core" / "package.json").read_text(encoding="utf-8"))["version"]
        (target_dir / "ATTRIBUTION.txt").write_text(_ATTRIBUTION.format(version=version), "utf-8")
        for build in _BUILDS:
            for suffix in (".js", ".wasm"):
                shutil.copy(packages_dir / "core" / "wasm" / f"litert_wasm_{build}{suffix}", target_dir)


def _run_npm_ci(folder: str) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeFilesError(f"npm ci: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeFilesError(f"npm ci: {lines[0]}")


def _without_map(script: str) -> str:
    """Without the reference to a source map, which stays behind."""
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith("//# sourceMappingURL="))
