"""What may be fitted: marks, defaults, and distributions that keep their kind."""

from pathlib import Path

import numpy as np
import pytest

from scenes import Recipe, RecipeError, load_recipe, shipped_recipes
from scenes.calibration.measuring import Bench, Shot
from scenes.calibration.parameters import (
    CalibrationError,
    Parameter,
    confounded_in,
    default_marks,
    free_parameters,
    with_values,
)
from scenes.quantities.distribution import Constant, Distribution, LogUniform, Normal, Uniform
from scenes.recipes.paths import quantity_at
from scenes.recipes.recipe import recipe_from

KINDS = [
    Parameter("finish.grain", Uniform(0.1, 0.3), 0.05, 0.8),
    Parameter("finish.mottle", Uniform(0.0, 0.2), 0.0, 0.5),
    Parameter("sensor.exposure", LogUniform(0.02, 0.05), 0.01, 0.2),
    Parameter("camera.offset_x_mm", Normal(0.5, 0.2, (0.0, 1.0)), -2.0, 2.0),
]


def marked(marks: object) -> Recipe:
    return recipe_from({**load_recipe("magnetic_tile").model_dump(mode="json"), "calibrate": marks}, "tile")


@pytest.mark.parametrize("parameter", KINDS, ids=lambda parameter: parameter.path)
def test_a_distribution_that_is_not_moved_is_the_same(parameter: Parameter) -> None:
    found = parameter.with_shape(*parameter.shape())
    assert isinstance(found, Distribution)
    assert type(found) is type(parameter.quantity)
    before = parameter.quantity
    assert isinstance(before, Distribution)
    assert found.low == pytest.approx(before.low, abs=1e-3)
    assert found.high == pytest.approx(before.high, abs=1e-3)


@pytest.mark.parametrize("parameter", KINDS, ids=lambda parameter: parameter.path)
def test_emulated_draws_are_distributed_as_the_recipe_draws(parameter: Parameter) -> None:
    centre, half_width = 0.45, 0.2
    written = parameter.with_shape(centre, half_width)
    assert isinstance(written, Distribution)
    rng = np.random.default_rng(0)
    real = [written.sample(rng) for _ in range(4000)]
    emulated = parameter.value(parameter.drawn(centre, half_width, np.linspace(1e-4, 1 - 1e-4, 4000)))
    width = parameter.high - parameter.low
    np.testing.assert_allclose(
        np.quantile(real, [0.1, 0.5, 0.9]), np.quantile(emulated, [0.1, 0.5, 0.9]), atol=0.02 * width
    )


