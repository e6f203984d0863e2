"""A small dataset with all that labels can be: rings, parts apart, defects under impurities and under defects."""

from pathlib import Path

import numpy as np
import pytest

from procgen.surface.layer import Instance
from scenes import DatasetWriter, draw, load_recipe

SHAPE = (60, 80)


def write_labelled(folder: Path, frames: int) -> Path:
    """Frames of five instances each, every fourth of none, at 80 x 60 pixels."""
    height, width = SHAPE
    recipe = load_recipe("plate").only("crack", "scratch", "dent", "water_stains", "fibres")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (width, height)})})
    families = recipe.class_families
    writer = DatasetWriter(folder, recipe, 3, frames, samples=1)
    rows, columns = np.mgrid[:height, :width]
    for index in range(frames):
        rng = np.random.default_rng(index)
        ids = {family: np.zeros(SHAPE, np.uint16) for family in ("defect", "impurity")}
        classes, instances = np.zeros(SHAPE, np.uint16), []
        for place in range(0 if index % 4 == 0 else 5):
            name = list(families)[(index + place) % len(families)]
            family = families[name]
            y, x, radius = rng.uniform(8, height - 8), rng.uniform(8, width - 8), rng.uniform(3, 14)
            distance = np.hypot(rows - y, (columns - x) * rng.uniform(0.5, 2))
            mask = distance < radius
            if place % 2:
                mask &= distance > radius / 2  # a ring
            if place == 2:
                mask |= (abs(rows - height / 2) < 1) & (columns > x)  # a line beside it
            number = 1 + sum(instance.family == family for instance in instances)
            ids[family][mask] = number
            classes[mask] |= np.uint16(1 << list(families).index(name))
            instances.append(Instance(number, family, name))
        image = rng.integers(60, 200, (height, width, 3), dtype=np.uint8)
        writer.write(index, image, classes, ids["defect"], ids["impurity"], draw(recipe, 3, index), instances)
    writer.finish()
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, of 8 frames; tests leave it as it is."""
    return write_labelled(tmp_path_factory.mktemp("labelled") / "parts", 8)
