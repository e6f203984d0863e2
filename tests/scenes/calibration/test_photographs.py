"""Folders of photographs that a recipe cannot be fitted to, and how those that it can are parted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procgen.errors import BlemishError, BlemishNote
from scenes.calibration.photographs import photographs
from scenes.gallery.finish_statistics import LONGEST
from scenes.jobs.progress import untold
from tests.scenes.calibration import synthetic

RNG = np.random.default_rng(0)


def put(folder: Path, count: int, shape: tuple[int, ...] = (96, 96)) -> Path:
    for number in range(count):
        Image.fromarray(RNG.integers(60, 190, shape, np.uint8)).save(folder / f"{number}.png")
    return folder


def read(folder: Path) -> object:
    return photographs(folder, synthetic.recipe(), None, 0, untold)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "none", "is no folder"),
        (lambda folder: folder, "found 0 photographs"),
        (lambda folder: put(folder, 1), "found 1 photographs"),
        (lambda folder: put(folder, 6, (400, 500)), "set camera.resolution"),
        (lambda folder: put(folder, 6, (40, 90)), "expected 64 or more a side"),
    ],
)
def test_useless_folders_are_refused(make: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(BlemishError, match=said):
        read(make(tmp_path))  # type: ignore[operator]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path, 6)
    (tmp_path / "3.png").write_bytes(b"no picture at all")
    with pytest.raises(BlemishError, match=r"3\.png"):
        read(tmp_path)


def test_a_blank_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path, 6)
    Image.fromarray(np.full((96, 96), 90, np.uint8)).save(tmp_path / "4.png")
    with pytest.raises(BlemishError, match=r"4\.png: is the same everywhere"):
        read(tmp_path)


def test_values_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    import tifffile

    put(tmp_path, 6)
    values = RNG.uniform(0, 1, (96, 96)).astype(np.float32)
    values[5, 5] = np.nan
    tifffile.imwrite(tmp_path / "x.tif", values)
    with pytest.raises(BlemishError, match=r"x\.tif"):
        read(tmp_path)


def test_different_sizes_are_measured_each_at_its_own_scale(tmp_path: Path) -> None:
    put(tmp_path, 6)
    Image.fromarray(RNG.integers(0, 255, (120, 110), np.uint8)).save(tmp_path / "odd.png")
    found = photographs(tmp_path, synthetic.recipe(), None, 0, untold)
    assert np.isfinite(found.statistics).all()
    assert {picture.shape for picture in found.pictures} == {(96, 96, 3), (120, 110, 3)}


def test_of_large_pictures_the_middle_is_measured(tmp_path: Path) -> None:
    put(tmp_path, 5, (500, 700))
    recipe = synthetic.recipe()
    wide = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (700, 500)})})
    found = photographs(tmp_path, wide, None, 0, untold)
    assert {picture.shape for picture in found.pictures} == {(LONGEST, LONGEST, 3)}


def test_pictures_of_one_surface_are_not_parted(tmp_path: Path) -> None:
    put(tmp_path, 12)
    rows = "\n".join(f"surface{number // 2},good,{number}.png," for number in range(12))
    (tmp_path / "manifest.csv").write_text(f"group,label,image,mask\n{rows}\n")
    found = photographs(tmp_path, synthetic.recipe(), lambda picture: picture.mean(axis=(0, 1)), 0, untold)
    kept = set(found.groups[found.reserved])
    assert kept
    assert kept.isdisjoint(found.groups[~found.reserved])
    assert found.features.shape == (12, 3)


def test_colours_that_a_recipe_cannot_show_are_told_of(tmp_path: Path) -> None:
    put(tmp_path, 6, (96, 96, 3))
    with pytest.warns(BlemishNote, match="brightness alone"):
        read(tmp_path)
