"""A frame as the files that hold it: the same arrays and scene give the same bytes, wherever they are made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Instance
from scenes.datasets.files import sealed
from scenes.datasets.passes import PassPictures
from scenes.datasets.schema import MESH, PICTURES, SCENES, SCHEMA
from scenes.parts.mesh import MeshPart, MeshRecipe
from scenes.pictures import png
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene

FrameFiles = Mapping[str, bytes]  # contents by the folders they belong in; the scene, which makes the frame count, last


def frame_files(
    recipe: Recipe,
    image: NDArray[np.uint8] | NDArray[np.uint16],
    classes: NDArray[np.uint16],
    defects: NDArray[np.uint16],
    impurities: NDArray[np.uint16],
    scene: Scene,
    instances: Sequence[Instance],
    refinement: Mapping[str, Any] | None = None,
    passes: PassPictures | None = None,
) -> FrameFiles:
    """The files of one frame of a dataset whose writer has this recipe.

    image: (H, W, 3) or (H, W), uint8 or uint16. The masks: (H, W) uint16. instances: of both families, as
    `surface_maps` gives them. refinement: what was done to the picture after the scene was shown, JSON values. passes:
    those that the dataset's header says frames have.
    Raises ValueError for arrays of other shapes and types.
    """
    width, height = scene.camera.width, scene.camera.height
    arrays = dict(zip(PICTURES, (image, classes, defects, impurities), strict=True))
    for name, array in (*arrays.items(), *(passes.arrays.items() if passes else ())):
        if array.shape[:2] != (height, width):
            raise ValueError(f"{name} of shape {array.shape}; expected {height} rows and {width} columns")
        if name in PICTURES[1:] and (array.dtype != np.uint16 or array.ndim != 2):
            raise ValueError(f"{name} of type {array.dtype} and shape {array.shape}; expected (H, W) uint16")
    files = {name: png.encode(array) for name, array in arrays.items()}
    if passes is not None:
        files |= passes.files()
    drawn = {
        "schema": SCHEMA,
        "scene": _portable(recipe, scene).model_dump(mode="json"),
        "instances": [
            {"id": instance.id, "family": instance.family, "class": instance.class_name} for instance in instances
        ],
    }
    if refinement is not None:
        drawn["refinement"] = dict(refinement)
    if passes is not None:
        drawn["passes"] = passes.record().model_dump(mode="json")
    drawn["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, SCENES: sealed(drawn)}


def _portable(recipe: Recipe, scene: Scene) -> Scene:
    """The scene with the path of its mesh as it is from the dataset's folder."""
    if not isinstance(scene.part, MeshPart):
        return scene
    own = recipe.part
    if not isinstance(own, MeshRecipe) or scene.part.digest != own.sha256:
        raise ValueError("a scene of another mesh; expected one that was drawn from this writer's own recipe")
    return scene.model_copy(update={"part": scene.part.model_copy(update={"path": from_dataset(own)})})


def from_dataset(part: MeshRecipe) -> str:
    """The path of a dataset's own mesh from the dataset's folder."""
    return f"{MESH}/{Path(part.path).name}"
