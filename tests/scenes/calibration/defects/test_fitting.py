"""Defects fitted to pictures of a hidden recipe, in a world without Blender."""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes import Recipe, load_recipe
from scenes.calibration.defects.fitting import DefectFit, fit_defects
from scenes.calibration.defects.measuring import CROP
from scenes.calibration.parameters import CalibrationError
from scenes.calibration.record import defect_rows
from scenes.calibration.sheet import defect_rows_of, sheet
from scenes.formats.sample import Sample
from scenes.jobs.progress import untold
from scenes.quantities.distribution import Choice, Distribution, LogUniform, Poisson, Uniform
from scenes.recipes.paths import quantity_at, replaced
from scenes.recipes.recipe import recipe_from
from tests.scenes.calibration.defects.flawed import pictures

FRAMES, PHOTOGRAPHS = 20, 32
CRACK, HOLE = "defects.0", "defects.1"
HIDDEN = {
    f"{CRACK}.length_mm": LogUniform(8, 24),
    f"{CRACK}.width_um": LogUniform(560, 1000),
    f"{CRACK}.reflectance_change": Uniform(-0.06, -0.04),
    f"{CRACK}.count": Choice((0, 1, 1, 2, 2)),
    f"{HOLE}.diameter_um": LogUniform(1500, 2600),
    f"{HOLE}.aspect": Uniform(0.3, 0.5),
    f"{HOLE}.reflectance": Uniform(0.08, 0.1),
    f"{HOLE}.count": Poisson(1.2),
}


def recipe() -> Recipe:
    tile = load_recipe("magnetic_tile").only("crack", "blowhole")
    camera = tile.camera.model_copy(update={"resolution": (228, 264)})
    return tile.model_copy(update={"impurities": (), "camera": camera, "name": "cracked"})


DRAWN: dict[tuple[str, float], Sequence[Sample]] = {}  # by recipe and contrast


def frames(recipe: Recipe, folder: Path, count: int, sees: float = 1.0) -> Sequence[Sample]:
    key = recipe.model_dump_json(), sees
    if key not in DRAWN:
        DRAWN[key] = pictures(recipe, folder, count, seed=1, sees=sees)
    return DRAWN[key]


def centre(quantity: object) -> float:
    assert isinstance(quantity, Distribution)
    return float(np.sqrt(quantity.low * quantity.high)) if quantity.low * quantity.high > 0 else quantity.high / 2


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return pictures(replaced(recipe(), HIDDEN), tmp_path_factory.mktemp("real"), PHOTOGRAPHS, seed=7)


