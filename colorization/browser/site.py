"""Puts the files of a site together: the page of `serve` with another backend, the runtime, the model.

    index.html, page.js, ...   web/, with a Content-Security-Policy in index.html
    backend.js, device/        page/: what stands in for the server, and works beside the page
    runtime/                   LiteRT.js: see `runtime.py`
    model/                     the .tflite file, and model.json with what a program must know of it
    service_worker.js          keeps all this for use without a network
    files.js                   the list of the page's files, and a version that changes with them

All addresses in it are relative, so it works at any path of a host.
"""

import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PAGE_DIR = Path(__file__).parent / "page"
_WEB_DIR = Path(__file__).parents[1] / "web"
_MARKER = "files.js"
_MODEL_FILE = "colorizer.tflite"
# 'wasm-unsafe-eval' allows WebAssembly and nothing else; workers start from blobs to inherit the policy.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
_TITLE = "    <title>"
_HEAD = f"""    <meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">
    <link rel="manifest" href="manifest.webmanifest">
"""


def can_be_written(output_dir: Path) -> bool:
    """Whether a folder is missing, empty or a former site, and so may be replaced."""
    if not output_dir.exists():
        return True
    return output_dir.is_dir() and ((output_dir / _MARKER).is_file() or not any(output_dir.iterdir()))


def write_page(site_dir: Path) -> None:
    """Writes the page and what stands in for its server.

    Args:
      site_dir: folder that does not exist yet.
    """
    shutil.copytree(_WEB_DIR, site_dir)
    shutil.copytree(_PAGE_DIR, site_dir, dirs_exist_ok=True)
    index = site_dir / "index.html"
    before, title, after = index.read_text(encoding="utf-8").partition(_TITLE)
    index.write_text(before + _HEAD + title + after, encoding="utf-8")


def write_model(site_dir: Path, content: bytes, info: Mapping[str, Any]) -> None:
    """Writes the model.

    Args:
      site_dir: of the site.
      content: of the .tflite file.
      info: JSON-ready: what network.js, colorizer.js and backend.js read of model.json, but for `file` and `num_bytes`.
    """
    folder = site_dir / "model"
    folder.mkdir()
    (folder / _MODEL_FILE).write_bytes(content)
    info = {**info, "file": _MODEL_FILE, "num_bytes": len(content)}
    (folder / "model.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def write_list(site_dir: Path) -> None:
    """Writes the list of files, last of all. Model and runtime are left out: they are kept when they are first used."""
    paths = sorted(path for path in site_dir.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(site_dir).as_posix().encode() + b"\0" + path.read_bytes())
    names = [path.relative_to(site_dir).as_posix() for path in paths]
    names = [".", _MARKER] + [name for name in names if not name.startswith(("model/", "runtime/", "service_worker"))]
    site = {"version": digest.hexdigest()[:16], "files": names}
    (site_dir / _MARKER).write_text(f"self.SITE = {json.dumps(site, indent=2)};\n", encoding="utf-8")


def measure_downloads(site_dir: Path) -> dict[str, tuple[int, int]]:
    """What a first visit downloads: bytes as they are and as a server that compresses sends them (gzip), by part."""
    parts = {
        "page": [path for path in site_dir.rglob("*") if path.parent.name not in ("runtime", "model")],
        "runtime": [site_dir / "runtime" / name for name in ("litert.js", "wasm_utils.js")]
        + list((site_dir / "runtime").glob("litert_wasm_internal.*")),
        "model": list((site_dir / "model").iterdir()),
    }
    contents = {part: [path.read_bytes() for path in paths if path.is_file()] for part, paths in parts.items()}
    return {
        part: (sum(map(len, files)), sum(len(gzip.compress(file, 6)) for file in files))
        for part, files in contents.items()
    }
