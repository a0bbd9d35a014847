"""A program npm that brings stand-ins for the packages, so that tests need neither a network nor 40 MB."""

import sys
from pathlib import Path

SCRIPT = """#!{python}
import json, os, pathlib, sys
if sys.argv[1] != "ci" or "--ignore-scripts" not in sys.argv or not os.path.exists("package-lock.json"):
    sys.exit("npm error: not called as it should be")
if {complaint!r}:
    sys.exit({complaint!r})
packages = pathlib.Path("node_modules/@litertjs")
for folder in ("core/dist", "core/wasm", "wasm-utils/dist"):
    (packages / folder).mkdir(parents=True)
(packages / "core/package.json").write_text(json.dumps({{"version": "9.8.7"}}))
(packages / "core/dist/index.js").write_text({script!r})
(packages / "wasm-utils/dist/index.js").write_text("export const utils = 1;\\n//# sourceMappingURL=index.js.map\\n")
for build in ("internal", "compat_internal", "threaded_internal", "jspi_internal"):
    for suffix in (".js", ".wasm"):
        (packages / ("core/wasm/litert_wasm_" + build + suffix)).write_text(build)
"""
LITERT = (
    'import { utils } from "@litertjs/wasm-utils";\nawait Environment.create();\n//# sourceMappingURL=index.js.map\n'
)


def write_fake_npm(folder: Path, *, complaint: str = "", script: str = LITERT) -> Path:
    """Writes the program into a folder, which a test puts on the PATH.

    Args:
      folder: for the program; made.
      complaint: what it says on standard error before it fails; it works if this is empty.
      script: the main script of LiteRT.js.

    Returns:
      The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "npm"
    program.write_text(SCRIPT.format(python=sys.executable, complaint=complaint, script=script))
    program.chmod(0o755)
    return folder
