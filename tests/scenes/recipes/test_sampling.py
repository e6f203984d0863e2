import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.surface.layer import SurfaceMaps
from scenes import Recipe, Scene, draw, load_recipe, surface_maps
from scenes.catalogue.defects.crack import CrackLayer
from scenes.catalogue.impurities.water_stains import WaterStainLayer
from scenes.parts.arc_segment import ArcSegment
from tests.scenes.conftest import changed

SHIPPED = pytest.mark.parametrize("name", ["plate", "magnetic_tile"])


@SHIPPED
def test_same_arguments_give_the_same_bytes(name: str) -> None:
    recipe = load_recipe(name)
    for index in range(3):
        assert draw(recipe, 4, index).model_dump_json() == draw(recipe, 4, index).model_dump_json()


@SHIPPED
@given(st.integers(0, 2**63), st.integers(0, 10**9))
@settings(max_examples=20)
def test_scenes_survive_json_exactly(name: str, seed: int, index: int) -> None:
    scene = draw(load_recipe(name), seed, index)
    text = scene.model_dump_json()
    back = Scene.model_validate_json(text)
    assert back == scene
    assert back.model_dump_json() == text
    assert Scene.model_validate(json.loads(json.dumps(scene.model_dump(mode="json")))) == scene


@SHIPPED
def test_frames_and_seeds_differ(name: str) -> None:
    recipe = load_recipe(name)
    assert len({draw(recipe, seed, index).finish.seed for seed in range(3) for index in range(3)}) == 9


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw(load_recipe("plate"), 1, 1)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("family", ["defects", "impurities"])
def test_a_twin_differs_in_its_layers_only(small_plate: Recipe, family: str) -> None:
    kept = WaterStainLayer if family == "defects" else CrackLayer
    for index in range(3):
        scene, twin = draw(small_plate, 3, index), draw(small_plate.without(family), 3, index)
        assert twin.layers == tuple(layer for layer in scene.layers if isinstance(layer, kept))
        assert len(twin.layers) < len(scene.layers)
        assert twin.model_copy(update={"layers": scene.layers}) == scene


def test_twin_surfaces_are_equal_bit_for_bit_outside_the_stains(small_plate: Recipe) -> None:
    stained = surface_maps(draw(small_plate, 3, 0))
    clean = surface_maps(draw(small_plate.without("impurities"), 3, 0))
    outside = stained.impurities == 0
    assert 0.1 < outside.mean() < 0.9
    for name in SurfaceMaps.__dataclass_fields__:
        if name not in ("instances", "impurities", "lay"):
            assert np.array_equal(getattr(stained, name)[outside], getattr(clean, name)[outside]), name
    assert np.array_equal(stained.defects, clean.defects)
    assert np.array_equal(stained.classes & 1, clean.classes)
    assert not clean.impurities.any()


def test_a_changed_quantity_changes_nothing_else(small_plate: Recipe) -> None:
    other = changed(small_plate, finish={"roughness": {"uniform": [0.1, 0.9]}}, defects={"depth_um": 33})
    before, after = draw(small_plate, 5, 2), draw(other, 5, 2)
    assert after.finish.roughness != before.finish.roughness
    fields = {"roughness": before.finish.roughness}
    assert {**vars(after.finish), **fields} == vars(before.finish)
    untouched = {"camera", "light", "sensor", "part", "texel_size"}
    assert after.model_dump(include=untouched) == before.model_dump(include=untouched)
    starts = [layer.start for layer in before.layers if isinstance(layer, CrackLayer)]
    assert [layer.start for layer in after.layers if isinstance(layer, CrackLayer)] == starts


def test_light_randomization_of_the_paper_gives_four_lights() -> None:
    recipe = changed(
        load_recipe("plate"),
        light={"rotation_degrees": {"choice": [0, 90]}, "scale": {"choice": [1, 2]}, "imbalance": 0},
        camera={"offset_x_mm": 0, "offset_y_mm": 0},
    )
    assert len({draw(recipe, 0, index).light for index in range(40)}) == 4


def test_camera_sits_in_the_middle_of_the_ring(small_plate: Recipe) -> None:
    scene = draw(small_plate, 8, 1)
    middle = np.mean([panel.position for panel in scene.light.panels], axis=0)
    assert middle[:2] == pytest.approx(scene.camera.position[:2])


def test_texels_are_half_a_pixel_unless_given(small_plate: Recipe) -> None:
    scene = draw(changed(small_plate, camera={"margin": 0.1}), 0, 0)
    assert scene.texel_size == pytest.approx(scene.part.width * 1.2 / 64 / 2)
    given = Recipe.model_validate(small_plate.model_dump(mode="json") | {"texel_um": 400})
    assert draw(given, 0, 0).texel_size == pytest.approx(4e-4)


