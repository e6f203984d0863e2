"""Recipe to panel to recipe is identity; what is changed by hand is what the recipe says."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from blender_addon.ui import schema
from blender_addon.ui.recipe import quantities
from blender_addon.ui.schema import Field
from scenes import Recipe, RecipeError, draw, load_recipe, surface_maps
from scenes.recipes.examples import catalogue, example
from scenes.recipes.reading import shipped_recipes
from scenes.recipes.recipe import recipe_from

bpy = pytest.importorskip("bpy")
from blender_addon.ui.recipe import exchange  # noqa: E402 - needs bpy

pytestmark = pytest.mark.render


def assert_kept(recipe: Recipe, settings: Any) -> None:
    exchange.from_recipe(recipe, settings)
    again = exchange.to_recipe(settings)
    assert again == recipe
    assert again.model_dump_json() == recipe.model_dump_json()


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_kept(name: str, settings: Any) -> None:
    assert_kept(load_recipe(name), settings)


@pytest.mark.parametrize("group", ["part", "finish", "defects", "impurities", "light"])
def test_every_shipped_example_is_kept(group: Any, settings: Any) -> None:
    for kind in catalogue()[group]:
        for recipe in example(group, kind).recipes:
            assert_kept(recipe, settings)


def test_a_recipe_leaves_nothing_behind_in_the_next(settings: Any) -> None:
    for name in (*shipped_recipes(), *shipped_recipes()):
        assert_kept(load_recipe(name), settings)


def numbers(field: Field) -> st.SearchStrategy[float]:
    low, high = field.low or 0.0, field.high or 1.0
    if field.whole:
        return st.integers(math.ceil(low), math.floor(min(high, 1e6))).map(float)
    return st.floats(low, min(high, 1e6), allow_nan=False)


def quantity(field: Field) -> st.SearchStrategy[Any]:
    """What a recipe may write of a quantity, bounds and all."""
    pairs = st.tuples(numbers(field), numbers(field)).map(sorted)
    any_number = st.floats(-1e6, 1e6)
    return st.one_of(
        numbers(field),
        pairs.map(lambda ends: {"uniform": ends}),
        pairs.filter(lambda ends: ends[0] > 0).map(lambda ends: {"log_uniform": ends}),
        st.builds(
            lambda mean, deviation, clip: {"normal": [mean, deviation], "clip": clip},
            any_number,
            st.floats(0, 1e3),
            pairs,
        ),
        st.lists(numbers(field), min_size=1, max_size=5).map(lambda values: {"choice": values}),
        st.floats(0, 100).map(lambda rate: {"poisson": rate}),
    )


@st.composite
def recipes(draw_: Any) -> Recipe:
    """A shipped example with some of its quantities, switches and layers changed at random."""
    group = draw_(st.sampled_from(["part", "finish", "defects", "impurities", "light"]))
    kind = draw_(st.sampled_from(sorted(catalogue()[group])))
    fields = example(group, kind).recipes[0].model_dump(mode="json")
    for section in (fields["part"], fields["finish"], *fields["defects"], *fields["impurities"]):
        change(draw_, section, schema.section_of_kind()[section["kind"]].fields, fields)
    change(draw_, fields["light"], schema.light_section(fields["light"]["kind"]).fields, fields)
    for name in ("camera", "sensor"):
        change(draw_, fields[name], schema.sections()[name].fields, fields)
    names = [f"{family}.{n}" for family in ("defects", "impurities") for n in range(len(fields[family]))]
    fields["switched_off"] = draw_(st.lists(st.sampled_from(["defects", "impurities", *names]), unique=True))
    return recipe_from(fields, "random")


def change(draw_: Any, section: dict[str, Any], known: tuple[Field, ...], fields: dict[str, Any]) -> None:
    """Change up to three quantities of a section, each only where the whole recipe still is one."""
    changeable = [field for field in known if field.sort == "quantity" and section.get(field.name) is not None]
    for field in draw_(st.lists(st.sampled_from(changeable), max_size=3)) if changeable else []:
        before = section[field.name]
        section[field.name] = draw_(quantity(field))
        try:
            recipe_from(fields, "random")
        except (RecipeError, ValueError):
            section[field.name] = before


@given(recipe=recipes())
@how(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_recipe_is_kept_to_the_last_digit(recipe: Recipe, settings: Any) -> None:
    assert_kept(recipe, settings)


@given(value=st.floats(-1e6, 1e6), name=st.sampled_from(["radius_mm", "lay_degrees"]))
def test_the_number_that_is_read_stands_for_the_property(value: float, name: str) -> None:
    field = Field(name, "quantity")
    kept = quantities.kept(field, value)
    assert quantities.kept(field, quantities.read(field, kept)) == kept


@pytest.mark.parametrize("written", [0.1, 0.3, 22.5, 90, -45.7, 1e-4, 123456])
def test_short_numbers_are_read_as_they_were_written(written: float) -> None:
    for name in ("radius_mm", "lay_degrees"):
        field = Field(name, "quantity")
        assert quantities.read(field, quantities.kept(field, written)) == written


def test_what_is_set_by_hand_is_what_the_recipe_says(settings: Any) -> None:
    exchange.from_recipe(load_recipe("plate"), settings)
    settings.part.plate.width_mm = 123.4
    settings.finish.ground.lay_degrees_form, settings.finish.ground.lay_degrees = "FIXED", math.radians(30)
    settings.camera.f_number_form, settings.camera.use_f_number = "UNIFORM", True
    settings.camera.f_number_low, settings.camera.f_number_high = 2.8, 5.6
    settings.sensor.bits = "16"
    settings.finish.ground.base_colour = (0.25, 0.5, 0.75)
    stains = next(layer.water_stains for layer in settings.layers if layer.kind == "water_stains")
    stains.rings_form, stains.rings_values = "CHOICE", "0, 0, 3"
    stains.gamma_form, stains.gamma_mean, stains.gamma_deviation = "NORMAL", 5, 0.5
    stains.gamma_clipped, stains.gamma_low, stains.gamma_high = True, 4, 6.5
    written = exchange.to_recipe(settings).model_dump(mode="json")
    assert written["part"]["width_mm"] == 123.4
    assert written["finish"]["lay_degrees"] == 30
    assert written["finish"]["base_colour"] == [0.25, 0.5, 0.75]
    assert written["camera"]["f_number"] == {"uniform": [2.8, 5.6]}
    assert written["sensor"]["bits"] == 16
    entry = next(entry for entry in written["impurities"] if entry["kind"] == "water_stains")
    assert entry["rings"] == {"choice": [0, 0, 3]}
    assert entry["gamma"] == {"normal": [5, 0.5], "clip": [4, 6.5]}


def test_lists_without_numbers_are_told(settings: Any) -> None:
    exchange.from_recipe(load_recipe("plate"), settings)
    settings.part.plate.width_mm_form, settings.part.plate.width_mm_values = "CHOICE", "1, two"
    with pytest.raises(RecipeError, match="expected numbers with commas"):
        exchange.to_recipe(settings)


def test_a_form_chosen_by_hand_begins_about_the_value(settings: Any) -> None:
    plate = settings.part.plate
    plate.width_mm = 60
    for form in ("UNIFORM", "NORMAL", "CHOICE", "LOG_UNIFORM"):
        plate.width_mm_form = form
        width = exchange.to_recipe(settings).part.width_mm
        assert width.low <= 60 <= width.high, form
    plate.width_mm_form = "FIXED"
    assert exchange.to_recipe(settings).part.width_mm.low == 60


def test_fields_that_the_panel_does_not_know_get_through(settings: Any) -> None:
    section = schema.section_of_kind()["plate"]
    exchange.set_section(settings.part.plate, section, {"kind": "plate", "width_mm": 40, "of_a_later_version": [1, 2]})
    assert exchange.section_to_fields(settings.part.plate, section)["of_a_later_version"] == [1, 2]


def test_the_defaults_make_a_recipe_for_every_part(settings: Any) -> None:
    for kind in schema.kinds_in("part"):
        settings.part.kind = kind
        if kind != "mesh":
            assert exchange.to_recipe(settings).part.kind == kind


def test_the_panels_recipe_renders_from_a_file_to_the_same_surface(settings: Any, tmp_path: Path) -> None:
    exchange.from_recipe(load_recipe("plate"), settings)
    stains = next(layer.water_stains for layer in settings.layers if layer.kind == "water_stains")
    stains.probability, stains.alpha_form, stains.alpha = 1, "FIXED", -0.37
    settings.layers[1].muted = True
    assert bpy.ops.blemish.recipe_save(filepath=str(tmp_path / "tuned.yaml")) == {"FINISHED"}
    from_panel, from_file = exchange.to_recipe(settings), load_recipe(tmp_path / "tuned.yaml")
    assert from_panel == from_file
    scenes = [draw(recipe, 7, 1).model_copy(update={"texel_size": 5e-4}) for recipe in (from_panel, from_file)]
    assert scenes[0] == scenes[1]
    one, other = (surface_maps(scene) for scene in scenes)
    assert np.array_equal(one.base_colour, other.base_colour)
    assert one.impurities.any()


def test_a_mesh_travels_with_its_recipe(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "handwheel.obj").write_text("another of that name")
    exchange.from_recipe(example("part", "mesh").recipes[0], settings)
    path = tmp_path / "there" / "mine.yaml"
    assert bpy.ops.blemish.recipe_save(filepath=str(path)) == {"FINISHED"}
    recipe = load_recipe(path)
    assert Path(recipe.part.path).parent == path.parent
    assert Path(recipe.part.path).read_bytes() == Path(settings.part.mesh.path).read_bytes()
    assert str(tmp_path) not in path.read_text()
    assert json.loads(settings.part.mesh.written)["path"] == settings.part.mesh.path
