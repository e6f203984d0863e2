"""Photographs that Blender rendered of a hidden recipe: what of it a fit of another recipe finds again."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blender_addon import render_dataset
from blender_addon.calibrating.radiance import renderer
from scenes import Recipe, load_recipe
from scenes.calibration.calibrating import DETERMINED, WITHIN, Calibration, Plan
from scenes.calibration.parameters import Parameter
from scenes.calibration.run import fit_of
from scenes.jobs.progress import untold
from scenes.quantities.distribution import Distribution, LogUniform, Uniform
from scenes.recipes.paths import replaced
from scenes.recipes.reading import as_yaml
from tests.blender_addon.recipes import changed

SAMPLES = 2
PLAN = Plan(renders=80, looks=4, verified=16, draws=16)
PHOTOGRAPHS = 30
NEAR = 0.25

# What is hidden of each recipe, and beside it something marked as free that no picture shows.
HIDDEN: dict[str, Mapping[str, float | Distribution]] = {
    "magnetic_tile": {
        "finish.grain": Uniform(0.4, 0.5),
        "sensor.exposure": LogUniform(0.065, 0.09),
        "sensor.blur_px": Uniform(0.6, 0.75),
        "sensor.full_well_electrons": 4000.0,
    },
    "hot_strip": {
        "finish.grain": Uniform(0.6, 0.8),
        "sensor.exposure": LogUniform(0.1, 0.16),
        "sensor.blur_px": Uniform(1.4, 1.8),
        "sensor.full_well_electrons": 6000.0,
    },
    "asphalt": {
        "finish.base_colour.0": Uniform(0.18, 0.2),
        "finish.variety": Uniform(0.32, 0.42),
        "sensor.exposure": Uniform(0.12, 0.16),
        "sensor.sharpening": Uniform(1.0, 1.5),
    },
}
SIZES = {"magnetic_tile": [152, 176], "hot_strip": [128, 128], "asphalt": [192, 128]}
UNSEEN = {
    "magnetic_tile": ("finish.pit_depth_um", (5.0, 80.0)),
    "hot_strip": ("finish.mottle_size_mm", (8.0, 100.0)),
    "asphalt": ("finish.mottle_size_mm", (20.0, 240.0)),
}


def written(recipe: Recipe, path: Path) -> str:
    fields = recipe.model_dump(mode="json") | {"calibrate": {k: list(v) for k, v in recipe.calibrate.items()}}
    path.write_text(as_yaml(fields), encoding="utf-8")
    return str(path)


def photograph(recipe: Recipe, folder: Path) -> Path:
    """Frames of a recipe as a plain folder of pictures."""
    dataset = render_dataset(recipe, folder / "dataset", PHOTOGRAPHS, seed=77, samples=SAMPLES)
    real = folder / "real"
    real.mkdir()
    for frame in dataset:
        Image.fromarray(frame.image).save(real / f"{frame.index:03d}.png")
    return real


def fitted(name: str, folder: Path) -> Calibration:
    recipe = changed(load_recipe(name).without("defects"), camera={"resolution": SIZES[name]})
    unseen, bounds = UNSEEN[name]
    marks = {path: recipe.calibrate[path] for path in HIDDEN[name]} | {unseen: bounds}
    start = recipe.model_copy(update={"calibrate": marks})
    real = photograph(replaced(start, HIDDEN[name]), folder)
    return fit_of(
        written(start, folder / "start.yaml"), real, folder / "fitted.yaml",
        lambda wanted: renderer(wanted, samples=SAMPLES), None, PLAN, SAMPLES, untold,
    ).calibration  # fmt: skip


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize("name", list(HIDDEN))
def test_a_hidden_recipe_is_found_again_in_its_renders(name: str, tmp_path: Path) -> None:
    calibration = fitted(name, tmp_path)
    near, inside = {}, {}
    for k, parameter in enumerate(calibration.parameters):
        if calibration.determined[k] < DETERMINED:
            before, after = (float(parameter.value(s.centres[k])) for s in (calibration.before, calibration.after))
            assert abs(after - before) <= 1.001 * WITHIN * before
            continue
        hidden = HIDDEN[name].get(parameter.path, parameter.quantity)
        truth = Parameter(parameter.path, hidden, parameter.low, parameter.high).shape()[0]
        value = float(parameter.value(calibration.after.centres[k]))
        near[parameter.path] = value / float(parameter.value(truth))
        low, high = calibration.centre_interval[k]
        inside[parameter.path] = (low, truth, high)
    assert calibration.accepted
    assert len(near) >= 3
    assert all(abs(quotient - 1) < NEAR for quotient in near.values()), near
    assert np.mean([low <= truth <= high for low, truth, high in inside.values()]) >= 0.75, inside
    assert calibration.distance_after.statistics < 1.5 * calibration.floor.statistics
