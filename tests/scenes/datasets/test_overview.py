"""The page on a dataset: its figures against the maps themselves, its pictures against the frames."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procgen.surface.layer import Instance
from scenes import Dataset, DatasetError, DatasetWriter, Recipe, draw, load_recipe
from scenes.datasets.overview import COLOURS, PICTURES, WIDTH, counts, mask_picture, overview_path, page, write_overview

MakeDataset = Callable[..., Dataset]


@pytest.fixture
def make(tmp_path: Path) -> MakeDataset:
    """Write a dataset of random masks: a crack, and in every other frame a stain beneath it."""

    def make(frames: int, finish: bool = True) -> Dataset:
        recipe = Recipe.model_validate(
            {**load_recipe("plate").model_dump(mode="json"), "name": "a_b", "texel_um": 400}
            | {"camera": {**load_recipe("plate").camera.model_dump(mode="json"), "resolution": [600, 32]}}
        )
        writer = DatasetWriter(tmp_path / "set", recipe, 0, frames, samples=1)
        names = {family: name for name, family in recipe.class_families.items()}
        rng = np.random.default_rng(1)
        for index in range(frames):
            shape = (32, 600)
            defects = (rng.random(shape) < 0.2).astype(np.uint16)
            impurities = (rng.random(shape) < 0.3).astype(np.uint16) * np.uint16(index % 2 == 0)
            instances = [Instance(1, "defect", names["defect"]), Instance(1, "impurity", names["impurity"])]
            image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
            writer.write(index, image, defects, defects, impurities, draw(recipe, 0, index), instances)
        if finish:
            writer.finish()
        return Dataset(tmp_path / "set")

    return make


def test_figures_are_those_of_the_maps(make: MakeDataset) -> None:
    dataset = make(3)
    found = {count.family: count for count in counts(dataset) if count.things}
    for family, folder in (("defect", "defects"), ("impurity", "impurities")):
        maps = [getattr(frame, folder) > 0 for frame in dataset]
        assert found[family].things == found[family].frames == sum(map(np.any, maps))
        assert found[family].share == pytest.approx(np.mean(maps))
    assert [count.name for count in counts(dataset)] == list(dataset.classes)


def test_masks_have_their_family_s_colour(make: MakeDataset) -> None:
    frame = make(1)[0]
    picture = mask_picture(frame)
    assert (picture[frame.defects > 0, :3] == COLOURS["defect"]).all()
    assert (picture[(frame.impurities > 0) & (frame.defects == 0), :3] == COLOURS["impurity"]).all()
    assert ((picture[..., 3] > 0) == ((frame.defects > 0) | (frame.impurities > 0))).all()


def test_page_shows_first_to_last_frame_reduced(make: MakeDataset) -> None:
    dataset = make(PICTURES + 3)
    path = write_overview(dataset)
    assert path == overview_path(dataset.path)
    assert path.parent == dataset.path.parent  # the folder itself holds what was rendered only
    html = path.read_text()
    shown = [int(index) for index in re.findall(r"<span>(\d+)</span>", html)]
    assert len(shown) == PICTURES
    assert (shown[0], shown[-1]) == (0, PICTURES + 2)
    for link in re.findall(r'href="([^"]+)"', html):
        assert (path.parent / link).is_file()
    urls = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    assert len(urls) == 2 * PICTURES
    assert {Image.open(io.BytesIO(base64.b64decode(url))).width for url in urls} == {WIDTH}


def test_page_is_the_same_again(make: MakeDataset) -> None:
    dataset = make(2)
    assert page(dataset) == page(dataset)


def test_unfinished_and_damaged_datasets_are_told(make: MakeDataset) -> None:
    dataset = make(2, finish=False)
    with pytest.raises(DatasetError, match="render its missing frames first"):
        write_overview(dataset)
    (dataset.path / "annotations.json").write_text("{")
    with pytest.raises(DatasetError, match="damaged"):
        write_overview(dataset)
