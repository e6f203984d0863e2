from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import Recipe, draw, load_recipe
from scenes.calibration.parameters import CalibrationError, confounded_in, free_parameters
from scenes.catalogue.defects.crack import CrackLayer
from scenes.quantities.distribution import Constant, Uniform
from scenes.recipes.lots import LotRecipe, lot_at, moved
from scenes.recipes.reading import RecipeError, as_yaml
from scenes.recipes.recipe import recipe_from

BRIGHT = {"finish.roughness": {"uniform": [0.6, 0.7]}, "sensor.exposure": 2.5, "defects.0.count": 4}


def with_lots(recipe: Recipe, *lots: dict[str, Any]) -> Recipe:
    return recipe_from({**recipe.model_dump(mode="json"), "lots": list(lots)}, "test")


def bright(share: float = 0.5, **more: Any) -> dict[str, Any]:
    return {"name": "bright", "share": share, "quantities": BRIGHT | more}


def test_a_frame_of_a_lot_has_its_quantities_together_and_all_else_as_without(small_plate: Recipe) -> None:
    recipe = with_lots(small_plate, bright())
    lots = set()
    for index in range(40):
        scene, plain = draw(recipe, 3, index), draw(small_plate, 3, index)
        lots.add(scene.lot)
        if scene.lot is None:
            assert scene == plain
            continue
        assert 0.6 <= scene.finish.roughness <= 0.7
        assert scene.sensor.exposure == 2.5
        assert sum(isinstance(layer, CrackLayer) for layer in scene.layers) == 4
        assert replace(scene.finish, roughness=plain.finish.roughness) == plain.finish
        assert (scene.camera, scene.light, scene.part) == (plain.camera, plain.light, plain.part)
    assert lots == {None, "bright"}


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(0, 2**40))
def test_lots_come_up_as_often_as_they_say(weights: list[float], seed: int) -> None:
    shares = [weight / (sum(weights) + 0.3) for weight in weights]
    lots = [
        LotRecipe.model_validate({"name": f"lot{k}", "share": s, "quantities": {"a": 1}}) for k, s in enumerate(shares)
    ]
    count = 600
    found = [lot_at(lots, seed, surface) for surface in range(count)]
    for lot in lots:
        drawn = sum(other is lot for other in found)
        assert abs(drawn - count * lot.share) < 6 * (count * lot.share * (1 - lot.share)) ** 0.5 + 1


def test_all_views_of_a_surface_and_its_twin_are_of_one_lot(small_plate: Recipe) -> None:
    recipe = with_lots(small_plate, bright())
    of_views = [draw(recipe, 1, index, views=4).lot for index in range(40)]
    assert all(len(set(of_views[first : first + 4])) == 1 for first in range(0, 40, 4))
    assert len(set(of_views)) == 2
    assert [draw(recipe.without("defects"), 1, index).lot for index in range(9)] == [
        draw(recipe, 1, index).lot for index in range(9)
    ]


def test_what_a_recipe_without_lots_writes_says_nothing_of_them(small_plate: Recipe) -> None:
    assert "lots" not in small_plate.model_dump(mode="json")
    assert "lot" not in draw(small_plate, 0, 0).model_dump(mode="json")


def test_lots_survive_yaml(small_plate: Recipe, tmp_path: Path) -> None:
    recipe = with_lots(small_plate, bright(), {"name": "dull", "share": 0.5, "quantities": {"camera.margin": 0.1}})
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(recipe.model_dump(mode="json")))
    assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("lots", "told"),
    [
        ([bright(0.7), bright(0.2)], "lots: found bright 2 times"),
        ([bright(0.7), {**bright(0.6), "name": "b"}], "lots: found shares of 1.3 together; expected at most 1"),
        ([bright(0)], "lots.0.share: found 0"),
        ([{"name": "a", "share": 0.5, "quantities": {}}], "lots.0.quantities"),
        (
            [bright(**{"finish.roughnes": 1})],
            "lots.0.quantities: found 'finish.roughnes'; expected the path of a quantity",
        ),
        ([bright(**{"defects.7.count": 1})], "lots.0.quantities: found 'defects.7.count'"),
        ([bright(**{"finish.roughness": 3})], "lots.0 (bright): finish.roughness: found 3"),
        ([bright(**{"finish.roughness": "much"})], "lots.0.quantities.finish.roughness: found 'much'"),
        ([bright(**{"camera.sensor_width_mm": {"uniform": [1, 2]}})], "expected a number, as the recipe has there"),
        ([bright(**{"lots.0.share": 0.2})], "lots.0.quantities: found 'lots.0.share'"),
        ("all", "lots: found 'all'; expected a list"),
        (
            [bright(**{f"finish.a{k}": 1 for k in range(300)})],
            "lots.0.quantities: found more entries; expected at most 200",
        ),
    ],
)
def test_lots_that_cannot_be_are_refused_by_their_field(small_plate: Recipe, lots: Any, told: str) -> None:
    with pytest.raises(RecipeError) as refused:
        recipe_from({**small_plate.model_dump(mode="json"), "lots": lots}, "mine.yaml")
    assert told in str(refused.value)
    assert all(line.startswith("mine.yaml: ") for line in str(refused.value).splitlines())


def test_what_is_said_of_an_entry_goes_with_it() -> None:
    lots = [{"name": "a", "share": 1, "quantities": {"defects.1.count": 3, "finish.grain": 1}}]
    places = {"defects.1": ["defects.0", "defects.2"]}
    assert moved(lots, places)[0]["quantities"] == {"defects.0.count": 3, "defects.2.count": 3, "finish.grain": 1}
    assert moved([{**lots[0], "quantities": {"impurities.0.count": 3}}], places) == []


def test_only_some_kinds_keep_what_lots_say_of_them(small_plate: Recipe) -> None:
    other = next(entry.kind for entry in small_plate.impurities)
    recipe = with_lots(small_plate, bright(**{"impurities.0.radius_mm": 7}))
    assert set(recipe.only(other).lots[0].quantities) == {
        "finish.roughness",
        "sensor.exposure",
        "impurities.0.radius_mm",
    }


def test_numbers_of_a_lot_stay_numbers(small_plate: Recipe) -> None:
    recipe = with_lots(small_plate, bright(1, **{"camera.sensor_width_mm": 6}))
    (_, lot) = recipe.of_each_lot()
    assert lot.camera.sensor_width_mm == 6
    assert isinstance(lot.camera.sensor_width_mm, float)
    assert lot.defects[0].count == Constant(4)  # type: ignore[union-attr]
    assert lot.finish.roughness == Uniform(0.6, 0.7)


def test_what_lots_change_is_not_fitted_to_photographs(small_plate: Recipe) -> None:
    free = free_parameters(with_lots(small_plate, bright()))
    assert "sensor.exposure" in {p.path for p in free_parameters(small_plate)} - {p.path for p in free}
    assert "lot bright" in confounded_in(with_lots(small_plate, bright()), free)["sensor.exposure"]
    marked = with_lots(small_plate, bright()).model_copy(update={"calibrate": {"sensor.exposure": (0.1, 9.0)}})
    with pytest.raises(CalibrationError, match="found a quantity that is another in lot bright; expected"):
        free_parameters(marked)
