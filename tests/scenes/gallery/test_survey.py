"""Looking at a dataset: once at every frame, to the same bytes, however often it was stopped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procgen.errors import Stopped
from scenes import DatasetError
from scenes.gallery import packs
from scenes.gallery import survey as module
from scenes.gallery.survey import survey
from scenes.gallery.writing import PAGE, write_page


def quiet(what: str, done: int, total: int) -> None:
    pass


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "FRAMES", 2)


def test_columns_are_what_the_masks_say(make, tmp_path: Path) -> None:
    dataset = make(5)
    found = survey(dataset, tmp_path / "page", quiet)
    assert found.frame.tolist() == [0, 0, 2, 3, 4]
    assert found.class_number.tolist() == [0, 1, 0, 1, 0]
    assert found.area.tolist() == [4 * 30, 1600, 4 * 32, 1600, 4 * 34]
    assert (found.near_duplicates == -1).all()
    drawn = found.parameters
    assert len(drawn["light.power_w"]) == 5
    assert all(len(np.unique(column[~np.isnan(column)])) > 1 for column in drawn.values())


def test_a_stopped_run_goes_on_to_the_same_bytes(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make(5)
    whole, resumed = tmp_path / "one" / "page", tmp_path / "other" / "page"
    write_page(whole, survey(dataset, whole, quiet), command="again")

    def stopping(what: str, done: int, total: int) -> None:
        if done == 4:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        survey(dataset, resumed, stopping)
    assert not (resumed / PAGE).exists()
    looked = []
    original = module.look
    monkeypatch.setattr(module, "look", lambda frame, recipe: looked.append(frame.index) or original(frame, recipe))
    write_page(resumed, survey(dataset, resumed, quiet), command="again")
    assert looked == [4]
    assert files(whole) == files(resumed)


def test_of_a_dataset_that_grew_only_new_packs_are_looked_at_and_old_ones_go(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page"
    write_page(page, survey(make(5), page, quiet), command="")
    looked: list[int] = []
    original = module.look
    monkeypatch.setattr(module, "look", lambda frame, recipe: looked.append(frame.index) or original(frame, recipe))
    write_page(page, survey(make(8), page, quiet), command="")
    assert looked == [4, 5, 6, 7]
    assert len(list((page / "frames" / "thumbnails").iterdir())) == 4
    fresh = tmp_path / "fresh" / "page"
    write_page(fresh, survey(make(8), fresh, quiet), command="")
    assert {name: found for name, found in files(page).items() if name != PAGE} == {
        name: found for name, found in files(fresh).items() if name != PAGE
    }


@pytest.mark.parametrize("damage", ["torn", "gone", "changed"])
def test_a_damaged_pack_is_made_again(make, tmp_path: Path, damage: str) -> None:
    dataset, page = make(4), tmp_path / "page"
    survey(dataset, page, quiet)
    before = files(page)
    for kind in ("thumbnails", "measured"):
        victim = sorted((page / "frames" / kind).iterdir())[0]
        if damage == "gone":
            victim.unlink()
        else:
            content = victim.read_bytes()
            victim.write_bytes(content[:-40] if damage == "torn" else content.replace(b"1", b"2", 1))
    survey(dataset, page, quiet)
    assert files(page) == before


def test_damaged_frames_are_named(make, tmp_path: Path) -> None:
    dataset = make(2)
    path = dataset.path / "defects" / "000001.png"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"defects/000001\.png.*blemish verify --repair"):
        survey(dataset, tmp_path / "page", quiet)


def test_frames_of_one_surface_are_near_duplicates(make, tmp_path: Path) -> None:
    from scenes import Dataset, DatasetWriter, draw
    from tests.scenes.gallery.conftest import frame_arrays, recipe_of

    recipe = recipe_of()
    writer = DatasetWriter(tmp_path / "twins", recipe, 1, 6)
    for index in range(6):
        arrays: dict[str, Any] = frame_arrays(1 if index in (1, 4) else index)
        writer.write(index, **arrays, scene=draw(recipe, 1, index))
    found = survey(Dataset(tmp_path / "twins"), tmp_path / "page", quiet)
    assert found.near_duplicates.tolist() == [-1, 0, -1, -1, 0, -1]


def test_two_workers_make_the_same_bytes(make, tmp_path: Path) -> None:
    from scenes.jobs.local import Local

    dataset = make(5)
    survey(dataset, tmp_path / "one" / "page", quiet)
    survey(dataset, tmp_path / "two" / "page", quiet, Local(2))
    assert files(tmp_path / "one") == files(tmp_path / "two")
