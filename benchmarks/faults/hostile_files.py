"""Colorizes a folder of hostile and unusual files, and counts what comes out, what is refused and what goes wrong.

    python -m benchmarks.faults.hostile_files --corpus_dir=DIR

DIR holds image files and MANIFEST.tsv with the columns `file` (path below DIR), `expectation` ("decodes", "must be
rejected cleanly" or "either") and `size_after_exif_transpose` (WIDTHxHEIGHT, or nothing for what is no still image).
Beside them come names and links that are made here. Needs Linux.

1. One call colorizes all. A file that decodes must come out at its size, upright once, with the lightness that Pillow
   reads to 1/255 of the range: the mean of the absolute differences for formats without loss; for JPEG, WebP, AVIF and
   GIF, which lose as much by themselves, the mean of the differences, and 2/255 for the absolute ones. A pixel counts
   as far as it is opaque. A file that must be rejected must be so in one line that names it. No traceback may come, the
   exit status is 1, and time and memory stay within the limits below.
2. A second call colorizes only those that came out: their results must be the same, byte for byte.

Exit status: 0 nothing is lost; 1 otherwise.
"""

import csv
import dataclasses
import io
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image, ImageCms, ImageOps

from benchmarks import process_tree
from colorization import cli

_CORPUS_DIR = flags.DEFINE_string("corpus_dir", None, "Folder with MANIFEST.tsv.", required=True)

