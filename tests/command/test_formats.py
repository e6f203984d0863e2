"""`blemish export` of datasets and of inspectors, `blemish import`, and what either refuses."""

import json
from pathlib import Path

import pytest

import blemish
from scenes import Dataset
from scenes.formats.registry import WRITERS
from tests.command.told import Refused, Run, contents


def test_the_front_door_knows_the_formats_of_both() -> None:
    from anomaly.deployment.formats import FORMATS

    assert set(blemish.DATASET_FORMATS) == set(WRITERS)
    assert set(blemish.INSPECTOR_FORMATS) == set(FORMATS)


def test_a_dataset_goes_out_and_comes_in(run: Run, at: Path) -> None:
    told = run("export", at / "data", "--format", "coco", "--out", at / "coco")
    assert told.code == 0, told
    assert told.out.splitlines() == [
        "labels     all 4 instances come back as they were, pixel by pixel",
        f"4 pictures in {at / 'coco'}",
    ]
    told = run("import", at / "coco", "--out", at / "back")
    assert told.code == 0, told
    assert told.out.splitlines() == ["format     coco", "instances  4 crack", f"4 frames in {at / 'back'}"]
    assert len(Dataset(at / "back")) == 4
    assert run("verify", at / "coco", at / "back").code == 0
    before = contents(at / "back")
    assert run("import", at / "coco", "--out", at / "back").code == 0
    assert contents(at / "back") == before
    (at / "coco/images/000001.png").write_bytes(b"")
    line = run("verify", at / "coco")
    assert line.code == blemish.USER_ERROR
    assert "images/000001.png: was changed or damaged since it was written" in line.err


def test_a_folder_of_pictures_is_exported_too(run: Run, at: Path) -> None:
    told = run("export", at / "mvtec", "--format", "yolo", "--shape", "box", "--out", at / "yolo")
    assert told.code == 0, told
    assert (at / "yolo/data.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("data",), "data: say how it shall be exported with --format: visa, coco, yolo, mvtec, labelme"),
        (("data", "--format", "onnx"), "--format: found onnx; a dataset is exported as visa, coco, yolo, mvtec"),
        (("data", "--format", "csv"), "--format: found csv; a dataset is exported as visa, coco, yolo, mvtec"),
        (("data", "--format", "coco", "--half"), "--half: is for inspectors, and"),
        (("data", "--format", "coco", "--shape", "box"), "--shape: found box; labels of coco are drawn in one way"),
        (("bank", "--format", "coco"), "bank: is an inspector, which is exported as onnx, openvino, torch; found"),
        (("bank", "--test-share", "0.5"), "--test-share: is for datasets, and"),
        (("nowhere", "--format", "coco"), "nowhere: is no folder; give a dataset's folder"),
        (("nothing", "--format", "coco"), "nothing: no dataset recognised; looked for dataset.json (blemish)"),
    ],
)  # fmt: skip
def test_what_is_exported_as_something_else(refused: Refused, at: Path, arguments: tuple[str, ...], told: str) -> None:
    (at / "nothing").mkdir()
    (at / "nothing/holiday.txt").write_text("sun")
    line = refused("export", at / arguments[0], *arguments[1:], "--out", at / "new")
    assert told in line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("data", "data: is a dataset of Blemish already; use it as it is"),
        ("nowhere", "nowhere: is no folder; give a dataset's folder"),
        ("nothing", "nothing: is empty; give a folder that holds a dataset"),
        ("hostile", "hostile/set.json: images[0].file_name: found '../../data/images/000000.png', which leads out of"),
    ],
)
def test_what_is_not_imported(refused: Refused, at: Path, name: str, told: str) -> None:
    (at / "nothing").mkdir()
    (at / "hostile").mkdir()
    image = {"id": 1, "file_name": "../../data/images/000000.png", "width": 64, "height": 48}
    written = {"images": [image], "annotations": [], "categories": []}
    (at / "hostile/set.json").write_text(json.dumps(written))
    assert told in refused("import", at / name, "--out", at / "new")
