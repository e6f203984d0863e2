"""A dataset of made-up pixels whose masks are known, and a model small enough to be trained in a test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffusion_refine.training.model_shapes import Shape
from procgen.surface.layer import Instance
from scenes import Dataset, DatasetWriter, Recipe, draw, load_recipe

SIDE = (64, 80)
TINY = Shape(size=32, autoencoder=(16, 32), latent_channels=4, unet=(16, 32), head=16, text=32)


@pytest.fixture(scope="session")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four frames of a plate: a crack that fills the left third, then nothing, in turn."""
    fields: dict[str, Any] = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [SIDE[1], SIDE[0]]
    recipe = Recipe.model_validate(fields)
    folder = tmp_path_factory.mktemp("renders") / "plate"
    writer = DatasetWriter(folder, recipe, 3, 4, samples=1)
    for index in range(4):
        image = np.random.default_rng(index).integers(90, 160, (*SIDE, 3), dtype=np.uint8)
        defects, impurities = np.zeros((2, *SIDE), np.uint16)
        if index % 2 == 0:
            defects[:, :26] = 1
            image[:, :26] = 20
        instances = [Instance(1, "defect", "crack")] if index % 2 == 0 else []
        classes = (defects > 0) * np.uint16(1 << recipe.class_bits["crack"])
        writer.write(index, image, classes, defects, impurities, draw(recipe, 3, index), instances)
    writer.finish()
    return Dataset(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path within."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
