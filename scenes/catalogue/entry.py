"""What a kind is, in words and facts: the one description behind panel, captions, prompts and the catalogue's page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import Field

from scenes.quantities.recipe_model import RecipeModel

Requirement = Literal["axis", "back", "border", "copper", "file"]
Entry = TypeVar("Entry", bound="CatalogueEntry")


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One kind that a recipe can name.

    kind: as recipes write it. recipe: its section; None for what no recipe can name. drawn: what that is sampled into.
    title, tooltip: in the panel; the tooltip without a full stop. noun: in captions and prompts, one word or more.
    requires: what the surface must have for it: an axis that a lathe turned it about, a back that is as its front, a
    border, a layout of copper, or a file of the user's.
    """

    kind: str
    recipe: type[RecipeModel] | None
    drawn: type[Any]
    title: str
    tooltip: str
    noun: str
    requires: frozenset[Requirement] = frozenset()


@dataclass(frozen=True, kw_only=True)
class PartEntry(CatalogueEntry):
    """A kind of part; provides: of what others may require."""

    provides: frozenset[Requirement] = frozenset({"border"})


@dataclass(frozen=True, kw_only=True)
class LightEntry(CatalogueEntry):
    """A kind of light."""


@dataclass(frozen=True, kw_only=True)
class FinishEntry(CatalogueEntry):
    """A kind of finish.

    material: what befalls it is what befalls this. is_material: the noun names the material itself, as "asphalt" does,
    so that a caption says it without the part. directional: its marks all run one way.
    """

    material: str
    is_material: bool = False
    directional: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerEntry(CatalogueEntry):
    """A kind of defect or impurity.

    countable: whether a caption says "a" before the noun. fixed_in_space: whether places or outlines follow from
    positions in space, so that they stay when the surface moves.
    """

    countable: bool = True
    fixed_in_space: bool = False

    @property
    def class_name(self) -> str:
        """The class of its masks."""
        return str(getattr(self.recipe, "class_name", self.kind))


@dataclass(frozen=True, kw_only=True)
class DefectEntry(LayerEntry):
    """A kind of defect; materials: those of finishes that it befalls."""

    materials: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ImpurityEntry(LayerEntry):
    """A kind of impurity, which may lie on anything."""


def discovered(package: str, sort: type[Entry]) -> tuple[Entry, ...]:
    """What the modules of a package declare as ENTRIES, by kind. Raises ValueError for a kind that is there twice."""
    names = sorted(module.name for module in iter_modules(import_module(package).__path__))
    modules = [import_module(f"{package}.{name}") for name in names]
    found: dict[str, Entry] = {}
    for module in modules:
        for entry in getattr(module, "ENTRIES", ()):
            if not isinstance(entry, sort) or entry.kind in found:
                raise ValueError(f"{module.__name__}: found {entry}; expected a new kind as {sort.__name__}")
            found[entry.kind] = entry
    return tuple(found[kind] for kind in sorted(found))


def chosen_by_kind(models: Iterable[type[Any] | None]) -> Any:
    """The type of a field that holds any of these, each told by its `kind`."""
    return Annotated[Union[tuple(dict.fromkeys(filter(None, models)))], Field(discriminator="kind")]  # noqa: UP007
