"""What was drawn for a frame, against the drawing itself."""

import math

import numpy as np
import pytest

from scenes import RandomStream, draw, load_recipe
from scenes.gallery.parameters import parameters, severity
from scenes.own_scene.record import OwnScene
from scenes.recipes.recipe import Recipe


def test_numbers_are_those_that_the_recipe_drew_by_its_own_names():
    recipe = load_recipe("plate")
    scene = draw(recipe, 3, 5)
    found = parameters(scene, recipe)
    stream = RandomStream(3, 5)
    assert found["light.power_w"] == stream.at("light").draw("power_w", recipe.light.power_w)
    assert found["finish.roughness"] == scene.finish.roughness
    widths = [layer.parameters.width for layer in scene.layers if layer.kind == "crack"]
    assert found.get("crack: width_um", math.nan) * 1e-6 == pytest.approx(max(widths, default=math.nan), nan_ok=True)


def test_taking_down_what_is_drawn_changes_nothing():
    recipe = load_recipe("plate")
    heard = {}
    assert draw(recipe, 3, 5, heard=heard) == draw(recipe, 3, 5)
    assert heard


def test_of_several_the_largest_is_said_and_nothing_of_what_is_switched_off():
    fields = load_recipe("plate").only("crack").model_dump(mode="json")
    fields["defects"][0] |= {"count": 4, "width_um": {"uniform": [100, 900]}}
    recipe = Recipe.model_validate(fields)
    scene = draw(recipe, 1, 0)
    widths = [1e6 * layer.parameters.width for layer in scene.layers]
    assert len(widths) == 4
    assert parameters(scene, recipe)["crack: width_um"] == pytest.approx(max(widths))
    bare = recipe.without("defects")
    assert not any(name.startswith("crack") for name in parameters(draw(bare, 1, 0), bare))


def test_a_scene_that_the_recipe_does_not_draw_tells_its_own_numbers():
    recipe = load_recipe("plate")
    scene = draw(recipe, 3, 5)
    brighter = scene.model_copy(update={"sensor": scene.sensor.model_copy(update={"exposure": 0.5})})
    for found in (parameters(brighter, recipe), parameters(brighter, None)):
        assert found["sensor.exposure"] == 0.5
        assert found["light.panels: power in all"] == pytest.approx(sum(panel.power for panel in scene.light.panels))
        assert not any(name.endswith("seed") for name in found)


def test_severity_is_the_largest_of_what_is_to_be_seen():
    found = {"crack: severity": 0.9, "dent: severity": 0.4, "light.power_w": 3.0}
    assert severity(found, {"dent", "bump"}) == 0.4
    assert severity(found, {"dent", "crack"}) == 0.9
    assert np.isnan(severity(found, {"bump"}))


def test_of_a_scene_of_the_users_nothing_is_told_that_stands_for_nothing_there():
    recipe = load_recipe("plate")
    scene = draw(recipe, 3, 5).model_copy(update={"own": OwnScene(camera="Front", objects=())})
    found = parameters(scene, recipe)
    assert found["camera.focal_length"] == scene.camera.focal_length
    assert {name.partition(".")[0] for name in found} == {"camera", "sensor"}
