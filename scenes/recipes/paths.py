"""Quantities of a recipe by their paths, as in `finish.grain` or `finish.base_colour.0`: found, bounded, replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from scenes.quantities.distribution import Distribution, Within, shown
from scenes.quantities.recipe_model import RecipeModel

Quantity = Distribution | float
Section = TypeVar("Section", bound=RecipeModel)


def quantity_at(section: RecipeModel, path: str) -> Quantity:
    """The distribution, or the number, at a path. Raises ValueError, as "found X; expected Y", where there is none."""
    here: Any = section
    for name in path.split("."):
        if isinstance(here, RecipeModel):
            here = getattr(here, name) if name in type(here).model_fields else None
        elif isinstance(here, tuple):
            here = here[int(name)] if name.isascii() and name.isdigit() and int(name) < len(here) else None
        else:
            here = None
    if isinstance(here, Distribution):
        return here
    if isinstance(here, float):
        return here
    raise ValueError(f"found {shown(path)}; expected the path of a quantity that the recipe has, as in finish.grain")


def allowed_at(section: RecipeModel, path: str) -> tuple[float, float]:
    """The least and the most that a quantity may be, where its field says so of a distribution; else anything."""
    here: Any = section
    names = path.split(".")
    for place, name in enumerate(names):
        if isinstance(here, RecipeModel):
            bounds = [entry for entry in type(here).model_fields[name].metadata if isinstance(entry, Within)]
            here = getattr(here, name)
            if bounds and place == len(names) - 1:
                return bounds[0].low, bounds[0].high
        else:
            here = here[int(name)]
    return 0.0, float("inf")


def replaced(section: Section, quantities: Mapping[str, Quantity]) -> Section:
    """The section with other quantities at some paths; unchecked, for the sake of many."""
    for path, quantity in quantities.items():
        section = cast(Section, _replaced(section, path.split("."), quantity))
    return section


def _replaced(here: Any, names: list[str], quantity: Quantity) -> Any:
    if not names:
        return quantity
    name, *rest = names
    if isinstance(here, tuple):
        return tuple(_replaced(entry, rest, quantity) if k == int(name) else entry for k, entry in enumerate(here))
    return here.model_copy(update={name: _replaced(getattr(here, name), rest, quantity)})
