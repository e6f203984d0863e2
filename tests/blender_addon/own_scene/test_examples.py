"""The example scenes: masks of each are what rays through all meshes meet, whatever was varied."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from scenes.recipes.reading import recipe_fields
from tests.blender_addon.own_scene.test_frames import frame_of, seen_by_rays, stage_of
from tools.example_scenes.making import EXAMPLES, write

pytest.importorskip("trimesh")
pytestmark = pytest.mark.render

PERCENT = 12  # of the file's resolution
WIDE = {"scratch": {"width_um": 1500}, "dent": {"diameter_mm": 4}}  # what such small pictures show


def example(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A small .blend of an example, and its recipe with the wider defects, in each frame and on each object."""
    path = write(name, folder)
    bpy.context.scene.render.resolution_percentage = PERCENT
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    recipe: Any = recipe_fields(folder / f"{name}.yaml")
    for entry in recipe["defects"]:
        entry |= {"count": 2} if "count" in entry else {"probability": 1.0}
        entry |= WIDE.get(entry["kind"], {})
    for entry in recipe.get("impurities", ()):
        entry["count"] = 1
    world = recipe["scene"].get("world")
    if world:
        world["hdris"]["folder"] = str(folder / world["hdris"]["folder"])
    return path, recipe


@pytest.mark.parametrize("name", EXAMPLES)
def test_masks_of_the_examples_are_what_rays_through_all_meshes_meet(name: str, tmp_path: Path) -> None:
    stage = stage_of(*example(name, tmp_path), passes={"objects": "png"})
    marked = 0
    for index in (2, 1) if name == "own_gear" else (2,):  # the gear has two views
        pictures, scene = frame_of(stage, index)
        numbers, expected, doubtful = seen_by_rays(stage, scene, pictures["classes"].shape)
        assert np.array_equal(pictures["objects"], numbers), f"{name}, frame {index}"
        for mask, values in expected.items():
            assert not ((pictures[mask] != values) & ~doubtful).any(), f"{mask} of {name}, frame {index}"
        assert doubtful.mean() < 0.02
        marked += np.count_nonzero(pictures["defects"])
        assert (numbers > 0).mean() > 0.1
        assert scene.variation is not None
        if scene.variation.drop is not None:
            assert len(np.unique(numbers)) > 10  # of the nuts that lie in the bin
    assert marked > 20
