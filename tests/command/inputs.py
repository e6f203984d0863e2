"""Small input that is good, for the tests to spoil."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procgen.surface.layer import Instance
from scenes import DatasetWriter, Recipe, draw, load_recipe

FRAMES, SEED, SAMPLES = 4, 5, 1
RENDER = ("--frames", FRAMES, "--seed", SEED, "--samples", SAMPLES)


def written(**changes: Any) -> dict[str, Any]:
    """The plate at 64 x 48 pixels as a recipe's fields, with `section__field=value` changes."""
    fields: dict[str, Any] = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [64, 48]
    for place, value in changes.items():
        section, _, field = place.partition("__")
        entry = fields[section][0] if isinstance(fields[section], list) else fields[section]
        entry[field] = value
    return fields


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


TINY = ("--size", "16", "--epochs", "1", "--backbone", "embedded")  # options of `train`
HALF = ("--validation-share", "0.5")  # options of `evaluate`


def square() -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:30] = 255
    return mask


def write_frame(writer: DatasetWriter, recipe: Recipe, index: int) -> None:
    """A frame of noise with one crack in it."""
    image = np.random.default_rng(index).integers(90, 130, (48, 64, 3), dtype=np.uint8)
    defects = square().astype(np.uint16) // 255
    writer.write(
        index, image, defects, defects, 0 * defects, draw(recipe, SEED, index), [Instance(1, "defect", "crack")]
    )
