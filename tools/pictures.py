"""Make the pictures of README.md from a finished `make demo` and a few rendered tiles: `make pictures`."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender_addon import render_dataset
from scenes import Dataset, Frame

DEFECT, IMPURITY = (213, 94, 0), (0, 114, 178)  # Okabe and Ito: told apart by the colour-blind
OPACITY = 0.55
GAP = 8
TILES, TILE_SEED = 4, 2


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("out/demo"))
    parser.add_argument("--tiles", type=Path, default=Path("out/tiles"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    frame = fullest(Dataset(arguments.demo / "test"))
    side_by_side([frame.image, overlaid(frame)]).save(arguments.out / "plate.png", optimize=True)
    tiles = render_dataset("magnetic_tile", arguments.tiles, TILES, TILE_SEED)
    side_by_side([tile.image for tile in tiles]).save(arguments.out / "magnetic_tile.png", optimize=True)


if __name__ == "__main__":
    main()
