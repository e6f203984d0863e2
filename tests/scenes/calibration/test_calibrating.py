"""The whole fit in a world without Blender, in which the truth is known."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from scenes import Recipe, load_recipe
from scenes.calibration.calibrating import DETERMINED, Plan
from scenes.calibration.parameters import CalibrationError, Parameter, free_parameters
from scenes.calibration.record import at_bounds
from scenes.calibration.run import Fit, fit_recipe
from scenes.jobs.progress import Progress, untold
from scenes.quantities.distribution import LogUniform, Uniform
from scenes.recipes.paths import quantity_at, replaced
from scenes.recipes.reading import as_yaml
from tests.scenes.calibration import synthetic
from tests.scenes.calibration.synthetic import World, photograph

SMALL = Plan(renders=70, looks=2, verified=12, draws=2)
HIDDEN = {
    "finish.streaks": Uniform(0.05, 0.1),
    "sensor.exposure": LogUniform(0.06, 0.1),
    "sensor.blur_px": Uniform(0.9, 1.2),
}


def written(recipe: Recipe, path: Path) -> str:
    fields = recipe.model_dump(mode="json") | {"calibrate": {k: list(v) for k, v in recipe.calibrate.items()}}
    path.write_text(as_yaml(fields), encoding="utf-8")
    return str(path)


def fit(
    recipe: str, photographs: Path, out: Path, world: World, plan: Plan = SMALL, progress: Progress = untold
) -> Fit:
    return fit_recipe(recipe, photographs, out, lambda wanted: world, None, plan, 4, progress)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(synthetic.recipe(), tmp_path_factory.mktemp("start") / "tile.yaml")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photograph(replaced(synthetic.recipe(), HIDDEN), tmp_path_factory.mktemp("real"), 18)


@pytest.fixture(scope="module")
def fitted(start: str, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Fit, Path, World]:
    out, world = tmp_path_factory.mktemp("fit") / "fitted.yaml", World()
    return fit(start, photographs, out, world), out, world


def test_a_hidden_recipe_is_recovered(fitted: tuple[Fit, Path, World]) -> None:
    calibration = fitted[0].calibration
    for k, parameter in enumerate(calibration.parameters):
        if parameter.path not in HIDDEN or not calibration.moved[k]:
            continue
        hidden = Parameter(parameter.path, HIDDEN[parameter.path], parameter.low, parameter.high).shape()[0]
        truth = float(parameter.value(hidden))
        assert float(parameter.value(calibration.after.centres[k])) == pytest.approx(truth, rel=0.25)
    freely = {p.path for k, p in enumerate(calibration.parameters) if calibration.determined[k] >= 0.5}
    assert freely >= {"sensor.exposure", "sensor.blur_px"}


def test_the_fit_comes_nearer_to_photographs_that_it_has_not_seen(fitted: tuple[Fit, Path, World]) -> None:
    calibration = fitted[0].calibration
    assert calibration.distance_after.statistics < 0.6 * calibration.distance_before.statistics
    assert calibration.distance_after.statistics < 2 * calibration.floor.statistics


def test_what_ends_at_its_bound_is_named(fitted: tuple[Fit, Path, World]) -> None:
    found = fitted[0].calibration
    assert "What ended at a bound" not in (fitted[1].parent / "fitted-fit" / "report.html").read_text()
    assert at_bounds(found) == {}
    free = [k for k, share in enumerate(found.determined) if share >= DETERMINED]
    held = [k for k in range(len(found.parameters)) if k not in free]
    for k, centre, bound in ((free[0], 1.0, "high"), (free[0], 0.0, "low"), (held[0], 1.0, "")):
        centres = found.after.centres.copy()
        centres[k] = centre
        told = at_bounds(replace(found, after=replace(found.after, centres=centres)))
        if not bound:
            assert told == {}
            continue
        parameter = found.parameters[k]
        assert list(told) == [parameter.path]
        assert f"its bound, {getattr(parameter, bound):g}:" in told[parameter.path]


def test_what_no_picture_shows_is_not_determined(fitted: tuple[Fit, Path, World]) -> None:
    calibration = fitted[0].calibration
    depth = [parameter.path for parameter in calibration.parameters].index("finish.pit_depth_um")
    assert calibration.determined[depth] < 0.2


def test_the_result_is_an_ordinary_recipe_that_differs_where_it_was_fitted(
    fitted: tuple[Fit, Path, World], start: str
) -> None:
    found, out, _ = fitted
    before, after = load_recipe(start), load_recipe(out)
    moved = {p.path for p, has in zip(found.calibration.parameters, found.calibration.moved, strict=True) if has}
    assert all(quantity_at(before, path) != quantity_at(after, path) for path in moved)
    assert replaced(after, {path: quantity_at(before, path) for path in moved}) == before
    assert all(type(quantity_at(before, path)) is type(quantity_at(after, path)) for path in moved)


def test_a_stopped_fit_goes_on_to_the_same_bytes(
    fitted: tuple[Fit, Path, World], start: str, photographs: Path, tmp_path: Path
) -> None:
    _, straight, world = fitted
    out = tmp_path / "fitted.yaml"
    for stops_after in (5, 65, 10):
        with pytest.raises(KeyboardInterrupt):
            fit(start, photographs, out, World(stops_after=stops_after))
    last = World()
    fit(start, photographs, out, last)
    assert last.asked == world.asked - 80
    assert contents(tmp_path) == contents(straight.parent)
    again = World()
    fit(start, photographs, out, again)
    assert again.asked == 0
    assert contents(tmp_path) == contents(straight.parent)


def test_a_damaged_measurement_is_made_anew(fitted: tuple[Fit, Path, World], start: str, photographs: Path) -> None:
    _, out, _ = fitted
    before = contents(out.parent)
    render = next((out.parent / "fitted-fit" / "renders").glob("design-00007*"))
    render.write_bytes(render.read_bytes()[:-40])
    world = World()
    fit(start, photographs, out, world)
    assert world.asked == 1
    assert contents(out.parent) == before


def test_a_fit_does_not_depend_on_how_many_threads_there_are(
    fitted: tuple[Fit, Path, World], start: str, photographs: Path, tmp_path: Path
) -> None:
    """Of several threads each adds up a part of a sum, and the last digit is another one."""
    out, again = fitted[1], shutil.copytree(fitted[1].parent, tmp_path / "again")
    (again / "fitted-fit" / "fit.json").unlink()
    threads = set()

    def progress(what: str, done: int, total: int) -> None:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    with threadpool_limits(3, user_api="blas"):
        fit(start, photographs, again / out.name, World(), progress=progress)
    assert threads == {1}
    assert contents(again) == contents(out.parent)


def test_a_fit_of_photographs_of_the_recipe_itself_is_refused(start: str, tmp_path: Path) -> None:
    real = photograph(synthetic.recipe(), tmp_path / "own", 18)
    with pytest.raises(CalibrationError, match=r"not written.*expected both to fall"):
        fit(start, real, tmp_path / "out.yaml", World())
    assert not (tmp_path / "out.yaml").exists()
    assert (tmp_path / "out-fit" / "report.html").is_file()


def test_a_few_flawed_photographs_do_no_harm(
    fitted: tuple[Fit, Path, World], start: str, photographs: Path, tmp_path: Path
) -> None:
    flawed = shutil.copytree(photographs, tmp_path / "flawed")
    blotchy = replaced(synthetic.recipe(), {"finish.mottle": 2.0, "sensor.exposure": LogUniform(0.008, 0.01)})
    photograph(blotchy, tmp_path / "others", 2, seed=5)
    for path in (tmp_path / "others").iterdir():
        shutil.copy(path, flawed / f"x{path.name}")
    calibration = fit(start, flawed, tmp_path / "fitted.yaml", World()).calibration
    clean = fitted[0].calibration
    names = [parameter.path for parameter in clean.parameters]
    for path in ("sensor.exposure", "sensor.blur_px"):
        k = names.index(path)
        assert calibration.after.centres[k] == pytest.approx(clean.after.centres[k], abs=0.08)


def test_other_settings_in_the_same_place_are_refused(
    fitted: tuple[Fit, Path, World], start: str, photographs: Path
) -> None:
    with pytest.raises(Exception, match="renders was 70 and is 71"):
        fit(start, photographs, fitted[1], World(), Plan(renders=71, looks=2, verified=12, draws=2))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_hidden_recipes_are_recovered_inside_their_intervals(start: str, tmp_path: Path) -> None:
    """Ten fits of hidden recipes: of what pictures give away, nine in ten within a quarter, and within the interval."""
    rng = np.random.default_rng(0)
    near, inside = [], []
    for trial in range(10):
        hidden = {}
        for parameter in free_parameters(load_recipe(start)):
            if parameter.path != "finish.pit_depth_um":
                hidden[parameter.path] = parameter.with_shape(rng.uniform(0.3, 0.7), 0.06)
        folder = tmp_path / str(trial)
        folder.mkdir()
        real = photograph(replaced(synthetic.recipe(), hidden), folder / "real", 24, seed=trial + 50)
        plan = Plan(renders=200, looks=4, verified=24, draws=16)
        calibration = fit(start, real, folder / "fitted.yaml", World(), plan).calibration
        for k, parameter in enumerate(calibration.parameters):
            if calibration.determined[k] < DETERMINED:
                continue
            truth = replace(parameter, quantity=hidden[parameter.path]).shape()[0]
            value = float(parameter.value(calibration.after.centres[k]))
            near.append(abs(value / float(parameter.value(truth)) - 1) < 0.25)
            low, high = calibration.centre_interval[k]
            inside.append(low <= truth <= high)
        assert calibration.distance_after.statistics < 1.5 * calibration.floor.statistics
    assert np.mean(near) >= 0.9
    assert np.mean(inside) >= 0.9
