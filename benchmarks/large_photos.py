"""Time and peak memory of colorizing one large photo, all processes together.

    python -m benchmarks.large_photos [--megapixels=24,50,200]

For each size: a grey JPEG, an RGB PNG and an RGB TIFF of 16 bits, proportions 4:3, each by a call of the command. Needs
Linux, and for 200 megapixels 5 GB of disk in the folder for temporary files.
"""

import sys
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from absl import flags
from PIL import Image

from benchmarks import process_tree
from colorization import cli

_MEGAPIXELS = flags.DEFINE_list("megapixels", ["24", "50", "200"], "Millions of pixels of the photos.")

ROOT = Path(__file__).parents[1]
KINDS = {"grey JPEG": "gray.jpg", "RGB PNG": "rgb.png", "RGB TIFF, 16 bits": "deep.tif"}


def write_photo(path: Path, width: int, height: int) -> None:
    """Writes a photo of the kind that the name stands for, with structure at several scales."""
    rng = np.random.default_rng(0)
    scales = [Image.fromarray(rng.integers(0, 256, (2**k, 2**k), np.uint8)).resize((2048, 2048)) for k in (2, 5, 8, 11)]
    tile = np.mean([np.asarray(scale, np.float32) for scale in scales], axis=0).astype(np.uint8)
    grey = np.tile(tile, (-(-height // 2048), -(-width // 2048)))[:height, :width]
    if path.name == "gray.jpg":
        Image.fromarray(grey).save(path, quality=90)
        return
    rgb = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    if path.name == "rgb.png":
        path.write_bytes(imagecodecs.png_encode(rgb, level=1))
    else:
        tifffile.imwrite(path, rgb.astype(np.uint16) * 257, photometric="rgb")


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    print("| megapixels | photo | seconds | peak memory, GB |\n|---:|---|---:|---:|")
    for megapixels in map(float, _MEGAPIXELS.value):
        height = round((megapixels * 0.75e6) ** 0.5)
        for kind, name in KINDS.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                write_photo(path, int(megapixels * 1e6) // height, height)
                command = [sys.executable, "-m", "colorization.colorize", str(path), f"--output_dir={folder}/out"]
                run = process_tree.run([*command, f"--max_megapixels={megapixels}"], cwd=ROOT)
                if run.exit_status:
                    raise cli.CommandError(f"{megapixels:g} megapixels, {kind}: {run.stderr.strip()}")
            print(f"| {megapixels:g} | {kind} | {run.seconds:.0f} | {run.peak_bytes / 1e9:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    cli.run(main)
