"""What all methods that paste keep: exact masks, untouched surroundings, records of parents, the same bytes again."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.pasting.pastes import Paste, shows
from diffusion_refine.synthesis.pasting.sheet import sheet_path
from diffusion_refine.synthesis.registry import factory_of
from diffusion_refine.synthesis.request import Request
from procgen.errors import BlemishError
from scenes import Dataset, DatasetWriter, draw, load_recipe
from scenes.formats.registry import read_samples
from scenes.jobs.progress import Progress
from scenes.pictures.reading import read_photograph
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface

METHODS = {"cutpaste": {"kind": "union"}, "draem": {}, "copy-paste": {}}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mvtec_set(tmp_path_factory.mktemp("set") / "tiles")


def made_by(
    method: str, inputs: list[Path], out: Path, defects: Path | None = None, seed: int = 0,
    progress: Progress = lambda *_: None, **options: object,
) -> Dataset:  # fmt: skip
    from enum import StrEnum

    asked = {**METHODS[method], **options, **({"defects": defects} if method == "copy-paste" else {})}
    if "kind" in asked:
        asked["kind"] = StrEnum("Kind", {str(asked["kind"]): str(asked["kind"])})(asked["kind"])
    return carry_out(factory_of(method)(Request(tuple(inputs), seed), **asked), out, progress)


@pytest.mark.parametrize(("dtype", "unit"), [(np.uint8, 1), (np.uint16, 257)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_piece_shows_where_a_tenth_of_its_mask_changes_by_eight_grey_levels(
    dtype: type, unit: int, channels: tuple[int, ...]
) -> None:
    image = np.full((20, 30, *channels), 100 * unit, dtype)
    mask = np.ones((10, 10), dtype=bool)

    def piece(levels: int, pixels: int) -> Paste:
        changed = image[5:15, 5:15].copy()
        changed[mask.cumsum().reshape(mask.shape) <= pixels] -= dtype(levels * unit)
        return Paste(5, 5, mask, changed, "crack")

    assert shows(piece(8, 100), image)
    assert not shows(piece(7, 100), image)
    assert shows(piece(60, 11), image)
    assert not shows(piece(60, 9), image)
    assert not shows(replace(piece(60, 100), labelled=np.zeros_like(mask)), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(40, 70), (70, 90, 3), (101, 33)])
@pytest.mark.parametrize("method", METHODS)
def test_pixels_change_inside_the_masks_alone(
    tmp_path: Path, defects: Path, method: str, shape: tuple[int, ...], dtype: type
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    dataset = made_by(method, [picture], tmp_path / "out", defects, count=2)
    before = read_photograph(picture).pixels
    for frame in dataset:
        assert frame.image.dtype == dtype
        assert frame.image.shape == shape
        there = frame.defects > 0
        assert there.any()
        assert np.array_equal(frame.image[~there], before[~there])
        changed = frame.image != before
        assert (changed.any(axis=2) if changed.ndim == 3 else changed)[there].mean() > 0.5
        assert np.array_equal(frame.classes > 0, there)
        assert not frame.impurities.any()
        assert {i.id for i in frame.instances} == set(np.unique(frame.defects[there]).tolist())
    assert not np.array_equal(dataset[0].defects, dataset[1].defects)


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_ends_in_the_same_bytes_and_more_frames_extend_it(
    tmp_path: Path, defects: Path, method: str
) -> None:
    pictures = [saved(tmp_path / f"{number}.png", surface(number, (40, 50))) for number in range(2)]
    whole = made_by(method, pictures, tmp_path / "whole", defects, count=2)
    with pytest.raises(ZeroDivisionError):
        made_by(method, pictures, tmp_path / "cut", defects, count=1, progress=lambda _, done, total: 1 // (1 - done))
    assert len(Dataset(tmp_path / "cut")) == 1
    made_by(method, pictures, tmp_path / "cut", defects, count=1)
    made_by(method, pictures, tmp_path / "cut", defects, count=2)
    assert contents(whole.path) == contents(tmp_path / "cut")
    other = made_by(method, pictures, tmp_path / "other", defects, count=2, seed=1)
    assert not np.array_equal(other[0].image, whole[0].image)


@pytest.mark.parametrize("method", METHODS)
def test_records_name_every_picture_that_a_frame_was_made_of(tmp_path: Path, defects: Path, method: str) -> None:
    dataset = made_by(method, [defects], tmp_path / "out", defects)
    known = {hashlib.sha256(s.image_path.read_bytes()).hexdigest(): s for s in read_samples(defects)}
    for frame in dataset:
        record = frame.refinement
        assert record is not None
        own, *donors = record["parents"]
        assert known[own["sha256"]].split == "train"  # by itself, no picture to test on is worked on
        assert own["surface"] == known[own["sha256"]].group
        assert own["sample"] == known[own["sha256"]].name
        assert [donor["gave"] for donor in donors] == (["defect"] if method == "copy-paste" else [])
        for donor in donors:
            assert known[donor["sha256"]].label == frame.instances[0].class_name
            assert donor["surface"] == known[donor["sha256"]].group
        assert record["generator"] == method
    assert not any(str(tmp_path) in path.read_text() for path in (tmp_path / "out").rglob("*.json"))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_labelled_already_stays(tmp_path: Path, defects: Path, method: str) -> None:
    only = tmp_path / "only.txt"
    only.write_text("test/pit/000\ntest/spot/000\n")
    dataset = made_by(method, [defects], tmp_path / "out", defects, only=only)
    samples = {s.name: s for s in read_samples(defects)}
    for frame, name in zip(dataset, ("test/pit/000", "test/spot/000"), strict=True):
        old = samples[name].truth().defect
        before = read_photograph(samples[name].image_path).pixels
        assert np.array_equal(frame.image[old], before[old])
        assert (frame.defects[old] == 1).all()
        assert frame.instances[0].class_name == name.split("/")[1]
        assert len(frame.instances) > 1
        assert (frame.defects > 1).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_dataset_keeps_its_scenes_impurities_and_classes(
    tmp_path: Path, defects: Path, method: str, run: Run
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (60, 80)))
    drawn = tmp_path / "drawn"
    assert run("synthesize", picture, "--recipe", "plate", "--count", 2, "--out", drawn, "--seed", 2).code == 0
    source = Dataset(drawn)
    only = tmp_path / "all.txt"
    only.write_text("000000\n000001\n")
    dataset = made_by(method, [drawn], tmp_path / "out", defects, only=only)
    assert {k: v for k, v in dataset.classes.items() if k in source.classes} == source.classes
    for before, after in zip(source, dataset, strict=True):
        assert after.scene == before.scene
        assert np.array_equal(after.impurities, before.impurities)
        new = (after.defects > 0) & (before.defects == 0)
        assert not (new & (before.impurities > 0)).any()
        assert np.array_equal(after.classes[~new], before.classes[~new])
        assert np.array_equal(after.image[~new], before.image[~new])


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_pasted_where_a_picture_is_transparent(tmp_path: Path, defects: Path, method: str) -> None:
    alpha = np.zeros((60, 80), np.uint8)
    alpha[:, 40:] = 255
    pixels = np.rint(surface(3, (60, 80, 3)) * 255).astype(np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "cut_out.png")
    dataset = made_by(method, [tmp_path / "cut_out.png"], tmp_path / "out", defects, count=4)
    for frame in dataset:
        assert frame.defects.any()
        assert not frame.defects[:, :40].any()
        assert not frame.image[:, :40].any()


@pytest.mark.parametrize("method", ["cutpaste", "copy-paste"])
def test_a_picture_without_room_stays_as_it_is_and_is_counted(
    tmp_path: Path, defects: Path, method: str, run: Run
) -> None:
    alpha = np.zeros((60, 80), np.uint8)
    alpha[0, 0] = 255
    picture = tmp_path / "nearly_nothing.png"
    Image.fromarray(np.dstack([np.full((60, 80, 3), 99, np.uint8), alpha])).save(picture)
    named = ("--defects", defects) if method == "copy-paste" else ()
    told = run("synthesize", picture, "--method", method, *named, "--out", tmp_path / "out")
    assert "0 pasted on, 1 left as they were for want of room" in told.out
    (frame,) = Dataset(tmp_path / "out")
    assert not frame.defects.any()
    assert np.array_equal(frame.image, read_photograph(picture, cut_out=True).pixels)


def test_commands_and_their_refusals(tmp_path: Path, defects: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (60, 80)))
    told = run("synthesize", picture, "--method", "cutpaste", "--class", "foreign", "--out", tmp_path / "cut")
    assert told.code == 0, told
    assert "defects    1 foreign" in told.out
    with Image.open(sheet_path(tmp_path / "cut")) as sheet:
        assert min(sheet.size) > 200
    assert str(sheet_path(tmp_path / "cut")) in told.out
    assert json.loads((tmp_path / "cut" / "dataset.json").read_text())["classes"] == {
        "foreign": {"bit": 0, "family": "defect"}
    }
    told = run("synthesize", defects, "--method", "copy-paste", "--pieces", 2, "--out", tmp_path / "copied")
    assert told.code == 0, told
    assert "3 pasted on" in told.out
    only = tmp_path / "only.txt"
    only.write_text("train/good/777\n")
    common = ("--out", tmp_path / "no")
    for asked, said in {
        (picture, "--method", "copy-paste"): "--defects",
        (defects, "--method", "cutpaste", "--only", only): "train/good/777",
        (picture, "--method", "cutpaste", "--only", only): "leave it out",
        (picture, "--method", "cutpaste", "--area", 0.5, 0.1): "--area",
        (picture, "--method", "draem", "--opacity", 0, 1): "--opacity",
        (picture, "--method", "draem", "--label-check"): "--label-check",
        (picture, "--method", "copy-paste", "--defects", tmp_path / "none"): "none",
    }.items():
        assert said in run("synthesize", *asked, *common).refusal()
    assert not (tmp_path / "no").exists()


def test_a_list_beside_files_and_an_empty_one_are_refused(tmp_path: Path, defects: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    with pytest.raises(BlemishError, match="is empty"):
        made_by("cutpaste", [defects], tmp_path / "out", only=empty)
    good = tmp_path / "good.txt"
    good.write_text("train/good/000\n")
    with pytest.raises(BlemishError, match="no picture with a labelled defect"):
        made_by("copy-paste", [defects], tmp_path / "out", None, only=good)


def test_a_frame_with_a_copied_defect_shows_the_surface_of_its_own_frame(tmp_path: Path, defects: Path) -> None:
    recipe = load_recipe("plate").only()
    writer = DatasetWriter(tmp_path / "rendered", recipe, 0, 3)
    for index in range(3):
        scene = draw(recipe, 0, index)
        shape = (scene.camera.height, scene.camera.width)
        picture = np.rint(surface(index, shape) * 255).astype(np.uint8)
        writer.write(index, picture, *np.zeros((3, *shape), np.uint16), scene, ())
    writer.finish()
    made_by("copy-paste", [tmp_path / "rendered"], tmp_path / "out", defects)
    groups = [[sample.group for sample in read_samples(folder)] for folder in (tmp_path / "rendered", tmp_path / "out")]
    assert groups[0] == groups[1]
    assert len(set(groups[0])) == 3
