"""The panel's fields are those of the recipe's models, and each is explained."""

from dataclasses import replace
from typing import Any

import pytest

from blender_addon.ui import schema, texts
from blender_addon.ui.schema import SectionFields
from scenes import Recipe


def structure(sections: dict[str, SectionFields]) -> dict[str, SectionFields]:
    """Without what follows from the numbers in shipped recipes: the reach of sliders, and first values."""
    plain: dict[str, Any] = {"soft_low": None, "soft_high": None, "default": None, "given": False}
    return {
        key: replace(section, fields=tuple(replace(field, **plain) for field in section.fields))
        for key, section in sections.items()
    }


def test_the_file_is_what_the_models_say() -> None:
    assert structure(schema.sections()) == structure(schema.described()), (
        "write it anew: python -m blender_addon.ui.schema"
    )


def test_every_kind_and_field_is_explained() -> None:
    for section in schema.sections().values():
        if section.group in schema.CATALOGUE:
            assert all(kind in texts.KINDS for kind in section.kinds), section.kinds
        for field in section.fields:
            assert field.name in texts.FIELDS or field.name in texts.OF_KIND.get(section.key, {}), field.name


def test_nothing_is_explained_that_is_not_there() -> None:
    sections = schema.sections()
    names = {field.name for section in sections.values() for field in section.fields} | {"name", "texel_um", "kind"}
    assert set(texts.FIELDS) | set(texts.LABELS) <= names
    assert {kind for section in sections.values() for kind in section.kinds} >= set(texts.KINDS)
    for kind, fields in texts.OF_KIND.items():
        assert set(fields) <= {field.name for field in sections[kind].fields}


def test_tooltips_end_without_a_full_stop_as_blenders_do() -> None:
    told = [*texts.FIELDS.values(), *(tip for _, tip in texts.KINDS.values())]
    assert not [tip for tip in told if tip.endswith(".")]


@pytest.mark.parametrize(
    ("field", "label", "unit"),
    [
        ("radius_mm", "Radius", ""),
        ("width_um", "Width", "µm"),
        ("front_speed_mm_per_day", "Front Speed", "mm/day"),
        ("pit_density_per_cm2", "Pit Density", "1/cm²"),
        ("lay_degrees", "Lay", ""),
        ("hours", "Age", "h"),
    ],
)
def test_units_are_said_where_blender_has_none(field: str, label: str, unit: str) -> None:
    assert (texts.label(field), texts.unit(field)) == (label, unit)


def test_the_panel_holds_every_field_of_a_recipe() -> None:
    held = {"name", "texel_um", "switched_off", "defects", "impurities", "part", "finish", "light", "camera", "sensor"}
    assert set(Recipe.model_fields) == held
