"""The .blend that a rendering takes a scene or an object from, seen from outside of Blender."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blender_addon.errors import RenderError
from blender_addon.workers.blenders import inside
from scenes import Recipe
from scenes.datasets.files import sha256_of
from scenes.datasets.schema import HEADER, read_header
from scenes.recipes.recipe import recipe_from

MAGIC = (b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # plain, or packed by gzip (until 2.93) or Zstandard
OF_THE_STAGE = ("part", "light", "camera")


@dataclass(frozen=True)
class OwnBlend:
    """A .blend and its SHA-256."""

    path: Path
    digest: str


def check_blend(blend: Path) -> None:
    """Raise RenderError where a path leads to no .blend."""
    if not blend.is_file():
        found = "a folder" if blend.is_dir() else "no such file"
        raise RenderError(f"{blend}: found {found}; expected a .blend file")
    with blend.open("rb") as file:
        start = file.read(len(MAGIC[0]))
    if not start.startswith(MAGIC):
        raise RenderError(f"{blend}: found a file that no Blender wrote; expected a .blend file")


def in_own_scene(
    recipe: Recipe, blend: str | Path | None, out: Path, on_note: Callable[[str], None]
) -> tuple[Recipe, OwnBlend]:
    """The recipe, which has a section `scene`, ready for a dataset in `out`, and the .blend that holds the scene.

    Raises RenderError where one of them is missing, or where the dataset there was begun with another file.
    """
    if blend is None:
        raise RenderError(
            f"the recipe {recipe.name} has a section scene: found no .blend; expected the file that holds it, as in "
            "blemish render my.blend --recipe …"
        )
    if recipe.scene is None:
        raise RenderError(
            f"the recipe {recipe.name}: found no section scene; expected one with inspect, the names of the objects to "
            "inspect, or these as --object"
        )
    path = Path(blend).resolve()
    check_blend(path)
    digest = sha256_of(path)
    if (out / HEADER).is_file():
        begun = read_header(out).settings.get("blend")
        if isinstance(begun, dict) and begun.get("sha256") != digest:
            raise RenderError(
                f"{path}: has changed since the dataset in {out} was begun; expected the file as it was: put it back, "
                "or render into another folder"
            )
    stands_in = recipe_from({"name": recipe.name, "scene": {"inspect": ["*"]}}, recipe.name)
    if unused := [name for name in OF_THE_STAGE if getattr(recipe, name) != getattr(stands_in, name)]:
        on_note(f"the recipe's {' and '.join(unused)} stand for nothing here: {path.name} has its own")
    return recipe.model_copy(update={"scene": recipe.scene.pinned()}), OwnBlend(path, digest)


def inspecting(recipe: Recipe, objects: Sequence[str]) -> Recipe:
    """The recipe for a scene of the user's in which these objects, by names or patterns, are inspected.

    Raises RecipeError for names that can be none.
    """
    fields = recipe.model_dump(mode="json")
    scene = {**(fields.get("scene") or {}), "inspect": list(objects)}
    return recipe_from({**fields, "scene": scene}, recipe.name)


def opened_blend(option: str) -> Path:
    """The .blend that is open in this Blender. Raises RenderError where there is none, or it was never saved."""
    if not inside():
        raise RenderError(f"{option}: found no .blend; expected one before it: blemish render my.blend {option} …")
    import bpy

    if not bpy.data.filepath:
        raise RenderError(f"{option}: found a scene that was never saved; expected a .blend: save it first")
    return Path(bpy.data.filepath)
