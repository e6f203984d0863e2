"""Datasets that cannot be trained on or judged: one clear line, exit code 2, and every file as it was."""

import csv
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import blemish
from scenes.pictures.png import encode
from tests.command.inputs import HALF, TINY, save, square
from tests.command.told import Refused, Run


def no_header(at: Path) -> None:
    (at / "data/dataset.json").unlink()


def header_of_other_things(at: Path) -> None:
    (at / "data/dataset.json").write_bytes(b"\x00\x01 not JSON")


def no_scene(at: Path) -> None:
    shutil.rmtree(at / "data/scenes")


def damaged_scene(at: Path) -> None:
    (at / "data/scenes/000002.json").write_text('{"schema": 1, "scene"')


def truncated_mask(at: Path) -> None:
    path = at / "data/defects/000002.png"
    path.write_bytes(path.read_bytes()[:-20])


def truncated_image(at: Path) -> None:
    path = at / "data/images/000002.png"
    path.write_bytes(path.read_bytes()[:500])


def no_image(at: Path) -> None:
    (at / "data/images/000002.png").unlink()


def empty_image(at: Path) -> None:
    (at / "data/images/000002.png").write_bytes(b"")


def mask_of_another_size(at: Path) -> None:
    (at / "data/defects/000002.png").write_bytes(encode(np.zeros((10, 20), np.uint16)))


def mask_of_another_depth(at: Path) -> None:
    (at / "data/defects/000002.png").write_bytes(encode(np.zeros((48, 64), np.uint8)))


def link_out_of_it(at: Path) -> None:
    for kind in ("images", "defects"):
        (at / f"data/{kind}/000002.png").rename(at / f"{kind}.png")
        (at / f"data/{kind}/000002.png").symlink_to(at / f"{kind}.png")


def empty_folder(at: Path) -> None:
    shutil.rmtree(at / "data")
    (at / "data").mkdir()


def no_dataset(at: Path) -> None:
    empty_folder(at)
    (at / "data/holiday.txt").write_text("sun")


def nothing(at: Path) -> None:
    shutil.rmtree(at / "data")


def a_file(at: Path) -> None:
    nothing(at)
    (at / "data").write_text("mine")


MEND = "mend it with: blemish verify --repair "


@pytest.mark.parametrize(
    ("spoil", "name", "told"),
    [
        (no_header, "data", "no dataset recognised; looked for dataset.json"),
        (header_of_other_things, "data/dataset.json", "truncated or damaged, not JSON; restore it or write"),
        (no_scene, "data", "holds no finished frame yet; run the command that began it again to go on"),
        (damaged_scene, "data/scenes/000002.json", "truncated or damaged, not JSON; restore it"),
        (truncated_mask, "data/defects/000002.png", MEND),
        (truncated_image, "data/images/000002.png", "restore it, or mend its dataset with: blemish verify --repair "),
        (no_image, "data/images/000002.png", "missing"),
        (empty_image, "data/images/000002.png", "is empty"),
        (mask_of_another_size, "data/defects/000002.png", "was changed or damaged since it was written"),
        (mask_of_another_depth, "data/defects/000002.png", "was changed or damaged since it was written"),
        (link_out_of_it, "data/defects/000002.png", "a link that leads out of the dataset; expected a file"),
        (empty_folder, "data", "is empty; give a folder that holds a dataset"),
        (no_dataset, "data", "no dataset recognised; looked for dataset.json"),
        (nothing, "data", "is no folder; give a dataset's folder"),
        (a_file, "data", "is no folder; give a dataset's folder"),
    ],
)  # fmt: skip
def test_dataset_that_cannot_be_judged(
    refused: Refused, at: Path, spoil: Callable[[Path], None], name: str, told: str
) -> None:
    spoil(at)
    line = refused("evaluate", at / "bank", at / "data", *HALF, "--out", at / "new")
    assert line.startswith(f"{at / name}: ")
    assert told in line


@pytest.mark.parametrize("name", ["images/000002.png", "annotations.json"])
def test_of_flawed_frames_alone_the_damaged_one_is_named(refused: Refused, at: Path, name: str) -> None:
    path = at / "data" / name
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    study = ("study", "magnetic_tile", "--real", at / "data", "--out", at.parent / "study")
    for command in (("train", at / "data", *TINY, "--out", at / "new"), study):
        line = refused(*command)
        assert line.startswith(f"{path}: was changed or damaged since it was written")
        assert MEND in line


