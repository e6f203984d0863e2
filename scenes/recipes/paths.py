"""Quantities of a recipe by their paths, as in `finish.grain` or `finish.base_colour.0`: found, bounded, replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_args

from pydantic.fields import FieldInfo

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


def allowed_at(section: RecipeModel, path: str) -> Within | None:
    """The bounds that a distribution's field sets; None for a plain number, or one of a list."""
    here: Any = section
    *sections, last = path.split(".")
    for name in sections:
        here = here[int(name)] if isinstance(here, tuple) else getattr(here, name)
    return within(type(here).model_fields[last]) if isinstance(here, RecipeModel) else None


def within(field: FieldInfo) -> Within | None:
    """The bounds of a section's field that holds a distribution, or may hold one; None where it holds anything else."""
    arguments = (entry for argument in get_args(field.annotation) for entry in get_args(argument))
    return next((entry for entry in (*field.metadata, *arguments) if isinstance(entry, Within)), None)


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
