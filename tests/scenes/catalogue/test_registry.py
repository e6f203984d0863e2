"""The catalogue: every kind is described, once, and so is every field that a recipe has."""

from collections import Counter

import pytest
from pydantic import BaseModel

from scenes.catalogue.entry import DefectEntry, LightEntry, discovered
from scenes.catalogue.placement.sites import Placement
from scenes.catalogue.registry import DEFECTS, FINISHES, GROUPS, LAYERS, PARTS
from scenes.quantities.units import symbol_of, title_of
from scenes.recipes.camera import CameraRecipe
from scenes.recipes.recipe import Recipe, SensorRecipe

ENTRIES = [entry for entries in GROUPS.values() for entry in entries.values()]
MODELS = {entry.recipe for entry in ENTRIES if entry.recipe is not None}
MODELS |= {Placement, CameraRecipe, SensorRecipe, Recipe}


@pytest.mark.parametrize("model", sorted(MODELS, key=lambda model: model.__name__))
def test_every_field_says_what_it_means(model: type[BaseModel]) -> None:
    silent = [name for name, field in model.model_fields.items() if not field.description]
    assert silent == (["kind"] if "kind" in model.model_fields and model is not Placement else [])


def test_every_kind_is_described_once() -> None:
    named = Counter((isinstance(entry, LightEntry), entry.kind) for entry in ENTRIES)  # lights have files of their own
    assert not [kind for kind, times in named.items() if times > 1]
    for entry in ENTRIES:
        assert entry.title, entry.kind
        assert entry.tooltip, entry.kind
        assert not entry.tooltip.endswith("."), entry.kind
        assert entry.noun == entry.noun.lower(), entry.kind


def test_a_kind_is_written_as_its_models_have_it() -> None:
    for entry in ENTRIES:
        if entry.recipe is not None:
            assert entry.kind in str(entry.recipe.model_fields["kind"].annotation), entry.kind


def test_defects_befall_materials_that_there_are_and_need_what_some_part_has() -> None:
    materials = {entry.material for entry in FINISHES.values()}
    provided = frozenset[str]().union(*(entry.provides for entry in PARTS.values()))
    for kind, entry in DEFECTS.items():
        assert entry.materials, kind
        assert entry.materials <= materials, kind
    for kind, layer in LAYERS.items():
        assert layer.requires <= provided, kind


def test_what_is_no_entry_is_told() -> None:
    with pytest.raises(ValueError, match=r"scenes\.catalogue\.finishes\.anodised: found .* expected a new kind as Def"):
        discovered("scenes.catalogue.finishes", DefectEntry)


@pytest.mark.parametrize(
    ("field", "title", "symbol"),
    [
        ("radius_mm", "Radius", "mm"),
        ("front_speed_mm_per_day", "Front Speed", "mm/day"),
        ("pit_density_per_cm2", "Pit Density", "1/cm²"),
        ("lay_degrees", "Lay", "°"),
        ("hours", "Hours", "h"),
        ("decay_hours", "Decay", "h"),
        ("ambient_w_per_m2_sr", "Ambient", "W/m²/sr"),
        ("severity", "Severity", ""),
    ],
)
def test_a_name_says_its_title_and_unit(field: str, title: str, symbol: str) -> None:
    assert (title_of(field), symbol_of(field)) == (title, symbol)
