"""What is measured of flaws whose shape, contrast and number are known."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.calibration.defects.measuring import class_key, contrast_of, flaws_of, pieces, shape_of
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import DefectInstance, NothingThere
from scenes.jobs.progress import untold
from tests.scenes.calibration.defects.flawed import Masks

DOWN, RIGHT = np.mgrid[:120, :160].astype(np.float64)


def ellipse(row: float, column: float, longer: float, shorter: float, turn: float = 0.0) -> np.ndarray:
    along = (RIGHT - column) * np.cos(turn) + (DOWN - row) * np.sin(turn)
    across = (DOWN - row) * np.cos(turn) - (RIGHT - column) * np.sin(turn)
    return (along / longer) ** 2 + (across / shorter) ** 2 <= 1


@pytest.mark.parametrize("turn", [0.0, 0.6, 1.4])
def test_an_ellipse_has_the_area_and_the_axes_that_it_was_drawn_with(turn: float) -> None:
    area, elongation = shape_of(ellipse(60, 80, 40, 10, turn))
    assert area == pytest.approx(np.pi * 40 * 10, rel=0.02)
    assert elongation == pytest.approx(4, rel=0.03)


def test_a_straight_line_is_as_elongated_as_it_is_longer_than_broad() -> None:
    line = (np.abs(DOWN - 50) <= 1) & (np.abs(RIGHT - 70) <= 30)
    assert shape_of(line) == pytest.approx((3 * 61, 61 / 3), rel=0.02)


def test_contrast_is_to_what_is_bare_around() -> None:
    flaw, other = ellipse(60, 80, 12, 9), ellipse(60, 103, 9, 9)
    grey = np.full(flaw.shape, 0.6)
    grey[flaw], grey[other] = 0.15, 1.0
    assert contrast_of(grey, flaw, ~(flaw | other)) == pytest.approx(0.15 / 0.6 - 1)
    assert np.isnan(contrast_of(grey, flaw, np.zeros_like(flaw)))


def test_specks_are_no_flaws_and_what_touches_at_a_corner_is_one() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:6, 2:6] = mask[6:10, 6:10] = True
    mask[20:22, 20:25] = True
    found = pieces(mask)
    assert [int(piece.sum()) for piece in found] == [32]


def test_flaws_are_counted_over_all_pictures_and_named_as_recipes_name_them(tmp_path: Path) -> None:
    picture = np.full((120, 160, 3), 150, np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    first = DefectInstance("Mouse Bite", "defect", ellipse(30, 40, 9, 6))
    second = DefectInstance("mouse_bite", "defect", ellipse(90, 120, 9, 6))
    stain = DefectInstance("stain", "impurity", ellipse(60, 80, 9, 6))
    samples = [
        Sample("a", "one", "mouse bite", tmp_path / "a.png", Masks((first, second, stain))),
        Sample("b", "two", GOOD, tmp_path / "a.png", NothingThere()),
    ]
    found = flaws_of(samples, "measuring", untold)
    assert list(found) == ["mouse_bite"]
    assert found["mouse_bite"].counts.tolist() == [2, 0]
    assert {crop.shape for crop in found["mouse_bite"].crops} == {(96, 96, 3)}
    assert class_key(" Spurious-Copper") == "spurious_copper"
