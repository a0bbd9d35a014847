"""The gallery: best, median and worst photos as a web page and as one picture.

Photos are ranked by how much nearer than grey the result is to the original, in CIEDE2000. Ranking by the plain
difference would fill "best" with photos that are nearly grey anyway, and "worst" with the most colourful ones.
"""

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorization.evaluation.photos import read_square
from colorization.evaluation.protocol import Colorize, PhotoMetrics, colorize_squares

COLUMNS = ("input", "result", "original")
CELL = 176  # px, side of a picture on the contact sheet
GAP, GUTTER, MARGIN, CAPTION, HEADER, TITLE = 4, 40, 36, 52, 58, 68  # px on the contact sheet
# A neutral grey, so that the page's colour does not sway the eye.
BACKGROUND, TEXT, FAINT = "#1e1e1e", "#f2f2f2", "#a8a8a8"


@dataclasses.dataclass(frozen=True)
class Example:
    """One photo of the gallery.

    Attributes:
      metrics: its row.
      pictures: input, result and original, each rgb uint8 (256, 256, 3).
    """

    metrics: PhotoMetrics
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray]


def gain(row: PhotoMetrics) -> float:
    """How much nearer to the original than grey the result is, in CIEDE2000; negative if grey was nearer."""
    return row.grey_ciede2000 - row.ciede2000


