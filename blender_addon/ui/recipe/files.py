"""Recipes and pieces of recipes as YAML files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from scenes.recipes.recipe import Recipe

SAVED_WITH = "# Saved from Blender's panel; `blemish render` reads it.\n"
NAME_LETTERS = re.compile(r"[^A-Za-z0-9_-]+")


def save_recipe(recipe: Recipe, path: Path) -> list[Path]:
    """Write a recipe as YAML; a mesh that is its part is copied beside it, folders of pictures are named from there.

    Gives the files written. Raises BlemishError where the folder or the mesh does not let itself be used.
    """
    fields = recipe.model_dump(mode="json", exclude_none=True)
    if recipe.calibrate:
        fields["calibrate"] = {place: list(bounds) for place, bounds in recipe.calibrate.items()}
    written = [path]
    try:
        if fields["part"]["kind"] == "mesh":
            beside = _beside(Path(fields["part"]["path"]), path.parent)
            fields["part"]["path"] = beside.name
            written.append(beside)
        for pictures in _picture_folders(fields.get("scene", {})):
            pictures["folder"] = _from(path.parent, Path(pictures["folder"]))
        write_yaml(path, fields, SAVED_WITH)
    except OSError as error:
        raise BlemishError(f"{error.filename or path}: cannot be written ({error.strerror})") from None
    return written


def write_yaml(path: Path, fields: dict[str, Any], head: str = "") -> None:
    """Write a mapping as YAML, whole or not at all. Raises OSError."""
    from scenes.recipes.reading import as_yaml

    text = head + as_yaml(fields)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def file_name(name: str) -> str:
    """A name as a file may have it."""
    return NAME_LETTERS.sub("_", name).strip("_")[:64]


def _picture_folders(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """What a section `scene` says of folders of pictures."""
    found = (scene.get("background"), scene.get("world", {}).get("hdris"))
    return [pictures for pictures in found if pictures is not None]


def _from(folder: Path, other: Path) -> str:
    """A folder that lies below another as it is named from there; any other by its whole path."""
    folder = folder.resolve()
    return other.relative_to(folder).as_posix() if other.is_relative_to(folder) else str(other)


def _beside(mesh: Path, folder: Path) -> Path:
    """The mesh in the folder: copied there under its own name, or another where that name is taken."""
    content = mesh.read_bytes()
    for number in range(1000):
        place = folder / (mesh.name if number == 0 else f"{mesh.stem}_{number}{mesh.suffix}")
        if not place.exists():
            shutil.copyfile(mesh, place)
            return place
        if place.read_bytes() == content:
            return place
    raise BlemishError(f"{folder}: holds too many meshes called {mesh.name}; choose another folder")
