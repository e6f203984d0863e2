"""A dataset whose every pixel is known, for the page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procgen.surface.layer import Instance
from scenes import Dataset, DatasetWriter, Recipe, draw, load_recipe

WIDTH, HEIGHT = 160, 120
MakeDataset = Callable[..., Dataset]


def recipe_of(**camera: Any) -> Recipe:
    """The plate with cracks and stains, drawn small."""
    recipe = load_recipe("plate").only("crack", "water_stains")
    fields = recipe.model_dump(mode="json")
    fields["camera"] |= {"resolution": [WIDTH, HEIGHT], **camera}
    fields["light"]["power_w"] = {"uniform": [3, 5]}
    return Recipe.model_validate(fields | {"texel_um": 1000, "name": "made"})


def frame_arrays(index: int) -> dict[str, Any]:
    """Pixels of a frame: noise; frames with even numbers have a crack, those with a multiple of three a stain."""
    rng = np.random.default_rng(index)
    image = np.clip(rng.normal(120, 10, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    defects, impurities, classes = np.zeros((3, HEIGHT, WIDTH), np.uint16)
    instances = []
    if index % 2 == 0:
        defects[20:24, 30 : 60 + index] = 1
        instances.append(Instance(1, "defect", "crack"))
    if index % 3 == 0:
        impurities[60:100, 100:140] = 2
        instances.append(Instance(2, "impurity", "water_stain"))
    image[defects > 0] = 20
    classes[defects > 0] |= 1
    classes[impurities > 0] |= 2
    return {"image": image, "classes": classes, "defects": defects, "impurities": impurities, "instances": instances}


@pytest.fixture
def make(tmp_path: Path) -> MakeDataset:
    """Write so many frames of a dataset, or more of one that is there."""

    def make(frames: int, name: str = "set", seed: int = 1) -> Dataset:
        recipe = recipe_of()
        writer = DatasetWriter(tmp_path / name, recipe, seed, frames)
        for index in writer.missing():
            writer.write(index, **frame_arrays(index), scene=draw(recipe, seed, index))
        writer.finish()
        return Dataset(tmp_path / name)

    return make
