import numpy as np
import pytest

from scenes import Recipe, build_part, draw, load_recipe, surface_maps
from scenes.catalogue.defects.crack import CrackLayer
from scenes.maps import MOST_PREVIEWED, for_preview, preview_picture
from tests.scenes.conftest import changed


def test_maps_cover_the_texel_grid(small_plate: Recipe) -> None:
    scene = draw(small_plate, 1, 0)
    maps = surface_maps(scene)
    rows, columns = round(scene.part.height / scene.texel_size), round(scene.part.width / scene.texel_size)
    assert maps.classes.shape == maps.height.shape == (rows, columns)
    assert maps.normal.shape == maps.base_colour.shape == (rows, columns, 3)
    assert np.allclose(np.linalg.norm(maps.normal, axis=-1), 1, atol=1e-6)


def test_same_scene_same_maps(small_plate: Recipe) -> None:
    first, second = (surface_maps(draw(small_plate, 1, 0)) for _ in range(2))
    assert first.base_colour.tobytes() == second.base_colour.tobytes()
    assert first.defects.tobytes() == second.defects.tobytes()


def test_class_bits_are_set_exactly_where_a_family_has_instances(small_plate: Recipe) -> None:
    maps = surface_maps(draw(small_plate, 1, 0))
    assert np.array_equal((maps.classes & 1) > 0, maps.defects > 0)
    assert np.array_equal((maps.classes & 2) > 0, maps.impurities > 0)
    assert ((maps.classes == 3) & (maps.defects > 0)).any()


@pytest.mark.parametrize("name", ["plate", "magnetic_tile"])
def test_cracks_are_embedded_in_the_part(name: str) -> None:
    recipe = changed(load_recipe(name).only("crack"), defects={"count": 1, "origin": "ends", "length_mm": 12})
    scene = draw(recipe.without("impurities"), 6, 0)
    surface = build_part(scene.part).surface
    drawn = scene.layers[0]
    assert isinstance(drawn, CrackLayer)
    crack = drawn.to_layer(surface)
    ends = surface.embed(np.array([drawn.start, drawn.end]))
    assert np.allclose(crack.graph.vertices[[0, -1]], ends, atol=1e-6)
    midway = surface.embed(np.array([np.add(drawn.start, drawn.end) / 2]))
    assert np.linalg.norm(crack.graph.vertices - midway, axis=1).min() < 0.004


def test_preview_shows_the_surface_the_right_way_up(small_plate: Recipe) -> None:
    maps = surface_maps(draw(small_plate, 1, 0))
    picture = preview_picture(maps)
    bare, tinted = np.split(picture, 2, axis=1)
    touched = (maps.classes > 0)[::-1]
    assert np.array_equal(bare[~touched], tinted[~touched])
    assert (bare[touched] != tinted[touched]).any(axis=-1).mean() > 0.99


def test_a_preview_has_no_more_texels_than_memory_has_room_for(small_plate: Recipe) -> None:
    scene = draw(small_plate, 0, 0)
    assert for_preview(scene) is scene
    fine = scene.model_copy(update={"texel_size": scene.texel_size / 100})
    ((width, height),) = (chart.size for chart in build_part(scene.part).charts)
    assert width * height / for_preview(fine).texel_size ** 2 == pytest.approx(MOST_PREVIEWED)
    assert list(for_preview(fine).placed_layers()) == list(fine.placed_layers())
