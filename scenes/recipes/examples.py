"""One example of every kind of part, finish, defect and impurity, for the catalogue's pictures and for the tests.

An example is a piece of a recipe, `presets/kinds/KIND.yaml` or of a light `light_KIND.yaml`, that replaces fields of
`presets/kinds/_stage.yaml`. Beside them it may name the `seed` whose draws show the kind best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenes.catalogue.registry import GROUPS, Group
from scenes.quantities.recipe_model import RecipeModel
from scenes.recipes.reading import PRESETS, RecipeError, recipe_fields
from scenes.recipes.recipe import Recipe, recipe_from
from scenes.recipes.sampling import draw
from scenes.scene import Scene

KINDS = PRESETS / "kinds"
STAGE = KINDS / "_stage.yaml"
SEVERITIES = (0.3, 0.6, 1.0)


def catalogue() -> dict[Group, dict[str, type[RecipeModel]]]:
    """Every kind that a recipe can name, by the field it stands in, and its section; alphabetical."""
    return {
        group: {kind: entry.recipe for kind, entry in entries.items() if entry.recipe is not None}
        for group, entries in GROUPS.items()
    }


@dataclass(frozen=True)
class Example:
    """Three recipes that show one kind, and the seed and frame to draw each with.

    They are one draw at SEVERITIES where the kind knows its severity, otherwise three draws of one recipe.
    """

    group: Group
    kind: str
    recipes: tuple[Recipe, ...]
    seed: int
    frames: tuple[int, ...]

    def scenes(self) -> list[Scene]:
        """The three drawn scenes."""
        return [draw(recipe, self.seed, frame) for recipe, frame in zip(self.recipes, self.frames, strict=True)]


def example(group: Group, kind: str) -> Example:
    """The example that ships with a kind. Raises RecipeError where there is none, or none that is a valid recipe."""
    source = KINDS / file_name(group, kind)
    fields, stage = recipe_fields(source), recipe_fields(STAGE)
    if not isinstance(fields, dict) or not isinstance(stage, dict):
        raise RecipeError(str(source), ["found no mapping; expected a piece of a recipe"])
    seed = fields.pop("seed", 0)
    if "severity" in catalogue()[group][kind].model_fields:
        graded = [{**fields, group: _at_severity(fields.get(group), kind, severity)} for severity in SEVERITIES]
        frames = (0, 0, 0)
    else:
        graded, frames = [fields] * len(SEVERITIES), (0, 1, 2)
    return Example(group, kind, tuple(recipe_from({**stage, **piece}, str(source)) for piece in graded), seed, frames)


def file_name(group: Group, kind: str) -> str:
    """Of an example: kinds of light are named as kinds of part are."""
    return f"light_{kind}.yaml" if group == "light" else f"{kind}.yaml"


def _at_severity(section: Any, kind: str, severity: float) -> Any:
    """The written section, or list of sections, with the severity of the kind set."""
    if isinstance(section, list):
        return [_at_severity(entry, kind, severity) for entry in section]
    return {**section, "severity": severity} if isinstance(section, dict) and section.get("kind") == kind else section
