"""Where the lights of a recipe stand, and what a dome, a panel or a bar is, from the definitions."""

import math
from typing import Any

import numpy as np
import pytest

from scenes import Recipe, draw, load_recipe
from scenes.camera.light import AreaPanel
from scenes.catalogue.registry import LIGHTS
from scenes.recipes.examples import example
from scenes.recipes.reading import RecipeError
from scenes.recipes.recipe import recipe_from


def lit(light: dict[str, Any], **camera: Any) -> Recipe:
    """The plate under another light."""
    fields = load_recipe("plate").model_dump(mode="json")
    fields["camera"] |= {"offset_x_mm": 7, "offset_y_mm": -4, "roll_degrees": 0, **camera}
    return recipe_from({**fields, "light": light}, "lit")


def radiance(panel: AreaPanel) -> float:
    return panel.power / (math.pi * panel.width * panel.length)


def test_there_are_seven_kinds_and_a_recipe_of_before_has_its_ring() -> None:
    assert set(LIGHTS) == {"ring", "bar", "dome", "coaxial", "dark_field", "back", "tunnel"}
    assert load_recipe("plate").light.kind == "ring"


@pytest.mark.parametrize("kind", sorted(LIGHTS))
def test_a_light_is_drawn_the_same_again_and_survives_json(kind: str) -> None:
    for scene in example("light", kind).scenes():
        assert type(scene).model_validate_json(scene.model_dump_json()) == scene
        assert bool(scene.light.panels) != bool(scene.light.domes)


def test_an_unknown_light_is_refused() -> None:
    with pytest.raises(
        RecipeError, match="light: found kind: laser; expected back, bar, coaxial, dark_field, dome, ring"
    ):
        lit({"kind": "laser"})


@pytest.mark.parametrize("bars", [1, 2, 4])
def test_bars_face_the_middle_from_about_it(bars: int) -> None:
    light = lit({
        "kind": "bar", "bars": bars, "distance_mm": 80, "height_mm": 60, "length_mm": 100, "width_mm": 10, "power_w": 2,
        "rotation_degrees": 30,
    })  # fmt: skip
    panels = draw(light, 1, 0).light.panels
    assert len(panels) == bars
    assert sum(panel.power for panel in panels) == pytest.approx(2)
    for number, panel in enumerate(panels):
        away = np.array(panel.position) - (0.007, -0.004, 0)
        assert np.hypot(*away[:2]) == pytest.approx(0.08)
        assert away[2] == pytest.approx(0.06)
        assert math.degrees(math.atan2(away[1], away[0])) % 360 == pytest.approx(30 + 360 * number / bars)
        assert np.allclose(panel.direction, -away / np.linalg.norm(away))
        assert np.dot(panel.along, away) == pytest.approx(0)


def test_dark_field_comes_down_at_its_elevation_all_around() -> None:
    light = {"kind": "dark_field", "diameter_mm": 150, "elevation_degrees": 12, "panel_width_mm": 8, "power_w": 3}
    panels = draw(lit(light), 1, 0).light.panels
    assert len(panels) == 24
    for panel in panels:
        assert math.degrees(math.asin(-panel.direction[2])) == pytest.approx(12)
        reached = np.array(panel.position) + np.linalg.norm(np.subtract(panel.position, (0.007, -0.004, 0))) * np.array(
            panel.direction
        )
        assert np.allclose(reached, (0.007, -0.004, 0))


@pytest.mark.parametrize("tilt", [0, 35])
def test_coaxial_light_shines_along_the_axis(tilt: float) -> None:
    light = {"kind": "coaxial", "width_mm": 50, "distance_mm": 90, "radiance_w_per_m2_sr": 7}
    scene = draw(lit(light, tilt_degrees=tilt, tilt_azimuth_degrees=100), 1, 0)
    (panel,) = scene.light.panels
    assert np.allclose(panel.direction, scene.camera.forward)
    assert np.allclose(np.array(panel.position) + 0.09 * np.array(panel.direction), (0.007, -0.004, 0))
    assert radiance(panel) == pytest.approx(7)
    assert not panel.seen


def test_a_back_light_is_seen_below_the_part() -> None:
    light = {"kind": "back", "width_mm": 200, "length_mm": 180, "distance_mm": 25, "radiance_w_per_m2_sr": 4}
    (panel,) = draw(lit(light), 1, 0).light.panels
    assert (panel.position[2], panel.direction, panel.seen) == (-0.025, (0.0, 0.0, 1.0), True)
    assert (panel.width, panel.length) == (pytest.approx(0.2), pytest.approx(0.18))
    assert radiance(panel) == pytest.approx(4)


