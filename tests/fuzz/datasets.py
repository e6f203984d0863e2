"""Files of a dataset of Blemish, with the digests that they ought to have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzz.pictures import PNG_TOKENS, with_checksums
from tests.fuzz.target import JSON_TOKENS, Target, Tree

if TYPE_CHECKING:
    from scenes.datasets.reader import Frame

LAST_LINES = re.compile(rb'(,\n "sha256": "[^"]*"[^"]*)?\n?\}?\n?\Z')  # what a seal is written in the place of


def dataset(folder: Path) -> Path:
    """A dataset of two frames of 24 x 20 pixels, each with a crack."""
    from procgen.surface.layer import Instance
    from scenes import DatasetWriter, draw, load_recipe
    from scenes.recipes.recipe import recipe_from

    fields = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [24, 20]
    recipe = recipe_from(fields, "recipe.yaml")
    writer = DatasetWriter(folder, recipe, 5, 2, samples=1)
    mask = np.zeros((20, 24), np.uint16)
    mask[5:9, 6:15] = 1
    for index in range(2):
        image = np.random.default_rng(index).integers(90, 130, (20, 24, 3), dtype=np.uint8)
        writer.write(index, image, mask, mask, 0 * mask, draw(recipe, 5, index), [Instance(1, "defect", "crack")])
    writer.finish()
    return folder


def file_of_a_dataset(name: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [(dataset(folder) / name).read_bytes()]


def mask_of_a_dataset(folder: Path) -> list[bytes]:
    """Of one without digests, as an earlier Blemish wrote it: what a mask says meets what the scene does."""
    from scenes.datasets.files import as_json

    scene = dataset(folder) / "scenes/000000.json"
    written = json.loads(scene.read_bytes())
    scene.write_bytes(as_json({key: value for key, value in written.items() if key not in ("sha256", "files")}))
    return [(folder / "defects/000000.png").read_bytes()]


def unsealed(content: bytes) -> Any:
    return {key: value for key, value in json.loads(content).items() if key != "sha256"}


def sealed(_: bytes, value: Any) -> bytes:
    return with_seal(json.dumps(value, indent=1).encode())


def with_seal(content: bytes) -> bytes:
    """A JSON file with the digest that it ought to have at its end."""
    from scenes.datasets.files import sealed_pieces

    return b"".join(sealed_pieces([LAST_LINES.sub(b"", content)]))


def read_header(path: Path) -> object:
    from scenes import Dataset

    found = Dataset(path.parent)
    return found.recipe, found.classes, found.families, found.recipe_name, found.complete


def read_scene(path: Path) -> object:
    from scenes.datasets.verify import damages
    from scenes.formats.registry import read_samples

    *_, sample = read_samples(path.parents[1])
    frame = _first_frame(path)
    return sample.truth(), frame.scene, frame.instances, frame.refinement, list(damages(path.parents[1]))


def read_frame(path: Path) -> object:
    frame = _first_frame(path)
    return frame.image, frame.classes, frame.defects, frame.impurities


def read_annotations(path: Path) -> object:
    from scenes.datasets.verify import refuse_damaged

    refuse_damaged([path.parent])
    return path


def _first_frame(path: Path) -> Frame:
    from scenes import Dataset

    return Dataset(path.parents[1])[0]


SEALED = Tree(unsealed, sealed)
TARGETS = (
    Target("dataset", "dataset.json", file_of_a_dataset("dataset.json"), read_header, JSON_TOKENS, SEALED, with_seal),
    Target(
        "scene", "scenes/000000.json", file_of_a_dataset("scenes/000000.json"), read_scene, JSON_TOKENS, SEALED,
        with_seal,
    ),
    Target("mask", "defects/000000.png", mask_of_a_dataset, read_frame, PNG_TOKENS, mend=with_checksums),
    Target(
        "coco", "annotations.json", file_of_a_dataset("annotations.json"), read_annotations, JSON_TOKENS, SEALED,
        with_seal,
    ),
)  # fmt: skip
