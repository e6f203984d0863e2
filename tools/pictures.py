"""Make the pictures of README.md: a plate and its masks, tiles, and the report of a finished demo. `make pictures`.

And that of docs/gallery.md, a page on tiles.
"""

import argparse
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender_addon import render_dataset
from scenes import Dataset, Frame
from scenes.gallery.survey import survey
from scenes.gallery.writing import write_page

DEFECT, IMPURITY = (213, 94, 0), (0, 114, 178)  # Okabe and Ito: told apart by the colour-blind
OPACITY = 0.55
GAP = 8
PLATES, PLATE_SEED = 6, 8
TILES, TILE_SEED = 4, 3
SAMPLES = 32
PAGED, PAGED_SEED = 40, 3  # tiles on a page
REPORT_SIZE, PAGE_SIZE = (1280, 1500), (1280, 760)  # pixels
LOADED = 5000  # ms of a page's own time after which it has loaded what it shows
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def overlaid(frame: Frame) -> NDArray[np.uint8]:
    """(H, W, 3): the picture under its masks, defects over impurities."""
    picture = frame.image.astype(float)
    for mask, colour in ((frame.impurities, IMPURITY), (frame.defects, DEFECT)):
        picture[mask > 0] = (1 - OPACITY) * picture[mask > 0] + OPACITY * np.array(colour)
    return picture.astype(np.uint8)


def side_by_side(pictures: list[NDArray[np.uint8]]) -> Image.Image:
    """One row of pictures of equal height, white between them."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    row = [piece for picture in pictures for piece in (gap, np.atleast_3d(picture) + np.zeros(3, dtype=np.uint8))]
    return Image.fromarray(np.concatenate(row[1:], axis=1))


def fullest(dataset: Dataset) -> Frame:
    """The frame that shows most: the one with the largest product of defect and impurity pixels."""
    return max(dataset, key=lambda frame: np.count_nonzero(frame.defects) * np.count_nonzero(frame.impurities))


def screenshot(page: Path, picture: Path, size: tuple[int, int]) -> None:
    """Photograph the top of a page with whatever Chromium there is; leave the old picture where there is none."""
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None or not page.is_file():
        print(f"{picture} is left as it was: that needs {page} and one of {', '.join(CHROMIUM)}")
        return
    with TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        command += [f"--user-data-dir={profile}", f"--screenshot={picture}", "--window-size={},{}".format(*size)]
        command.append(f"--virtual-time-budget={LOADED}")
        subprocess.run([*command, page.resolve().as_uri()], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("out/pictures"), help="folder for what is rendered")
    parser.add_argument("--report", type=Path, default=Path("out/demo/report/report.html"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    plates = render_dataset("plate", arguments.work / "plates", PLATES, PLATE_SEED, samples=SAMPLES)
    frame = fullest(plates)
    side_by_side([frame.image, overlaid(frame)]).save(arguments.out / "plate.png", optimize=True)
    tiles = render_dataset("magnetic_tile", arguments.work / "tiles", TILES, TILE_SEED, samples=SAMPLES)
    side_by_side([tile.image for tile in tiles]).save(arguments.out / "magnetic_tile.png", optimize=True)
    screenshot(arguments.report, arguments.out / "report.png", REPORT_SIZE)
    paged = render_dataset("magnetic_tile", arguments.work / "paged", PAGED, PAGED_SEED, samples=SAMPLES)
    folder = arguments.work / "paged-report"
    page = write_page(folder, survey(paged, folder, lambda what, done, total: None), command="blemish report paged")
    screenshot(page, arguments.out / "gallery.png", PAGE_SIZE)


if __name__ == "__main__":
    main()
