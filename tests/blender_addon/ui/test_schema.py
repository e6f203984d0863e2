"""The panel's fields are those of the recipe's models, and each is explained."""

from dataclasses import replace
from typing import Any

import pytest

from blender_addon.ui import schema
from blender_addon.ui.schema import Schema
from scenes import Recipe


def structure(described: Schema) -> Schema:
    """Without what follows from the numbers in shipped recipes: the reach of sliders, and first values."""
    plain: dict[str, Any] = {"soft_low": None, "soft_high": None, "default": None, "given": False}
    sections = {
        key: replace(section, fields=tuple(replace(field, **plain) for field in section.fields))
        for key, section in described.sections.items()
    }
    return replace(described, sections=sections, recipe=tuple(replace(field, **plain) for field in described.recipe))


def test_the_file_is_what_the_models_say() -> None:
    assert structure(schema.schema()) == structure(schema.described()), "write it anew: make catalogue"


def test_a_schema_comes_back_from_its_file() -> None:
    assert schema.from_json(schema.to_json(schema.schema())) == schema.schema()


def test_tooltips_end_without_a_full_stop_as_blenders_do() -> None:
    told = [kind.tooltip for kind in schema.schema().kinds.values()]
    told += [field.tooltip for section in schema.sections().values() for field in section.fields]
    assert all(told)
    assert not [tip for tip in told if tip.endswith(".")]


@pytest.mark.parametrize(
    ("section", "name", "title", "unit"),
    [
        ("oil_film", "radius_mm", "Radius", ""),
        ("fibre", "width_um", "Width", "µm"),
        ("rust", "front_speed_mm_per_day", "Front Speed", "mm/day"),
        ("ground", "pit_density_per_cm2", "Pit Density", "1/cm²"),
        ("rolled", "lay_degrees", "Lay", ""),
        ("rust", "hours", "Age", "h"),
    ],
)
def test_units_are_said_where_blender_has_none(section: str, name: str, title: str, unit: str) -> None:
    (field,) = (field for field in schema.sections()[section].fields if field.name == name)
    assert (field.title, field.panel_unit) == (title, unit)


def test_what_a_kind_lacks_on_a_part_is_known() -> None:
    assert schema.missing_on("plate", "short") == ("copper",)
    assert schema.missing_on("pcb", "short") == schema.missing_on("plate", "chipped_edge") == ()
    assert schema.parts_with("copper") == ("pcb",)


def test_the_panel_holds_every_field_of_a_recipe() -> None:
    held = {"name", "texel_um", "switched_off", "defects", "impurities", "part", "finish", "light", "camera", "sensor"}
    assert set(Recipe.model_fields) == held | {"scene", "calibrate", "lots"}  # the last two are kept as they are