def test_picture_without_bytes(refused: Refused, at: Path) -> None:
    (at / "mvtec/train/good/1.png").write_bytes(b"")
    line = refused("train", at / "mvtec", *TINY, "--out", at / "new")
    assert line.startswith(f"{at / 'mvtec/train/good/1.png'}: is empty; replace or remove it")
    assert line.endswith("; replace or remove it")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
@pytest.mark.parametrize("command", ["train", "evaluate", "synthesize"])
def test_names_that_are_no_utf8(refused: Refused, at: Path, command: str) -> None:
    path = at / "mvtec/train/good" / os.fsdecode(b"Kratzer \xfc.png")
    (at / "mvtec/train/good/1.png").rename(path)
    arguments = {
        "train": (at / "mvtec", *TINY),
        "evaluate": (at / "bank", at / "mvtec", *HALF),
        "synthesize": (path, "--method", "cutpaste"),
    }
    line = refused(command, *arguments[command], "--out", at / "new")
    assert line == f"{path.parent}/Kratzer \\udcfc.png: has a name that is no UTF-8, as of another system; rename it"


def test_option_that_is_no_utf8(refused: Refused, at: Path) -> None:
    line = refused("train", at / "mvtec", *TINY, "--out", at / os.fsdecode(b"\xfc"))
    assert "is no UTF-8; expected names of files, folders and options that are" in line


def test_picture_cut_short(refused: Refused, at: Path) -> None:
    path = at / "mvtec/train/good/1.png"
    path.write_bytes(path.read_bytes()[:1000])
    line = refused("train", at / "mvtec", *TINY, "--out", at / "new")
    assert line.startswith(f"{path}: is truncated or damaged (")
    assert line.endswith("; replace or remove it")


def test_mask_of_another_size_or_missing(refused: Refused, at: Path) -> None:
    mask = at / "mvtec/ground_truth/square/1_mask.png"
    save(mask, square()[:20])
    line = refused("evaluate", at / "bank", at / "mvtec", *HALF, "--out", at / "new")
    assert line == f"{mask}: is 64 × 20 pixels but its image 1.png is 64 × 48; export the mask at image size"
    mask.unlink()
    line = refused("evaluate", at / "bank", at / "mvtec", "--out", at / "new")
    assert line == f"{mask}: the mask of test/square/1.png is missing; add it, or drop the image"


def test_nothing_good_to_train_on(refused: Refused, at: Path) -> None:
    line = refused("train", at / "data", "--out", at / "new")
    assert line == "none of the 4 pictures is good; training needs pictures without defects"


def test_nothing_left_to_judge(refused: Refused, run: Run, at: Path) -> None:
    shutil.rmtree(at / "mvtec/test")
    told = run("evaluate", at / "bank", at / "mvtec", "--out", at / "new")
    assert told.code == blemish.USER_ERROR
    assert (
        "all 3 pictures show surfaces that the inspector was trained on, or that were kept back for its threshold"
        in told.err
    )
    assert not (at / "new").exists()


def test_training_of_other_settings(refused: Refused, at: Path) -> None:
    line = refused("train", at / "mvtec", *TINY, "--size", 17, "--out", at / "bank")
    assert "size (16 there, 17 asked for) differ; choose another --out" in line


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (None, "no dataset recognised; looked for dataset.json (blemish), train/NAME_GT.png or test/NAME_GT.png"),
        (["set", "group", "label"], "lacks the columns image; its first line, between commas, names 'set', 'group'"),
        (["../../../etc/passwd", ""], "names ../../../etc/passwd, which is no file inside"),
        (["/etc/passwd", ""], "names /etc/passwd, which is no file inside"),
        (["0.png", "../../secret.png"], "names ../../secret.png, which is no file inside"),
        (["9.png", ""], "is listed in manifest.csv but missing; restore it or remove its line"),
    ],
)
def test_real_set_and_its_manifest(refused: Refused, at: Path, manifest: list[str] | None, told: str) -> None:
    (at / "mvtec/train/good").rename(at / "magnetic_tile")
    if manifest is not None:
        with (at / "manifest.csv").open("w", newline="") as file:
            table = csv.writer(file)
            if len(manifest) == 3:
                table.writerow(manifest)
            else:
                table.writerow(["set", "group", "label", "image", "mask"])
                table.writerow(["magnetic_tile", "1", "MT_Crack" if manifest[1] else "Free", *manifest])
    line = refused("train", at / "magnetic_tile", "--out", at / "new")
    named = {None: "magnetic_tile", "9.png": "magnetic_tile/9.png"}.get(manifest and manifest[0], "manifest.csv")
    assert line.startswith(f"{at / named}: ")
    assert told in line
