"""Passes of a dataset come back as they were written, and what is changed in them is noticed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes import Dataset, DatasetError, DatasetWriter, Recipe, draw
from scenes.datasets.passes import PASSES, PassArray, PassFormat, PassName, PassPictures, formats_of
from scenes.datasets.verify import _rendering, damages, discard_damaged

HEIGHT, WIDTH = 48, 64
NAMES = ("part", "tray")


def arrays(index: int) -> dict[PassName, PassArray]:
    """What a camera would see of a wall that leads away to the right, and of nothing in the topmost rows."""
    rng = np.random.default_rng(index)
    normal = rng.normal(size=(HEIGHT, WIDTH, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    depth = 0.25 + index + np.arange(WIDTH) / 1000 + np.zeros((HEIGHT, 1))
    depth[:8], normal[:8] = np.inf, 0
    objects = np.full((HEIGHT, WIDTH), 2, np.uint16)
    objects[:8], objects[20:30] = 0, 1
    albedo = rng.random((HEIGHT, WIDTH, 3), np.float32)
    return {
        "depth": depth.astype(np.float32),
        "normal": normal.astype(np.float32),
        "albedo": albedo,
        "objects": objects,
    }


def written(folder: Path, recipe: Recipe, format: PassFormat, frames: int = 2) -> Dataset:
    formats = formats_of(PASSES, format)
    writer = DatasetWriter(folder, recipe, 5, frames, passes=formats, samples=8)
    blank = np.zeros((HEIGHT, WIDTH), np.uint16)
    for index in writer.missing():
        image = np.full((HEIGHT, WIDTH, 3), 9, np.uint8)
        passes = PassPictures(arrays(index), formats, NAMES)
        writer.write(index, image, blank, blank, blank, draw(recipe, 5, index), (), passes=passes)
    writer.finish()
    return Dataset(folder)


def test_openexr_gives_back_the_very_numbers(small_plate: Recipe, tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", small_plate, "exr")
    assert dataset.passes == PASSES
    assert dataset.header.passes["objects"] == "png"
    for frame in dataset:
        assert all(np.array_equal(getattr(frame, name), values) for name, values in arrays(frame.index).items())
        assert frame.object_names == {1: "part", 2: "tray"}
    assert not list(damages(dataset.path))


def test_pngs_mean_what_the_page_says(small_plate: Recipe, tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", small_plate, "png")
    for frame in dataset:
        expected = arrays(frame.index)
        record = json.loads((dataset.path / f"scenes/{frame.index:06d}.json").read_bytes())["passes"]
        nearest, farthest = record["depth"]
        codes = np.asarray(Image.open(dataset.path / f"depth/{frame.index:06d}.png")).astype(int)
        assert (codes[8:].min(), codes[8:].max(), codes[:8].max()) == (1, 65535, 0)
        metres = nearest + (codes - 1) / 65534 * (farthest - nearest)
        assert abs(metres[8:] - expected["depth"][8:]).max() <= 0.51 * (farthest - nearest) / 65534
        assert np.isinf(frame.depth[:8]).all()
        assert abs(frame.depth[8:] - metres[8:]).max() < 1e-6
        assert abs(frame.normal - expected["normal"]).max() <= 0.51 / 32767
        assert not frame.normal[:8].any()
        assert abs(frame.albedo - expected["albedo"]).max() <= 0.51 / 65535
        assert np.array_equal(frame.objects, expected["objects"])


@pytest.mark.parametrize("format", ["png", "exr"])
@pytest.mark.parametrize("name", PASSES)
def test_a_changed_pass_is_named_and_made_anew(
    name: PassName, format: PassFormat, small_plate: Recipe, tmp_path: Path
) -> None:
    whole = written(tmp_path / "whole", small_plate, format)
    path = tmp_path / "set" / whole.header.file_names(1)[name]
    rng = np.random.default_rng(0)
    for place in rng.random(5):
        shutil.copytree(whole.path, tmp_path / "set")
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 1 << int(8 * rng.random())
        path.write_bytes(content)
        assert [str(damage) for damage in damages(tmp_path / "set")] == [
            f"{path}: was changed or damaged since it was written, as its digest says"
        ]
        with pytest.raises(DatasetError, match=f"{path}: .*; mend it with: blemish verify --repair"):
            Dataset(tmp_path / "set")[1].read_pass(name)
        discard_damaged(tmp_path / "set")
        written(tmp_path / "set", small_plate, format)
        assert path.read_bytes() == (whole.path / path.relative_to(tmp_path / "set")).read_bytes()
        shutil.rmtree(tmp_path / "set")


def test_a_pass_of_another_size_is_refused_where_there_are_no_digests(small_plate: Recipe, tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", small_plate, "exr")
    other = PassPictures({"depth": np.ones((5, 7), np.float32)}, {"depth": "exr"}).files()["depth"]
    (dataset.path / "depth/000000.exr").write_bytes(other)
    with pytest.raises(DatasetError, match=r"depth/000000\.exr: holds 7 x 5 pixels of Z, not 64 x 48 of Z"):
        _ = dataset[0].depth


def test_a_dataset_without_passes_says_so_and_stays_as_it_was(small_plate: Recipe, tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "set", small_plate, 5, 1)
    blank = np.zeros((HEIGHT, WIDTH), np.uint16)
    writer.write(0, blank, blank, blank, blank, draw(small_plate, 5, 0), ())
    writer.finish()
    for name in ("dataset.json", "scenes/000000.json"):
        assert "passes" not in json.loads((tmp_path / "set" / name).read_bytes())
    with pytest.raises(
        DatasetError, match="asked for the pass normal, found none; render the dataset with --pass normal"
    ):
        _ = Dataset(tmp_path / "set")[0].normal
    with pytest.raises(DatasetError, match=r"passes is not given there and \{'depth': 'png'\} now"):
        DatasetWriter(tmp_path / "set", small_plate, 5, 1, passes={"depth": "png"})


def test_repairing_renders_the_same_passes(small_plate: Recipe, tmp_path: Path) -> None:
    command = _rendering(tmp_path, written(tmp_path / "set", small_plate, "exr").header)
    assert command is not None
    assert command[4:] == [
        "--frames=2", "--seed=5", "--samples=8", "--pass-format=exr",
        "--pass=depth", "--pass=normal", "--pass=albedo", "--pass=objects",
    ]  # fmt: skip
