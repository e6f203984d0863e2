"""Every kind that a recipe can name, as the modules of parts, finishes, defects and impurities declare them.

A module in one of these folders that names its kinds in ENTRIES is found; nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from scenes import parts
from scenes.catalogue.entry import (
    CatalogueEntry,
    DefectEntry,
    FinishEntry,
    ImpurityEntry,
    LayerEntry,
    LightEntry,
    PartEntry,
    chosen_by_kind,
    discovered,
)
from scenes.catalogue.finish_model import DrawnFinish, FinishRecipeModel
from scenes.catalogue.layer_model import DrawnLayer, LayerRecipeModel
from scenes.catalogue.light_model import LightRecipeModel

Group = Literal["part", "finish", "defects", "impurities", "light"]  # the fields of a recipe that name kinds
GROUP_TITLES: Mapping[Group, str] = MappingProxyType(
    {"defects": "Defects", "impurities": "Impurities", "finish": "Finishes", "part": "Parts", "light": "Lights"}
)

PARTS: Mapping[str, PartEntry] = MappingProxyType({entry.kind: entry for entry in parts.ENTRIES})
FINISHES: Mapping[str, FinishEntry] = MappingProxyType(
    {entry.kind: entry for entry in discovered("scenes.catalogue.finishes", FinishEntry)}
)
DEFECTS: Mapping[str, DefectEntry] = MappingProxyType(
    {entry.kind: entry for entry in discovered("scenes.catalogue.defects", DefectEntry)}
)
IMPURITIES: Mapping[str, ImpurityEntry] = MappingProxyType(
    {entry.kind: entry for entry in discovered("scenes.catalogue.impurities", ImpurityEntry)}
)
LIGHTS: Mapping[str, LightEntry] = MappingProxyType(
    {entry.kind: entry for entry in discovered("scenes.catalogue.lights", LightEntry)}
)
LAYERS: Mapping[str, LayerEntry] = MappingProxyType({**DEFECTS, **IMPURITIES})
GROUPS: Mapping[Group, Mapping[str, CatalogueEntry]] = MappingProxyType(
    {"part": PARTS, "finish": FINISHES, "defects": DEFECTS, "impurities": IMPURITIES, "light": LIGHTS}
)

if TYPE_CHECKING:
    FinishRecipe = FinishRecipeModel
    DefectRecipe = LayerRecipeModel
    ImpurityRecipe = LayerRecipeModel
    LightRecipe = LightRecipeModel
    SceneFinish = DrawnFinish
    SceneLayer = DrawnLayer
else:
    FinishRecipe = chosen_by_kind(entry.recipe for entry in FINISHES.values())
    DefectRecipe = chosen_by_kind(entry.recipe for entry in DEFECTS.values())
    ImpurityRecipe = chosen_by_kind(entry.recipe for entry in IMPURITIES.values())
    LightRecipe = chosen_by_kind(entry.recipe for entry in LIGHTS.values())
    SceneFinish = chosen_by_kind(entry.drawn for entry in FINISHES.values())
    SceneLayer = chosen_by_kind(entry.drawn for entry in LAYERS.values())
