"""What the files of a dataset say, and their names.

    dataset.json            schema, generator, recipe, seed, frames, classes
    images/000000.png       8 or 16 bits
    classes/000000.png      16-bit class bit mask
    defects/000000.png      16-bit instance ids of the defect family; impurities/ likewise
    depth/000000.png        and other passes, where they were asked for: see `passes`
    scenes/000000.json      the drawn scene, the instances, and what was done to the picture since; written last, it
                            makes the frame count
    mesh/part.obj           the mesh file of a part that is one (or .stl, .glb), so that nothing lies elsewhere
    annotations.json        COCO instances, when the run ends

Every file appears under its name only when it is complete. Names of files are made from frame numbers, never read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from procgen.surface.layer import Family
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import parsed, read_bytes, seal_of
from scenes.datasets.passes import PassFormat, PassName, PassRecord
from scenes.quantities.distribution import shown
from scenes.recipes.recipe import Recipe, recipe_from
from scenes.scene import Scene

SCHEMA: Final = 1
CLASSES: Final = 16  # bits of a class mask
HEADER, ANNOTATIONS, SCENES = "dataset.json", "annotations.json", "scenes"
PICTURES = ("images", "classes", "defects", "impurities")
MESH = "mesh"
CHANGED = "was changed or damaged since it was written, as its digest says"
FAMILY_FOLDERS: dict[Family, str] = {"defect": "defects", "impurity": "impurities"}

_SCENE_FILE = re.compile(r"(\d{6,})\.json")
_MESH_FILE = re.compile(r"mesh/part\.(obj|stl|glb)")


class ClassEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    bit: int = Field(ge=0, le=15)
    family: Family


class Header(BaseModel):
    """What dataset.json holds.

    passes: the format of each that frames have. settings: whatever else the frames depend on, such as samples a pixel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    generator: dict[str, str]
    recipe: dict[str, Any]
    seed: int = Field(ge=0)
    frames: int = Field(ge=1)
    classes: dict[str, ClassEntry]
    without: tuple[str, ...] = ()
    passes: dict[PassName, PassFormat] = Field({}, exclude_if=lambda passes: not passes)
    settings: dict[str, Any] = {}

    def file_names(self, index: int) -> dict[str, str]:
        """The files of a frame from the dataset's folder, by the folders they lie in; its scene, which is last, too."""
        suffixes = (*((folder, "png") for folder in PICTURES), *self.passes.items(), (SCENES, "json"))
        return {folder: f"{folder}/{index:06d}.{suffix}" for folder, suffix in suffixes}


class InstanceRecord(BaseModel):
    """One defect or impurity of a frame."""

    id: int = Field(ge=1, le=65535)
    family: Family
    class_name: str = Field(alias="class")


class _Parent(BaseModel):
    model_config = ConfigDict(extra="allow")

    frame: int = Field(ge=0)


class _Refinement(BaseModel):
    """What a frame's maker says of it; read here are only where it began, and what it counts for in training."""

    model_config = ConfigDict(extra="allow")

    parents: list[_Parent] = Field(min_length=1)
    weight: float = Field(1.0, ge=0, allow_inf_nan=False)


class FrameRecord(BaseModel):
    """What scenes/000000.json holds. files: SHA-256 of the frame's pictures by their folder, hexadecimal."""

    schema_version: Literal[1] = Field(alias="schema")
    scene: Scene
    instances: tuple[InstanceRecord, ...]
    refinement: _Refinement | None = None
    passes: PassRecord = PassRecord()
    files: dict[str, str] | None = None


def read_header(folder: Path) -> Header:
    """What dataset.json of a dataset says. Raises DatasetError where there is none that this Blemish can read."""
    path = folder / HEADER
    if not path.is_file():
        raise DatasetError(f"{folder}: holds no {HEADER}; expected a folder that `blemish render` wrote")
    content = read_bytes(path)
    written = parsed(content, path)
    schema = written.get("schema") if isinstance(written, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise DatasetError(
            f"{path}: written by a newer Blemish (schema {schema}; this one reads up to {SCHEMA}); update Blemish"
        )
    try:
        header = Header.model_validate(unsealed(written))
    except ValidationError as error:
        raise DatasetError(f"{path}: {first_problem(error)}; expected the file as Blemish wrote it") from None
    if seal_of(content) == "broken" or (seal_of(content) == "none" and unsealed(written) != written):
        raise DatasetError(f"{path}: {CHANGED}; restore it or write the dataset anew")
    return header


def unsealed(written: object) -> object:
    """What a file says without the digest of itself."""
    return {key: value for key, value in written.items() if key != "sha256"} if isinstance(written, dict) else written


def recipe_in(folder: Path) -> Recipe:
    """The recipe of a dataset, be there frames or not. Raises RecipeError where this Blemish cannot use it."""
    written = read_header(folder).recipe
    check_mesh(folder, folder / HEADER, written)
    return recipe_from(written, str(folder / HEADER))


def committed(folder: Path, frames: int) -> tuple[int, ...]:
    """Numbers, below `frames`, of the frames whose scene file is there."""
    scenes = folder / SCENES
    if not scenes.is_dir():
        return ()
    matches = filter(None, map(_SCENE_FILE.fullmatch, os.listdir(scenes)))
    indices = (int(match[1]) for match in matches if match[1] == f"{int(match[1]):06d}")
    return tuple(sorted(index for index in indices if index < frames))


def check_mesh(folder: Path, path: Path, holder: object) -> None:
    """Raise DatasetError where a file of a dataset names a mesh that is not the dataset's own.

    holder: the recipe or the scene that the file holds.
    """
    part = holder.get("part") if isinstance(holder, dict) else None
    if not isinstance(part, dict) or part.get("kind") != "mesh":
        return
    name = part.get("path")
    if not isinstance(name, str) or not _MESH_FILE.fullmatch(name):
        raise DatasetError(f"{path}: found the mesh {shown(name)}; expected mesh/part.obj, .stl or .glb of the dataset")
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{folder / name}: found a link that leads out of the dataset; expected a file")


def first_problem(error: ValidationError) -> str:
    """The first problem of a file that the project itself wrote; people do not edit these."""
    details = error.errors()[0]
    return f"{'.'.join(map(str, details['loc']))}: found {shown(details['input'])}; {details['msg']}"