def test_the_opening_of_a_dome_is_as_wide_as_the_recipe_says() -> None:
    light = {"kind": "dome", "diameter_mm": 200, "opening_mm": 60, "height_mm": 5, "radiance_w_per_m2_sr": 4}
    (dome,) = draw(lit(light), 1, 0).light.domes
    assert dome.radius * math.sin(dome.hole) == pytest.approx(0.03)
    assert (dome.centre, dome.radiance) == ((0.007, -0.004, 0.005), 4)
    with pytest.raises(RecipeError, match=r"light: found opening_mm up to 200 and diameter_mm from 200"):
        lit({**light, "opening_mm": 200})


def test_ambient_light_is_drawn_for_each_kind() -> None:
    for kind in LIGHTS:
        fields = example("light", kind).recipes[0].model_dump(mode="json")
        fields["light"]["ambient_w_per_m2_sr"] = 0.7
        assert draw(recipe_from(fields, kind), 0, 0).light.ambient == 0.7


def test_what_is_in_the_opening_of_a_dome_fills_it() -> None:
    light = {"kind": "dome", "diameter_mm": 100, "opening_mm": 30, "radiance_w_per_m2_sr": 5}
    dome, camera = draw(lit(light | {"opening_radiance_w_per_m2_sr": 0.5}), 1, 0).light.domes
    assert math.sin(dome.hole) == pytest.approx(0.3)
    assert (camera.hole, camera.rim, camera.radiance) == (0, dome.hole, 0.5)
    assert (camera.centre, camera.radius) == (dome.centre, dome.radius)
    (open_to_the_room,) = draw(lit(light), 1, 0).light.domes
    assert open_to_the_room == dome
    assert len(draw(lit(light | {"opening_mm": 0, "opening_radiance_w_per_m2_sr": 0.5}), 1, 0).light.domes) == 1


TUNNEL = {"kind": "tunnel", "diameter_mm": 80, "length_mm": 60, "radiance_w_per_m2_sr": 5}


def test_strips_of_a_tunnel_stand_about_its_axis_and_meet() -> None:
    light = TUNNEL | {"arc_degrees": 240, "rotation_degrees": 90, "rim_radiance_w_per_m2_sr": 11, "imbalance": 0.2}
    panels = draw(lit(light), 1, 0).light.panels
    centre = np.array([0.007, -0.004, 0])
    angles = []
    for panel in panels:
        place = np.array(panel.position) - centre
        assert np.hypot(place[0], place[2]) == pytest.approx(0.04)
        assert np.array(panel.direction) == pytest.approx(-place / 0.04, abs=1e-9)
        assert np.abs(panel.along) == pytest.approx([0, 1, 0], abs=1e-9)
        assert panel.width == pytest.approx(0.06)
        angle = math.atan2(-place[0], place[2])  # to the left of its axis, which points upwards
        angles.append(angle)
        expected = (5 + 6 * abs(angle) / math.radians(120)) * (1 + 0.2 * math.sin(angle))
        assert panel.power / (math.pi * panel.width * panel.length) == pytest.approx(expected)
    step = math.radians(240) / len(panels)
    assert np.diff(np.sort(angles)) == pytest.approx(np.full(len(panels) - 1, step))
    assert sum(panel.length for panel in panels) == pytest.approx(len(panels) * 0.08 * math.tan(step / 2))


def test_the_opening_of_a_tunnel_is_the_room_or_what_the_recipe_says() -> None:
    opened = draw(lit(TUNNEL | {"opening_mm": 20}), 1, 0).light.panels
    camera = draw(lit(TUNNEL | {"opening_mm": 20, "opening_radiance_w_per_m2_sr": 0.5}), 1, 0).light.panels
    assert camera[:-1] == opened
    assert (camera[-1].width, camera[-1].length) == pytest.approx((0.02, 0.02))
    assert camera[-1].position == pytest.approx((0.007, -0.004, 0.04))
    before, after = opened[-2:]
    assert (before.position[0], after.position[0]) == pytest.approx((0.007 - 0.02, 0.007 + 0.02))
    assert (before.width, before.length) == pytest.approx((0.02, 0.02))
    with pytest.raises(RecipeError, match=r"light: found opening_mm up to 60 and a tunnel of 60 mm"):
        lit(TUNNEL | {"opening_mm": 60})
    with pytest.raises(RecipeError, match=r"found opening_mm up to 41 and a tunnel of 40 mm.*arc_degrees covers"):
        lit(TUNNEL | {"opening_mm": 41, "arc_degrees": 60})


@pytest.mark.parametrize("kind", sorted(LIGHTS))
def test_every_light_may_have_a_backdrop(kind: str) -> None:
    recipe = example("light", kind).recipes[0]
    fields = recipe.model_dump(mode="json")
    fields["light"]["backdrop_w_per_m2_sr"] = {"uniform": [1, 2]}
    plain, shown = draw(recipe, 0, 0).light, draw(recipe_from(fields, kind), 0, 0).light
    assert plain.backdrop is None
    assert "backdrop" not in plain.model_dump()
    assert shown.backdrop is not None
    assert 1 <= shown.backdrop <= 2
    assert shown.model_copy(update={"backdrop": None}) == plain
