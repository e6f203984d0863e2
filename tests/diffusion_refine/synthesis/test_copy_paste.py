"""The method `copy-paste`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusion_refine.synthesis.copy_paste.blending import membrane
from diffusion_refine.synthesis.copy_paste.library import DefectLibrary, Piece, turned
from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.registry import factory_of
from diffusion_refine.synthesis.request import Request
from scenes import Dataset
from scenes.formats.registry import read_samples
from scenes.pictures.reading import read_photograph
from tests.diffusion_refine.synthesis.labelled_sets import disc, flawed, mvtec_set, saved, surface


@pytest.fixture
def defects(tmp_path: Path) -> Path:
    return mvtec_set(tmp_path / "tiles")


def made(inputs: list[Path], out: Path, seed: int = 0, **options: object) -> Dataset:
    return carry_out(factory_of("copy-paste")(Request(tuple(inputs), seed), **options), out)


def test_a_membrane_is_the_harmonic_function_of_its_rim() -> None:
    rows, columns = np.meshgrid(np.arange(20.0), np.arange(24.0), indexing="ij")
    harmonic = rows**2 - columns**2 + 3 * rows * columns - rows  # on the grid too: its second differences cancel
    region = disc((20, 24), 10, 12, 6.5)
    found = membrane(region, ~region, harmonic[..., None])[..., 0]
    assert found[region] == pytest.approx(harmonic[region])
    assert not found[~region].any()


def test_blending_agrees_with_opencvs_seamless_clone() -> None:
    cv2 = pytest.importorskip("cv2")
    target = (255 * surface(1, (60, 60, 3), 0.65)).astype(np.uint8)
    region = disc((60, 60), 30, 30, 14)
    source = (255 * flawed(surface(2, (60, 60, 3), 0.45), disc((60, 60), 30, 30, 8))).astype(np.uint8)
    theirs = cv2.seamlessClone(source, target, region.astype(np.uint8) * 255, (30, 30), cv2.NORMAL_CLONE)
    difference = target.astype(float) - source
    ours = source + membrane(region, ~region, difference)
    assert np.abs(np.clip(ours, 0, 255) - theirs)[region].mean() < 6
    # Of the step of 51 levels between the tones of the pictures, which a plain paste leaves, next to nothing is left.
    assert abs((ours - theirs)[region].mean()) < 3
    assert abs(difference[region].mean()) > 40


def test_what_no_rim_holds_stays_as_it_is() -> None:
    region = np.zeros((9, 20), bool)
    region[2:7, 2:7] = region[2:7, 12:17] = True
    rim = ~region
    rim[:, 10:] = False
    found = membrane(region, rim, np.full((9, 20, 1), 2.0))[..., 0]
    assert found[2:7, 2:7] == pytest.approx(2.0)
    assert not found[2:7, 12:17].any()


def test_defects_keep_their_shape_class_and_contrast_and_take_the_tone(tmp_path: Path, defects: Path) -> None:
    picture = saved(tmp_path / "good.png", surface(5, (90, 110), 0.7))
    dataset = made([picture], tmp_path / "out", defects=defects, count=6, turns=False)
    samples = read_samples(defects)
    for frame in dataset:
        (piece,) = frame.refinement["pasted"]
        donor = next(s for s in samples if s.group == frame.refinement["parents"][1]["surface"])
        assert frame.instances[0].class_name == donor.label
        truth = donor.truth().defect
        (top, left), (row, column) = piece["to"], piece["from"]
        there, moved = frame.defects > 0, np.zeros((90, 110), bool)
        rows, columns = np.nonzero(truth)
        moved[rows + top - row, columns + left - column] = True
        assert np.array_equal(there, moved)
        drop = np.median(frame.image[~there]) - np.median(frame.image[there])
        assert drop == pytest.approx(0.3 * 255, abs=20)  # as in the set, though its surfaces are darker


def test_a_plain_paste_brings_the_pixels_as_they_are(tmp_path: Path, defects: Path) -> None:
    picture = saved(tmp_path / "good.png", surface(5, (90, 110), 0.7))
    frame = made([picture], tmp_path / "out", defects=defects, blend=False)[0]
    parent = frame.refinement["parents"][1]
    donor = next(s for s in read_samples(defects) if s.group == parent["surface"])
    pixels, truth = read_photograph(donor.image_path).pixels, donor.truth().defect
    assert sorted(frame.image[frame.defects > 0].tolist()) == sorted(pixels[truth].tolist())


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_piece_keeps_its_pixels_and_the_rims_it_reaches(quarters: int, mirrored: bool) -> None:
    mask = np.zeros((7, 5), bool)
    mask[0:3, 1:3] = True  # at the top alone
    pixels = np.arange(35, dtype=np.uint8).reshape(7, 5)
    found = turned(Piece(pixels, mask, ~mask, (True, False, False, False)), quarters, mirrored)
    assert sorted(found.pixels[found.mask].tolist()) == sorted(pixels[mask].tolist())
    reaches = (found.mask[0].any(), found.mask[-1].any(), found.mask[:, 0].any(), found.mask[:, -1].any())
    assert reaches == found.at_rim


def test_a_defect_that_its_picture_cuts_off_lies_at_the_border_again(tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    blob = disc((50, 60), 0, 30, 8)
    saved(folder / "train" / "good" / "0.png", surface(0, (50, 60)))
    saved(folder / "test" / "pit" / "0.png", flawed(surface(1, (50, 60)), blob))
    (folder / "ground_truth" / "pit").mkdir(parents=True)
    Image.fromarray(blob).save(folder / "ground_truth" / "pit" / "0_mask.png")
    for frame in made([folder], tmp_path / "out", count=6):
        there = frame.defects > 0
        border = np.concatenate([there[0], there[-1], there[:, 0], there[:, -1]])
        assert border.sum() >= 15  # the whole chord


def test_classes_come_up_equally_often(defects: Path) -> None:
    library = DefectLibrary(defects, [s for s in read_samples(defects) if s.label != "good"])
    random = np.random.default_rng(0)
    drawn = [library.drawn(random).class_name for _ in range(400)]
    assert len(library) == 3
    assert drawn.count("spot") == pytest.approx(200, abs=40)


def test_only_the_named_pictures_give_defects(tmp_path: Path, defects: Path) -> None:
    only = tmp_path / "only.txt"
    only.write_text("test/pit/001\n")
    dataset = made([defects], tmp_path / "out", count=3, defects_only=only)
    assert {frame.refinement["parents"][1]["sample"] for frame in dataset} == {"test/pit/001"}
    assert dataset.header.settings["pasted"]["defects"]["defects"] == 1
