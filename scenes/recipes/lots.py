"""Lots: quantities that differ together, as those of parts of one batch, heat, machine or pose do.

A recipe's quantities are drawn independently of one another. What belongs together, such as a scaled surface and the
flaws that scale alone has, is said by lots: a share of the surfaces is of a lot, which has some quantities of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints

from scenes.quantities.distribution import Constant, Distribution
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel, together
from scenes.recipes.paths import Quantity, quantity_at, replaced

MOST_QUANTITIES = 200  # of a lot
ROUNDING = 1e-9  # of shares that add up to 1

Held = TypeVar("Held", bound=RecipeModel)


class LotRecipe(RecipeModel):
    """What a share of a dataset's surfaces have in common; all other quantities are as in the rest of the recipe."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="Name of the lot: letters, digits, - and _"
    )
    share: Annotated[float, Field(strict=True, gt=0, le=1)] = Field(description="Share of the surfaces that are of it")
    quantities: dict[str, Distribution] = Field(
        min_length=1,
        max_length=MOST_QUANTITIES,
        description="Its own quantities by their paths, such as finish.grain or defects.0.count",
    )


def check_lots(lots: Sequence[LotRecipe], recipe: RecipeModel) -> None:
    """Raise PydanticCustomError where lots share a name, are more than all, or change what the recipe has not."""
    names = [lot.name for lot in lots]
    for name in names:
        if names.count(name) > 1:
            raise together(f"lots: found {name} {names.count(name)} times; expected a name of its own for each")
    total = sum(lot.share for lot in lots)
    if total > 1 + ROUNDING:
        raise together(f"lots: found shares of {total:g} together; expected at most 1, the rest being of no lot")
    for position, lot in enumerate(lots):
        for path, quantity in lot.quantities.items():
            try:
                usual = quantity_at(recipe, path)
            except ValueError as error:
                raise together(f"lots.{position}.quantities: {error}") from None
            if isinstance(usual, float) and not isinstance(quantity, Constant):
                raise together(
                    f"lots.{position}.quantities.{path}: found {quantity}; expected a number, as the recipe has there"
                )


def of_lot(recipe: Held, lot: LotRecipe) -> Held:
    """The recipe with a lot's quantities in the place of its own, and no lots any more."""
    recipe = recipe.model_copy(update={"lots": ()})
    return replaced(
        recipe, {path: _alike(quantity, quantity_at(recipe, path)) for path, quantity in lot.quantities.items()}
    )


def _alike(quantity: Distribution, usual: Quantity) -> Quantity:
    """A distribution, or the plain number where the recipe has one."""
    return quantity.value if isinstance(usual, float) and isinstance(quantity, Constant) else quantity


def lot_at(lots: Sequence[LotRecipe], seed: int, surface: int) -> LotRecipe | None:
    """The lot that a surface of a dataset is of; None for the rest of the recipe."""
    left = RandomStream(seed, surface).chance("lot") if lots else 1.0
    for lot in lots:
        left -= lot.share
        if left < 0:
            return lot
    return None


def moved(lots: Sequence[Mapping[str, Any]], places: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Written lots when entries of defects and impurities have other places, as in {"defects.2": ["defects.0"]}.

    What was said of an entry that has no place any more is gone, and with it a lot of which nothing is left.
    """
    found = []
    for lot in lots:
        quantities: dict[str, Any] = {}
        for path, written in lot["quantities"].items():
            family, _, rest = path.partition(".")
            position, _, name = rest.partition(".")
            if family not in ("defects", "impurities"):
                quantities[path] = written
                continue
            for place in places.get(f"{family}.{position}", ()):
                quantities[f"{place}.{name}"] = written
        if quantities:
            found.append({**lot, "quantities": quantities})
    return found
