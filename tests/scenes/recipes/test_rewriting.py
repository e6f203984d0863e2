"""Quantities changed in a recipe's text, all else as it was."""

import pytest

from scenes import RecipeError, load_recipe, shipped_recipes
from scenes.quantities.distribution import Constant, LogUniform, Normal, Uniform
from scenes.recipes.paths import quantity_at, replaced
from scenes.recipes.reading import fields_of, recipe_text
from scenes.recipes.recipe import recipe_from
from scenes.recipes.rewriting import rewritten

QUANTITIES = {
    "sensor.exposure": LogUniform(0.011, 0.022),
    "sensor.blur_px": Uniform(0.25, 1.5),
    "finish.base_colour.1": Constant(0.31),
    "camera.offset_x_mm": Normal(0.1, 0.2, (-0.5, 0.5)),
    "camera.focal_length_mm": Constant(31.0),
}


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_text_says_what_was_asked_and_keeps_every_comment(name: str) -> None:
    text = recipe_text(name)
    changed = rewritten(text, QUANTITIES, name)
    found = recipe_from(fields_of(changed, name), name)
    assert found == replaced(load_recipe(name), QUANTITIES)
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in changed.splitlines() if "#" in line] == comments


def test_a_distribution_of_several_lines_is_replaced_whole() -> None:
    text = "a:\n  b:\n    uniform:\n      - 1\n      - 2\n  # after\n  c: 3\nd: 4\n"
    changed = rewritten(text, {"a.b": Uniform(5, 6)}, "x")
    assert fields_of(changed, "x") == {"a": {"b": {"uniform": [5, 6]}, "c": 3}, "d": 4}
    assert "# after" in changed


def test_what_is_left_to_its_default_is_added() -> None:
    changed = rewritten("sensor:\n  exposure: 1  # much\n", {"sensor.blur_px": Constant(0.5)}, "x")
    assert fields_of(changed, "x") == {"sensor": {"exposure": 1, "blur_px": 0.5}}
    assert "# much" in changed


def test_a_section_that_is_not_there_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"sensor\.blur_px: found nothing there"):
        rewritten("light:\n  kind: ring\n", {"sensor.blur_px": Constant(0.5)}, "x")


def test_paths_of_a_recipe() -> None:
    recipe = load_recipe("magnetic_tile")
    assert quantity_at(recipe, "finish.base_colour.2") == Constant(0.165)
    assert quantity_at(recipe, "sensor.full_well_electrons") == recipe.sensor.full_well_electrons
    for path in ("finish", "finish.nothing", "finish.base_colour.7", "finish.base_colour.-1", "", "defects.0.kind"):
        with pytest.raises(ValueError, match="expected the path of a quantity"):
            quantity_at(recipe, path)
