"""Draws one sheet of photos before and after colorization, as in README.

    python -m examples.make_sheet BEFORE_DIR AFTER_DIR SHEET.jpg

Every photo of BEFORE_DIR must have its result of the same name in AFTER_DIR. A strip of photos as they were
stands above the same strip in colour; the strips are as wide as the sheet.
"""

import argparse
from pathlib import Path

from PIL import Image

from colorization.image_io import ImageError, list_photos, read_rgb

SHEET_WIDTH = 1600  # pixels
GAP = 8  # pixels between photos
PHOTOS_PER_STRIP = 4


def make_strip(photos: list[Image.Image]) -> Image.Image:
    """Puts photos side by side.

    Args:
      photos: RGB images of any sizes.

    Returns:
      An RGB image SHEET_WIDTH wide in which all photos have the same height and keep their proportions.
    """
    aspects = [photo.width / photo.height for photo in photos]
    height = round((SHEET_WIDTH - GAP * (len(photos) - 1)) / sum(aspects))
    strip = Image.new("RGB", (SHEET_WIDTH, height), "white")
    left = 0
    for photo, aspect in zip(photos, aspects, strict=True):
        width = round(aspect * height)
        strip.paste(photo.resize((width, height), Image.Resampling.LANCZOS), (left, 0))
        left += width + GAP
    return strip


def make_sheet(pairs: list[tuple[Path, Path]]) -> Image.Image:
    """Lays out photos with their results.

    Args:
      pairs: for each photo, the file before and the file after.

    Returns:
      An RGB image SHEET_WIDTH wide.

    Raises:
      ImageError: a file is missing or broken.
    """
    strips = []
    for first in range(0, len(pairs), PHOTOS_PER_STRIP):
        for paths in zip(*pairs[first : first + PHOTOS_PER_STRIP], strict=True):
            strips.append(make_strip([Image.fromarray(read_rgb(path)) for path in paths]))
    sheet = Image.new("RGB", (SHEET_WIDTH, sum(strip.height + GAP for strip in strips) - GAP), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + GAP
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before_dir", type=Path)
    parser.add_argument("after_dir", type=Path)
    parser.add_argument("sheet_path", type=Path)
    args = parser.parse_args()
    photos = list_photos([args.before_dir], recursive=False)
    try:
        sheet = make_sheet([(photo, args.after_dir / photo.name) for photo in photos])
    except ImageError as error:
        parser.exit(1, f"{error}\n")
    sheet.save(args.sheet_path, quality=90)
    print(f"{len(photos)} photos before and after: {args.sheet_path}")


if __name__ == "__main__":
    main()
