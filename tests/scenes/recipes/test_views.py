"""Several views of one surface: one part and its layers, a picture from each position, never parted."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scenes import DatasetWriter, Recipe, Scene, draw, load_recipe, maps, surface_maps
from scenes.formats.exchange.splits import splits_of
from scenes.formats.registry import read_samples
from scenes.recipes.reading import RecipeError
from scenes.recipes.recipe import recipe_from
from tests.blender_addon.recipes import changed

TWELVE = "plate_twelve_views"


def corners(camera: object) -> np.ndarray:
    """(2, 2): least and largest x and y that a camera looking straight down sees at z = 0, but for its roll."""
    width = camera.position[2] * camera.sensor_width / camera.focal_length  # type: ignore[attr-defined]
    half = np.array([width, width * camera.height / camera.width]) / 2  # type: ignore[attr-defined]
    return np.stack([camera.position[:2] - half, camera.position[:2] + half])  # type: ignore[attr-defined]


def steady(recipe: Recipe) -> Recipe:
    return changed(recipe, camera={"offset_x_mm": 0, "offset_y_mm": 0, "roll_degrees": 0})


def test_the_twelve_positions_of_the_paper_cover_either_side_at_its_resolution() -> None:
    recipe = steady(load_recipe(TWELVE))
    scenes = [draw(recipe, 3, index) for index in range(24)]
    assert [scene.surface for scene in scenes] == [0] * 12 + [1] * 12
    assert [scene.view for scene in scenes] == [*range(12), *range(12)]
    assert Counter(scene.side for scene in scenes[:12]) == {"front": 6, "back": 6}
    assert {(scene.camera.width, scene.camera.height) for scene in scenes} == {(2448, 2050)}
    for half in (scenes[:6], scenes[6:12]):
        fields = np.array([corners(scene.camera) for scene in half])
        x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-59.9, 59.9, 49), np.linspace(-49.9, 49.9, 41)))
        places = np.stack([x, y], axis=-1) / 1000
        seen = ((places[:, None] >= fields[None, :, 0]) & (places[:, None] <= fields[None, :, 1])).all(axis=-1)
        assert seen.any(axis=1).all()  # the plate of 120 x 100 mm
        assert len({scene.camera.position for scene in half}) == 6
    first, second = scenes[0].camera.position, scenes[1].camera.position
    assert np.allclose(np.subtract(second, first), (0.030, 0, 0))
    assert np.allclose(first[:2], (-0.030, 0.025))  # top left


def test_views_show_one_surface_and_the_light_goes_with_the_camera() -> None:
    recipe = load_recipe(TWELVE)
    scenes = [draw(recipe, 3, index) for index in range(24)]
    for side in (scenes[:6], scenes[6:12], scenes[12:18]):
        assert all((s.part, s.finish, s.layers) == (side[0].part, side[0].finish, side[0].layers) for s in side)
        assert len({scene.sensor.seed for scene in side}) == 6  # each picture its own noise
    assert scenes[0].part == scenes[6].part
    assert scenes[0].finish != scenes[6].finish  # the other side has grooves of its own
    assert scenes[0].layers != scenes[6].layers
    assert scenes[0].layers != scenes[12].layers
    for scene in scenes:
        centre = np.mean([panel.position for panel in scene.light.panels], axis=0)
        assert np.allclose(centre[:2], scene.camera.position[:2])


def test_two_views_agree_about_what_lies_where_they_overlap() -> None:
    recipe = changed(steady(load_recipe(TWELVE)), defects={"count": 3})
    recipe = recipe.model_copy(update={"texel_um": 400.0})
    left, right = (surface_maps(draw(recipe, 3, index)) for index in (0, 1))
    assert left.defects.any()
    assert np.array_equal(left.classes, right.classes)
    assert np.array_equal(left.base_colour, right.base_colour)


def test_the_maps_of_a_surface_are_made_once_for_its_views(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(scene: Scene) -> str:
        made.append(scene.index)
        return f"maps of {scene.surface}, {scene.side}"

    monkeypatch.setattr(maps, "surface_maps", counted)
    recipe = load_recipe(TWELVE)
    latest = maps.LatestSurface()
    found = [latest.maps(draw(recipe, 3, index)) for index in range(14)]
    assert made == [0, 6, 12]
    assert found == ["maps of 0, front"] * 6 + ["maps of 0, back"] * 6 + ["maps of 1, front"] * 2


def test_one_view_a_surface_draws_what_it_always_did(small_plate: Recipe) -> None:
    scene = draw(small_plate, 5, 7)
    assert (scene.surface, scene.view, scene.side) == (None, 0, "front")
    assert not {"surface", "view", "side"} & scene.model_dump(mode="json").keys()


def test_views_may_be_more_than_the_recipes_own_positions(small_plate: Recipe) -> None:
    alone = [draw(small_plate, 5, index) for index in range(2)]
    scenes = [draw(small_plate, 5, index, views=3) for index in range(6)]
    assert [(scene.surface, scene.view) for scene in scenes] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert all(scene.layers == alone[scene.surface or 0].layers for scene in scenes)


def test_splits_never_part_the_views_of_a_surface(small_plate: Recipe, tmp_path: Path) -> None:
    recipe = changed(small_plate, camera={"grid_columns": 2, "grid_rows": 2, "both_sides": True})
    frames = 5 * recipe.camera.views
    assert frames == 40
    writer = DatasetWriter(tmp_path / "set", recipe, 5, frames)
    blank = np.zeros((48, 64), np.uint16)
    for index in range(frames):
        writer.write(index, blank, blank, blank, blank, draw(recipe, 5, index), ())
    writer.finish()
    samples = read_samples(tmp_path / "set")
    groups = [sample.group for sample in samples]
    assert len(set(groups)) == 5
    assert all(len(set(groups[8 * k : 8 * k + 8])) == 1 for k in range(5))
    splits = splits_of(samples, 0.4, 0, True)
    assert len(set(splits)) == 2
    assert all(len(set(splits[8 * k : 8 * k + 8])) == 1 for k in range(5))


def test_a_part_without_a_back_is_not_turned_over() -> None:
    fields = load_recipe("magnetic_tile").model_dump(mode="json")
    fields["camera"]["both_sides"] = True
    with pytest.raises(RecipeError, match=r"camera\.both_sides: found the part arc_segment; expected one whose back"):
        recipe_from(fields, "tile")
