"""What is remembered changes nothing but the time."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from procgen.surface.layer import SurfaceMaps
from scenes import Recipe, draw, load_recipe, surface_maps
from scenes.cache import SceneCache
from scenes.recipes.examples import catalogue, example
from scenes.scene import Scene

COARSE = 400e-6  # m


def coarse(scene: Scene) -> Scene:
    return scene.model_copy(update={"texel_size": COARSE})


def with_field(recipe: Recipe, family: str, position: int, **values: Any) -> Recipe:
    fields_ = recipe.model_dump(mode="json")
    fields_[family][position] |= values
    return Recipe.model_validate(fields_)


def assert_same(one: SurfaceMaps, other: SurfaceMaps) -> None:
    for field in fields(SurfaceMaps):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


@pytest.mark.parametrize("name", ["plate", "turned_shaft", "rusting_steel"])
def test_maps_and_draws_with_memory_are_those_without(name: str) -> None:
    recipe, cache = load_recipe(name), SceneCache()
    changed = recipe.without("impurities")
    for asked in (recipe, changed, recipe):
        scene = draw(asked, 4, 2)
        assert draw(asked, 4, 2, cache) == scene
        assert_same(surface_maps(coarse(scene), cache), surface_maps(coarse(scene)))


@pytest.mark.parametrize("group", ["finish", "defects", "impurities"])
def test_every_kind_can_be_remembered(group: Any) -> None:
    for kind in catalogue()[group]:
        scene = example(group, kind).scenes()[0]
        assert isinstance(hash(scene.finish), int)
        assert all(isinstance(hash(placed), int) for placed in scene.placed_layers())


def test_only_the_changed_layer_is_evaluated() -> None:
    recipe, cache = load_recipe("plate"), SceneCache()
    recipe = with_field(recipe, "impurities", 0, probability=1)
    scene = coarse(draw(recipe, 0, 0, cache))
    surface_maps(scene, cache)
    before = {key: id(result) for key, (result, _) in cache.results.items()}
    stained = coarse(draw(with_field(recipe, "impurities", 0, alpha=-0.9), 0, 0, cache))
    surface_maps(stained, cache)
    anew = [key for key, (result, _) in cache.results.items() if before.get(key) != id(result)]
    assert [key[0].kind for key in anew if isinstance(key, tuple)] == ["water_stains"]
    assert len(anew) == 1


def test_memory_of_another_surface_is_dropped_and_the_oldest_go_first() -> None:
    cache = SceneCache(most_bytes=2 * np.zeros(100).nbytes)
    cache.invalidate_if_changed("a")
    for key in range(4):
        cache.get_or_compute(key, lambda: np.zeros(100))
    assert list(cache.results) == [2, 3]
    cache.invalidate_if_changed("b")
    assert not cache.results


def test_a_result_stands_as_long_as_its_inputs_are_equal() -> None:
    cache, calls = SceneCache(), []

    def work() -> int:
        calls.append(1)
        return len(calls)

    assert [
        cache.latest_or_compute("n", (1,), work),
        cache.latest_or_compute("n", (1,), work),
        cache.latest_or_compute("n", (2,), work),
    ] == [1, 1, 2]