ROOT = Path(__file__).parents[2]
SECONDS_PER_FILE = 10.0
MAX_BYTES = 1.5e9  # of all processes together
MAX_LIGHTNESS_ERROR = 1 / 255  # of the whole range
LOSSY_FORMATS = ("JPEG", "MPO", "WEBP", "AVIF", "GIF")
REJECTED = "must be rejected cleanly"
MADE_NAMES = (
    "with spaces.png",
    "größe 日本.png",
    os.fsdecode(b"not utf-8 \xff\xe9.png"),
    "new\nline.png",
    "photo",
    "-x.png",
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A file, and what is to come of it.

    Attributes:
      file: path below the folder that is colorized.
      expectation: "decodes", REJECTED or "either".
      size: "WIDTHxHEIGHT" of the upright photo, or "" if the manifest does not say.
    """

    file: str
    expectation: str
    size: str

    @property
    def fault(self) -> str:
        """The row of the table that it belongs to."""
        if self.file.startswith("made/"):
            return "names, pipes and links"
        if self.expectation == "decodes" and not self.size:
            return "videos, which are not taken"
        return {"decodes": "files that decode", REJECTED: "files that must be rejected"}.get(
            self.expectation, "files of which either is right"
        )


def read_cases(manifest: Path) -> list[Case]:
    """Reads the manifest of a corpus that lies in the folder `corpus`."""
    with manifest.open(encoding="utf-8", newline="") as file:
        return [
            Case(f"corpus/{row['file']}", row["expectation"], row["size_after_exif_transpose"])
            for row in csv.DictReader(file, delimiter="\t")
        ]


def make_awkward(folder: Path) -> list[Case]:
    """Fills the folder `made` with good photos of awkward names, and with what only looks like a file."""
    folder.mkdir()
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)).save(content, "PNG")
    for name in MADE_NAMES:
        (folder / name).write_bytes(content.getvalue())
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken link.png").symlink_to("nowhere")
    (folder / "notes.txt").write_text("no photo")
    (folder / "round and round").symlink_to(".")  # a folder inside itself
    rejected = ("pipe.jpg", "loop.png", "broken link.png", "notes.txt")
    return [Case(f"made/{name}", "decodes", "30x20") for name in MADE_NAMES] + [
        Case(f"made/{name}", REJECTED, "") for name in rejected
    ]


def read_lightness(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The upright first frame as Pillow reads it, profile honoured: L* and opacity of 0..1, float32 (H, W) each."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        image.load()
        orientation = image.getexif().get(0x0112, 1)
        mode, values, opacity = image.mode, image, Image.new("L", image.size, 255)
        if mode == "F" or mode.startswith("I"):
            values = np.nan_to_num(np.asarray(image, np.float64)).clip(0)
            whites = [white for white in (1, 255, 65535) if values.max() <= white] if mode == "F" else [65535]
            values = Image.fromarray(
                np.rint(values * (255 / (whites or [values.max()])[0])).clip(0, 255).astype(np.uint8)
            )
        elif image.has_transparency_data:
            opacity = image.convert("RGBA").getchannel("A")
            values = image.convert("RGBA").convert("RGB") if mode not in ("L", "LA", "1") else image.convert("L")
        elif mode not in ("L", "RGB", "CMYK"):
            values = image.convert("L" if mode == "1" else "RGB")
        values = _to_srgb(values, profile)
        values, opacity = (_transpose(band, orientation) for band in (values, opacity))
    rgb = np.asarray(values.convert("RGB"), np.float64) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    f = np.where(y > (6 / 29) ** 3, np.cbrt(y), y * (29 / 6) ** 2 / 3 + 4 / 29)
    return (1.16 * f - 0.16).astype(np.float32), np.asarray(opacity, np.float32) / 255


def compare_lightness(source: Path, result: Path) -> tuple[float, float]:
    """The mean absolute difference of lightness, of 0..1, and the mean one; as far as the source is opaque."""
    (expected, opacity), (found, _) = read_lightness(source), read_lightness(result)
    difference = (found - expected) * opacity
    return float(np.abs(difference).mean()), float(difference.mean())


def _transpose(image: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(image)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Converts by a profile if it is one for such an image."""
    if not profile:
        return image
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        if source.profile.xcolor_space.strip() != {"L": "GRAY"}.get(image.mode, image.mode):
            return image
        return ImageCms.profileToProfile(
            image,
            source,
            target,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return image


def judge(case: Case, source: Path, result: Path, lines: list[str]) -> str | None:
    """Says what went wrong with a file.

    Args:
      case: the file.
      source: where it is.
      result: where its result is, if there is one.
      lines: what was said of it.

    Returns:
      The reason why it is lost; None if it survived.
    """
    if len(lines) > 1 or (lines and result.exists()) or not (lines or result.exists()):
        return f"{len(lines)} lines about it, and {'a' if result.exists() else 'no'} result"
    if case.fault == "videos, which are not taken":
        return None if lines else "a result of a video"
    if case.expectation == "decodes" and lines:
        return f"refused: {lines[0]}"
    if case.expectation == REJECTED and not lines:
        return "not refused"
    if lines or not case.size:
        return None
    with Image.open(result) as image:
        size = f"{image.width}x{image.height}"
        if size != case.size or image.getexif().get(0x0112, 1) != 1:
            return f"{size} with orientation {image.getexif().get(0x0112, 1)} instead of {case.size} with 1"
        is_lossy = image.format in LOSSY_FORMATS
    if case.expectation == "decodes":
        absolute, mean = compare_lightness(source, result)
        if absolute > MAX_LIGHTNESS_ERROR * (1 + is_lossy) or abs(mean) > MAX_LIGHTNESS_ERROR:
            return f"its lightness differs by {255 * absolute:.2f} / 255, in the mean by {255 * mean:.2f}"
    return None


def colorize(folder: Path, output_dir: Path, num_files: int) -> process_tree.Run:
    """Calls the command on a folder of so many files."""
    command = [sys.executable, "-m", "colorization.colorize", str(folder), f"--output_dir={output_dir}", "--recursive"]
    return process_tree.run(command, seconds=60 + SECONDS_PER_FILE * num_files, cwd=ROOT)


def check_run(run: process_tree.Run, exit_status: int) -> list[str]:
    """What is wrong with a call as a whole."""
    wrong = []
    if run.exit_status != exit_status:
        wrong.append(f"exit status {run.exit_status} instead of {exit_status}")
    if "Traceback" in run.stderr:
        wrong.append("a traceback")
    if run.peak_bytes > MAX_BYTES:
        wrong.append(f"{run.peak_bytes / 1e9:.2f} GB of memory")
    return wrong


def main(argv: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if argv[1:]:
        raise cli.UsageError(f"{argv[1]}: unexpected argument")
    warnings.filterwarnings("ignore", module="PIL")  # remarks on what these files are chosen for
    corpus_dir = Path(_CORPUS_DIR.value).resolve()
    if not (corpus_dir / "MANIFEST.tsv").is_file():
        raise cli.UsageError(f"{corpus_dir}: no MANIFEST.tsv")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        source = root / "in"
        source.mkdir()
        (source / "corpus").symlink_to(corpus_dir)
        cases = read_cases(corpus_dir / "MANIFEST.tsv") + make_awkward(source / "made")
        run = colorize(source, root / "out", len(cases))
        wrong = check_run(run, 1)

        lines = {case: [] for case in cases}
        starts = {escape(f"{source / case.file}: "): case for case in cases}
        for line in run.stderr.splitlines():
            case = next((starts[start] for start in starts if line.startswith(start)), None)
            if case is not None:
                lines[case].append(line)
            elif not line.startswith(str(source / "corpus" / "MANIFEST.tsv")):
                wrong.append(f"of no file: {line}")
        lost = {}
        for case in cases:
            try:
                reason = judge(case, source / case.file, root / "out" / case.file, lines[case])
            except Exception as error:  # a result that Pillow does not read
                reason = repr(error)
            if reason:
                lost[case] = reason

        good = [case for case in cases if (root / "out" / case.file).exists()]
        for case in good:
            (root / "good" / case.file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / case.file, root / "good" / case.file)
        again = colorize(root / "good", root / "again", len(good))
        wrong += check_run(again, 0)
        changed = [case for case in good if not _is_same(root / "out" / case.file, root / "again" / case.file)]

    for case, reason in lost.items():
        print(f"{escape(case.file)}: {reason}", file=sys.stderr)
    for case in changed:
        print(f"{escape(case.file)}: another result without the others", file=sys.stderr)
    print("| fault | tries | survived | lost |\n|---|---:|---:|---:|")
    for fault in dict.fromkeys(case.fault for case in cases):
        members = [case for case in cases if case.fault == fault]
        num_lost = sum(case in lost for case in members)
        print(f"| {fault} | {len(members)} | {len(members) - num_lost} | {num_lost} |")
    counts = f"{len(good)} | {len(good) - len(changed)} | {len(changed)}"
    print(f"| results without the bad files beside them | {counts} |")
    print(f"{run.seconds:.0f} s and {run.peak_bytes / 1e9:.2f} GB for {len(cases)} files, {len(good)} came out")
    for reason in wrong:
        print(f"wrong: {reason}", file=sys.stderr)
    return int(bool(lost or changed or wrong))


def escape(text: str) -> str:
    """Writes what a terminal cannot show as the command does."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _is_same(path: Path, other: Path) -> bool:
    return other.exists() and path.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    cli.run(main)