def choose_rows(rows: Sequence[PhotoMetrics], gallery_size: int) -> dict[str, list[int]]:
    """Chooses the photos to show.

    Args:
      rows: one or more measured photos.
      gallery_size: photos per group, 1 or more; fewer if there are not three times as many photos.

    Returns:
      for "best", "median" and "worst", positions in `rows` in falling order of `gain` ("worst": the worst first).
      With three photos or more, no photo is in two groups.
    """
    order = sorted(range(len(rows)), key=lambda index: (-gain(rows[index]), rows[index].file))
    size = min(gallery_size, max(1, len(rows) // 3))
    middle = (len(rows) - size) // 2
    return {"best": order[:size], "median": order[middle : middle + size], "worst": order[: -size - 1 : -1]}


def write_gallery(
    gallery_dir: Path, rows: Sequence[PhotoMetrics], data_dir: Path, colorize: Colorize, *, size: int, table: str
) -> None:
    """Writes index.html, its images and contact_sheet.png; the photos shown are colorized once more.

    Args:
      gallery_dir: folder, made if missing.
      rows: one or more measured photos.
      data_dir: folder that the rows' names are relative to.
      colorize: the same as for the rows.
      size: photos per group, 1 or more.
      table: the printed summary, for the page.
    """
    gallery_dir.mkdir(parents=True, exist_ok=True)
    groups = {}
    for name, indices in choose_rows(rows, size).items():
        chosen = [rows[index] for index in indices]
        squares = np.stack([read_square(data_dir / row.file) for row in chosen])
        batch = colorize_squares(squares, colorize)
        pictures = zip(batch.grey, batch.result, batch.original, strict=True)
        groups[name] = [Example(row, triple) for row, triple in zip(chosen, pictures, strict=True)]
    psnr, grey_psnr = (np.mean([getattr(row, name) for row in rows]) for name in ("psnr", "grey_psnr"))
    title = f"{len(rows)} photos: PSNR {psnr:.2f} dB, grey {grey_psnr:.2f} dB ({psnr - grey_psnr:+.2f})"
    write_contact_sheet(gallery_dir / "contact_sheet.png", groups, title)
    write_html(gallery_dir, groups, title=title, table=table)


def caption(row: PhotoMetrics) -> str:
    """The numbers under a photo."""
    return (
        f"CIEDE2000 {row.ciede2000:.1f} (grey {row.grey_ciede2000:.1f})   "
        f"PSNR {row.psnr:.1f} dB ({row.psnr - row.grey_psnr:+.1f})   "
        f"colorfulness {row.colorfulness:.0f} of {row.original_colorfulness:.0f}"
    )


def write_contact_sheet(path: Path, groups: dict[str, list[Example]], title: str) -> None:
    """Writes one PNG: a column of rows (input, result, original) for each group.

    Args:
      path: file to write.
      groups: examples under "best", "median" and "worst", as many in each.
      title: one line for the top.
    """
    num_rows = max(len(examples) for examples in groups.values())
    block = len(COLUMNS) * CELL + (len(COLUMNS) - 1) * GAP
    width = 2 * MARGIN + len(groups) * block + (len(groups) - 1) * GUTTER
    height = MARGIN + TITLE + HEADER + num_rows * (CELL + CAPTION) + MARGIN - 16
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    large, medium, small = (ImageFont.load_default(size) for size in (24, 18, 12.5))
    draw.text((MARGIN, MARGIN - 8), title, TEXT, large)
    draw.text((MARGIN, MARGIN + 26), "ranked by CIEDE2000 gained over grey", FAINT, small)
    for index, (group, examples) in enumerate(groups.items()):
        left, top = MARGIN + index * (block + GUTTER), MARGIN + TITLE
        draw.text((left, top), group.capitalize(), TEXT, medium)
        for column, label in enumerate(COLUMNS):
            draw.text((left + column * (CELL + GAP), top + 34), label, FAINT, small)
        for row, example in enumerate(examples):
            y = top + HEADER + row * (CELL + CAPTION)
            for column, picture in enumerate(example.pictures):
                cell = Image.fromarray(picture).resize((CELL, CELL), Image.Resampling.LANCZOS)
                sheet.paste(cell, (left + column * (CELL + GAP), y))
            name = example.metrics.file
            draw.text((left, y + CELL + 4), name if len(name) <= 72 else f"...{name[-69:]}", TEXT, small)
            draw.text((left, y + CELL + 20), caption(example.metrics), FAINT, small)
    sheet.save(path, optimize=True)


def write_html(gallery_dir: Path, groups: dict[str, list[Example]], *, title: str, table: str) -> None:
    """Writes index.html and images/*.png; the folder refers to nothing outside itself.

    Args:
      gallery_dir: existing folder.
      groups: examples under "best", "median" and "worst".
      title: one line for the top.
      table: the printed summary.
    """
    (gallery_dir / "images").mkdir(exist_ok=True)
    sections = []
    for name, examples in groups.items():
        figures = [_write_figure(gallery_dir, f"{name}_{n:02d}", example) for n, example in enumerate(examples, 1)]
        sections.append(f"<h2>{name.capitalize()}</h2>\n<div class=figures>\n{''.join(figures)}</div>\n")
    page = _PAGE.substitute(title=html.escape(title), table=html.escape(table), sections="".join(sections))
    (gallery_dir / "index.html").write_text(page, encoding="utf-8")


def _write_figure(gallery_dir: Path, stem: str, example: Example) -> str:
    file = html.escape(example.metrics.file)
    images = []
    for column, picture in zip(COLUMNS, example.pictures, strict=True):
        Image.fromarray(picture).save(gallery_dir / "images" / f"{stem}_{column}.png")
        alt = f"{column}: {file}"
        images.append(f'<img src="images/{stem}_{column}.png" width=256 height=256 loading=lazy alt="{alt}">')
    numbers = html.escape(caption(example.metrics))
    return f"<figure>{''.join(images)}<figcaption><b>{file}</b><br>{numbers}</figcaption></figure>\n"


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { margin: 2rem auto; max-width: 1660px; padding: 0 1.5rem; background: #1e1e1e; color: #f2f2f2;
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 0.8rem; }
p, figcaption { color: #a8a8a8; } a { color: inherit; }
pre { background: #2a2a2a; padding: 1rem; border-radius: 6px; overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 1.6rem; }
figure { margin: 0; max-width: 100%; width: 780px; display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px; }
img { width: 100%; height: auto; display: block; }
figcaption { grid-column: 1 / -1; font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }
figcaption b { color: #f2f2f2; font-weight: 600; }
</style>
</head>
<body>
<h1>$title</h1>
<pre>$table</pre>
<p>Each row: input, result, original. Best, median and worst by how much nearer than grey the result is to the
original, in CIEDE2000. <a href="contact_sheet.png">Contact sheet</a></p>
$sections</body>
</html>
""")