@pytest.fixture(scope="module")
def fitted(real: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> DefectFit:
    return fit_defects(recipe(), real, frames, tmp_path_factory.mktemp("frames"), FRAMES, 0, untold)


@pytest.mark.parametrize("path", [path for path in HIDDEN if not path.endswith("count")])
def test_sizes_and_contrasts_that_were_hidden_are_found(fitted: DefectFit, path: str) -> None:
    hidden, found, before = (
        centre(quantity_at(of, path)) for of in (replaced(recipe(), HIDDEN), fitted.recipe, recipe())
    )
    assert found / hidden == pytest.approx(1, abs=0.25)
    assert abs(np.log(found / hidden)) < abs(np.log(before / hidden))


def test_frequencies_that_were_hidden_are_found(fitted: DefectFit) -> None:
    holes, cracks = quantity_at(fitted.recipe, f"{HOLE}.count"), quantity_at(fitted.recipe, f"{CRACK}.count")
    assert isinstance(holes, Poisson)
    assert holes.rate == pytest.approx(1.2, rel=0.35)
    assert isinstance(cracks, Choice)
    assert np.mean(cracks.values) == pytest.approx(1.2, rel=0.35)


def test_rendered_flaws_become_as_the_real_ones(fitted: DefectFit) -> None:
    assert {of.name for of in fitted.classes} == {"crack", "blowhole"}
    for of in fitted.classes:
        assert of.before is not None
        assert of.after is not None
        for name in ("area", "contrast"):
            theirs, was, now = (float(np.nanmedian(getattr(side, name))) for side in (of.real, of.before, of.after))
            assert abs(now / theirs - 1) < 0.25 < abs(was / theirs - 1)


def test_the_fitted_recipe_is_one_and_nothing_else_moved(fitted: DefectFit) -> None:
    moved = {path for of in fitted.classes for path in of.moved}
    assert moved <= set(HIDDEN)
    assert replaced(fitted.recipe, {path: quantity_at(recipe(), path) for path in moved}) == recipe()
    written = fitted.recipe.model_copy(update={"calibrate": {}})
    assert recipe_from(written.model_dump(mode="json"), "fitted") == written


def test_the_same_masks_give_the_same_fit(real: list[Sample], fitted: DefectFit, tmp_path: Path) -> None:
    again = fit_defects(recipe(), real, frames, tmp_path, FRAMES, 0, untold)
    assert again.recipe == fitted.recipe
    assert again.stays == fitted.stays


def test_flaws_of_the_recipe_itself_leave_it_as_it_is(tmp_path: Path) -> None:
    own = pictures(recipe(), tmp_path / "own", 40, seed=5)
    found = fit_defects(recipe(), own, frames, tmp_path / "frames", FRAMES, 0, untold)
    for path in HIDDEN:
        before, after = quantity_at(recipe(), path), quantity_at(found.recipe, path)
        if path.endswith("count"):
            assert after == before
        else:
            assert centre(after) == pytest.approx(centre(before), rel=0.2)


def test_a_contrast_that_no_quantity_makes_stays_and_is_named(real: list[Sample], tmp_path: Path) -> None:
    found = fit_defects(recipe(), real, partial(frames, sees=0.0), tmp_path, FRAMES, 0, untold)
    assert {"crack, contrast", "blowhole, contrast"} <= set(found.stays)
    for path in (f"{CRACK}.reflectance_change", f"{HOLE}.reflectance"):
        assert quantity_at(found.recipe, path) == quantity_at(recipe(), path)
    assert quantity_at(found.recipe, f"{CRACK}.length_mm") != quantity_at(recipe(), f"{CRACK}.length_mm")


def test_a_few_flawed_masks_do_no_harm(real: list[Sample], fitted: DefectFit, tmp_path: Path) -> None:
    gross = {f"{HOLE}.diameter_um": LogUniform(6000, 8000), f"{HOLE}.count": Poisson(1), f"{CRACK}.count": Poisson(0)}
    others = pictures(replaced(recipe(), gross), tmp_path / "others", 4, seed=9)
    found = fit_defects(recipe(), [*real, *others], frames, tmp_path / "frames", FRAMES, 0, untold)
    path = f"{HOLE}.diameter_um"
    assert centre(quantity_at(found.recipe, path)) == pytest.approx(centre(quantity_at(fitted.recipe, path)), rel=0.2)


def test_what_masks_do_not_tell_is_named(real: list[Sample], tmp_path: Path) -> None:
    few = [sample for sample in real if "blowhole" not in sample.label]
    found = fit_defects(recipe(), few, frames, tmp_path, FRAMES, 0, untold)
    assert found.stays["blowhole"] == "no mask of the photographs shows one"
    assert [of.name for of in found.classes] == ["crack"]
    with pytest.raises(CalibrationError, match=r"blowhole.*on . surfaces; 8 on 3 or more are needed"):
        fit_defects(recipe(), [s for s in real if s.label == "blowhole"][:2], frames, tmp_path, FRAMES, 0, untold)


def test_classes_that_the_recipe_has_not_are_named(real: list[Sample], tmp_path: Path) -> None:
    holes = recipe().only("blowhole")
    found = fit_defects(holes, real, frames, tmp_path, FRAMES, 0, untold)
    assert found.stays["crack"] == "is no class of the recipe, which has blowhole"
    strangers = [sample for sample in real if sample.label == "crack"]
    with pytest.raises(CalibrationError, match="found no class of defects that its masks determine: crack is no class"):
        fit_defects(holes, strangers, frames, tmp_path, FRAMES, 0, untold)


def test_the_page_shows_what_moved_and_real_flaws_over_rendered_ones(fitted: DefectFit) -> None:
    rows = {row["class"]: row for row in defect_rows(recipe(), fitted)}
    assert rows["blowhole"]["area"]["real"][1] > 2 * rows["blowhole"]["area"]["before"][1]
    assert rows["blowhole"]["moved"][f"{HOLE}.diameter_um"]["before"] == {"log_uniform": [700, 1500]}
    with Image.open(io.BytesIO(sheet(defect_rows_of(fitted)))) as shown:
        assert shown.height > 6 * CROP  # three rows of each of two classes
        assert np.asarray(shown).std() > 5