def test_units_are_even_in_the_logarithm_of_a_scale() -> None:
    scale = Parameter("sensor.exposure", LogUniform(0.02, 0.05), 0.01, 1.0)
    np.testing.assert_allclose(scale.unit(np.array([0.01, 0.1, 1.0])), [0, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(scale.value(np.array([0.0, 0.5, 1.0])), [0.01, 0.1, 1.0])
    share = Parameter("finish.mottle", Uniform(0.0, 0.2), 0.0, 0.5)
    np.testing.assert_allclose(share.unit(np.array([0.0, 0.25, 9.0])), [0, 0.5, 1])


def test_a_number_stays_a_number() -> None:
    recipe = load_recipe("magnetic_tile")
    number = Parameter("sensor.full_well_electrons", 9000.0, 1000.0, 50000.0)
    constant = Parameter("finish.grain_size_mm", Constant(0.12), 0.05, 0.5)
    assert not number.varies
    assert not constant.varies
    assert isinstance(number.with_shape(0.5, 0.3), float)
    assert isinstance(constant.with_shape(0.5, 0.3), Constant)
    changed = with_values(recipe, [number, constant], np.array([0.0, 1.0]))
    assert changed.sensor.full_well_electrons == 1000
    assert quantity_at(changed, "finish.grain_size_mm") == Constant(0.5)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_has_something_to_fit_and_names_what_has_not(name: str) -> None:
    recipe = load_recipe(name)
    parameters = free_parameters(recipe)
    assert any(parameter.path.startswith("sensor.") for parameter in parameters)
    assert any(parameter.path.startswith("finish.") for parameter in parameters)
    assert {"light.power_w", "light.radiance_w_per_m2_sr"} & set(confounded_in(recipe, parameters))
    for parameter in parameters:
        centre, _ = parameter.shape()
        assert 0 <= centre <= 1
        middle = with_values(recipe, [parameter], np.array([0.5]))
        assert recipe_from(middle.model_dump(mode="json"), name) == middle.model_copy(update={"calibrate": {}})


@pytest.mark.parametrize("name", shipped_recipes())
def test_units_are_those_of_what_a_frame_draws_and_the_middle_of_what_it_does_not(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name).model_copy(update={"calibrate": {}})
    free = free_parameters(recipe)
    assert not {"sensor.dirt_radius", "sensor.sharpening_px"} & {parameter.path for parameter in free} or any(
        quantity_at(recipe, path).high > 0
        for path in ("sensor.dirt_spots", "sensor.sharpening")  # type: ignore[union-attr]
    )
    bench = Bench(tmp_path, tuple(free), (), False, lambda shots, take: None, None, lambda *told: None)
    shot = Shot(recipe, 3, 1)
    heard = shot.heard()
    units = dict(zip((parameter.path for parameter in free), bench._units(recipe, heard), strict=True))
    for parameter in free:
        drawn = heard.get(parameter.path)
        expected = parameter.middle if drawn is None else float(parameter.unit(drawn))
        assert units[parameter.path] == pytest.approx(expected), parameter.path


LOOKS = ("magnetic_tile", "asphalt", "hot_strip", "ball_screw", "bare_board", "circuit_board")


@pytest.mark.parametrize("name", LOOKS)
def test_a_recipe_that_looks_like_a_real_set_marks_what_pictures_may_tell(name: str) -> None:
    recipe = load_recipe(name)
    parameters = free_parameters(recipe)
    assert [parameter.path for parameter in parameters] == list(recipe.calibrate)
    for parameter in parameters:
        low, high = parameter.shape()[0] - parameter.shape()[1], sum(parameter.shape())
        assert low >= 0
        assert high <= 1
    assert not {"light.power_w", "finish.brightness", "finish.roughness", "finish.metallic"} & set(recipe.calibrate)


def test_marks_are_not_written_down_with_a_dataset() -> None:
    recipe = marked({"finish.grain": [0.1, 0.5]})
    assert recipe.calibrate == {"finish.grain": (0.1, 0.5)}
    assert "calibrate" not in recipe.model_dump(mode="json")
    assert [parameter.path for parameter in free_parameters(recipe)] == ["finish.grain"]


def test_by_default_what_is_confounded_stays() -> None:
    marks = default_marks(load_recipe("magnetic_tile"))
    assert {"sensor.exposure", "sensor.blur_px", "finish.grain", "sensor.full_well_electrons"} <= set(marks)
    assert not {"light.power_w", "finish.brightness", "finish.metallic", "light.diameter_mm"} & set(marks)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ({"finish.shine": [0, 1]}, "found 'finish.shine'"),
        ({"finish": [0, 1]}, "found 'finish'"),
        ({"finish.grain.0": [0, 1]}, "expected the path of a quantity"),
        ({"__class__.x": [0, 1]}, "expected the path of a quantity"),
        ({"finish.grain": [0.5, 0.1]}, "expected a lower and a higher bound"),
        ({"finish.grain": [0.5]}, "missing|found"),
        ({"finish.grain": ["a", 1.0]}, "found 'a'"),
        ({"finish.grain": [0.1, float("inf")]}, "found inf"),
        ("all", "found 'all'"),
    ],
)
def test_marks_that_are_none_are_refused_with_the_recipe(marks: object, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        marked(marks)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ({"finish.grain": [0.1, 50.0]}, "expected bounds within 0 to"),
        ({"sensor.exposure": [0.01, 0.2], "light.power_w": [1.0, 9.0]}, "a picture shows their product alone"),
        ({"light.power_w": [0.0, 9.0]}, "expected bounds above 0"),
        ({"defects.1.count": [0.0, 9.0]}, "expected a number, uniform"),
    ],
)
def test_marks_that_cannot_be_fitted_are_refused_by_the_fit(marks: object, said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        free_parameters(marked(marks))
