"""Recipes and frames small enough for unit tests."""

from collections.abc import Callable

import numpy as np
import pytest

from procgen.surface.layer import Instance
from scenes import DatasetWriter, Recipe, draw, load_recipe


def changed(recipe: Recipe, **sections: dict[str, object]) -> Recipe:
    """The recipe with fields of its sections, or of the entries of its lists that have all of them, changed."""
    fields = recipe.model_dump(mode="json")
    for name, values in sections.items():
        for entry in fields[name] if isinstance(fields[name], list) else [fields[name]]:
            if values.keys() <= entry.keys():
                entry.update(values)
    return Recipe.model_validate(fields)


@pytest.fixture
def small_plate() -> Recipe:
    """The plate crowded with wide cracks and stains, at 64 x 48 pixels."""
    return changed(
        load_recipe("plate").only("crack", "water_stains"),
        camera={"resolution": [64, 48]},
        defects={"count": 6, "width_um": 2000, "origin": "anywhere"},
        impurities={"probability": 1, "occupancy": 1, "cell_size_mm": 12, "radius_mm": 8, "amplitude_mm": 2},
    )


@pytest.fixture
def write_frame() -> Callable[[DatasetWriter, int], None]:
    """Write a frame of made-up pixels, the same for the same number, with two cracks and a stain."""

    def write(writer: DatasetWriter, index: int) -> None:
        width, height = writer.recipe.camera.resolution
        rng = np.random.default_rng(index)
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        defects, impurities = np.zeros((2, height, width), dtype=np.uint16)
        defects[2:6, 3 : 10 + index] = 1
        defects[20:30, 5:7] = 2
        impurities[4:16, 8:20] = 1
        classes = (defects > 0) * np.uint16(1) + (impurities > 0) * np.uint16(2)
        cracks = [Instance(1, "defect", "crack"), Instance(2, "defect", "crack")]
        instances = [*cracks, Instance(1, "impurity", "water_stain")]
        writer.write(index, image, classes, defects, impurities, draw(writer.recipe, 5, index), instances)

    return write