def test_working_distance_overrules_the_margin(small_plate: Recipe) -> None:
    scene = draw(changed(small_plate, camera={"working_distance_mm": 300}), 0, 0)
    assert scene.camera.position[2] == pytest.approx(0.3)


@pytest.mark.parametrize("origin", ["anywhere", "edge", "ends"])
def test_cracks_begin_where_the_recipe_says(small_plate: Recipe, origin: str) -> None:
    recipe = changed(small_plate, defects={"origin": origin, "count": 30, "length_mm": 10, "angle_degrees": 0})
    scene = draw(recipe.without("impurities"), 1, 0)
    size = np.array([scene.part.width, scene.part.height])
    ends = np.array([[layer.start, layer.end] for layer in scene.layers if isinstance(layer, CrackLayer)])
    assert np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) == pytest.approx(np.full(30, 0.01))
    if origin == "anywhere":
        middle = ends.mean(axis=1)
        assert ((middle >= 0) & (middle <= size)).all()
        return
    start, end = ends[:, 0], ends[:, 1]
    on_side = np.isclose(start, 0) | np.isclose(start, size)
    assert on_side.any(axis=1).all()
    assert ((end > 0) & (end < size))[on_side].all()
    assert on_side[:, 0].any() == (origin == "edge")
    assert on_side[:, 1].any()


def test_negative_seeds_and_frames_are_refused(small_plate: Recipe) -> None:
    with pytest.raises(ValueError, match="count from 0"):
        draw(small_plate, -1, 0)


def test_tile_fills_the_frame() -> None:
    """Whatever is drawn, the corners of the picture see the tile or the dark just beside its flanks."""
    for index in range(20):
        scene = draw(load_recipe("magnetic_tile"), 2, index)
        assert isinstance(scene.part, ArcSegment)
        camera = scene.camera
        field_width = camera.position[2] * camera.sensor_width / camera.focal_length
        field_height = field_width * camera.height / camera.width
        assert field_width == pytest.approx(scene.part.width, rel=0.05)
        assert scene.part.length > field_height + 2 * abs(camera.position[1]) - 0.002
        assert math.isclose(abs(scene.finish.lay_direction[1]), 1, abs_tol=0.01)


CAMERA_OF_THE_LINE = {
    "dirt_spots": {"uniform": [1, 6]},
    "dirt_radius": {"uniform": [0.01, 0.05]},
    "dirt_opacity": {"uniform": [0.1, 0.3]},
    "column_gain": {"uniform": [0, 0.02]},
    "column_offset": 0.01,
    "row_jitter_px": {"uniform": [0.1, 0.3]},
    "white_balance_kelvin": {"uniform": [4000, 9000]},
    "threshold": 0.5,
    "sharpening": {"uniform": [0.2, 1]},
    "sharpening_px": 2,
    "jpeg_quality": {"uniform": [60, 95]},
}


def test_what_a_camera_does_is_drawn_within_its_bounds_and_moves_nothing_else(small_plate: Recipe) -> None:
    recipe = changed(small_plate, sensor=CAMERA_OF_THE_LINE)
    sensors = []
    for index in range(30):
        scene, plain = draw(recipe, 5, index), draw(small_plate, 5, index)
        untouched = scene.sensor.model_copy(
            update={name: getattr(plain.sensor, name) for name in type(plain.sensor).model_fields}
        )
        assert scene.model_copy(update={"sensor": untouched}) == plain
        assert scene.sensor.seed == plain.sensor.seed
        sensors.append(scene.sensor)
    assert {len(sensor.dirt) for sensor in sensors} == {1, 2, 3, 4, 5, 6}
    width, height = small_plate.camera.resolution
    for spot in (spot for sensor in sensors for spot in sensor.dirt):
        assert 0 <= spot.x <= 1
        assert 0 <= spot.y <= height / width
        assert 0.01 <= spot.radius <= 0.05
        assert 0.1 <= spot.opacity <= 0.3
    assert all(60 <= (sensor.jpeg_quality or 0) <= 95 for sensor in sensors)
    assert len({sensor.white_balance for sensor in sensors}) == 30
    assert all(sensor.sharpening_radius == 2 for sensor in sensors)


def test_a_camera_that_sharpens_nothing_has_no_radius_to_write_down(small_plate: Recipe) -> None:
    assert draw(small_plate, 1, 0).sensor.sharpening_radius == 0
