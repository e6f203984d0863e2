"""A dataset without Blender: unlit surfaces of a shipped recipe, with the masks that they were drawn with."""

from pathlib import Path

import numpy as np

from scenes import Dataset, DatasetWriter, draw, load_recipe
from scenes.maps import preview_picture, surface_maps


def drawn_dataset(folder: Path, name: str, frames: int, seed: int = 0) -> Dataset:
    """So many frames of a recipe, each a part of the surface of the camera's resolution."""
    recipe = load_recipe(name)
    columns, rows = recipe.camera.resolution
    writer = DatasetWriter(folder, recipe, seed, frames, samples=0)
    for index in writer.missing():
        scene = draw(recipe, seed, index)
        maps = surface_maps(scene)
        height, width = maps.defects.shape
        picture = preview_picture(maps)[::-1, :width]
        marked = np.argwhere(maps.defects > 0)
        middle = np.median(marked, axis=0) if len(marked) else (height / 2, width / 2)
        top, left = (
            round(min(max(middle[axis] - side / 2, 0), max(length - side, 0)))
            for axis, side, length in ((0, rows, height), (1, columns, width))
        )
        cut = (slice(top, top + rows), slice(left, left + columns))
        shown = [np.zeros((rows, columns, 3), np.uint8), *np.zeros((3, rows, columns), np.uint16)]
        for whole, part in zip(shown, (picture, maps.classes, maps.defects, maps.impurities), strict=True):
            there = part[cut]
            whole[: there.shape[0], : there.shape[1]] = there
        writer.write(index, shown[0], shown[1], shown[2], shown[3], scene, maps.instances)
    writer.finish()
    return Dataset(folder)
