"""Exports and imports: the same dataset again, the same bytes after a stop, other folders and settings refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procgen.errors import BlemishNote
from scenes import Dataset, load_recipe
from scenes.datasets.errors import DatasetError
from scenes.datasets.verify import damages
from scenes.formats.errors import SampleError
from scenes.formats.exchange import export as module
from scenes.formats.exchange import verify
from scenes.formats.exchange.export import ASIDE, SUMS, Export, write_export
from scenes.formats.exchange.importing import write_import
from scenes.formats.exchange.splits import splits_of
from scenes.formats.registry import WRITERS, read_samples
from scenes.formats.sample import Sample
from scenes.jobs.local import Local
from tests.command.told import contents

OPTIONS = [(name, "") for name in WRITERS] + [("yolo", "oriented-box"), ("labelme", "polygon")]


def export(folder: Path, out: Path, format: str, **options):
    return write_export(folder, read_samples(folder), out, Export(format, **options))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["coco", "webdataset"])
def test_two_workers_write_the_same_bytes(labelled, tmp_path, format):
    for workers in (1, 2):
        out, executor = tmp_path / str(workers), Local(workers)
        write_export(labelled, read_samples(labelled), out / "set", Export(format), executor=executor)
        if format == "coco":
            samples = read_samples(out / "set", "coco")
            write_import(out / "set", "coco", samples, out / "back", load_recipe("plate"), executor=executor)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def brought_back(folder: Path, format: str, out: Path) -> Dataset:
    return write_import(folder, format, read_samples(folder, format), out, load_recipe("plate"))


def test_a_dataset_comes_back_from_coco_as_it_was(labelled, tmp_path):
    export(labelled, tmp_path / "coco", "coco")
    back = brought_back(tmp_path / "coco", "coco", tmp_path / "back")
    assert not list(damages(tmp_path / "back"))
    before = Dataset(labelled)
    assert back.families == before.families
    for ours, theirs in zip(before, back, strict=True):
        np.testing.assert_array_equal(theirs.image, ours.image)
        for name in before.classes:
            masks = [frame.classes >> of.classes[name] & 1 for frame, of in ((ours, before), (theirs, back))]
            np.testing.assert_array_equal(*masks)
        np.testing.assert_array_equal(theirs.impurities, ours.impurities)
        np.testing.assert_array_equal(theirs.defects > 0, ours.defects > 0)
        seen = [i for i in ours.instances if i.family == "impurity" or (ours.defects == i.id).any()]
        assert [(i.family, i.class_name) for i in theirs.instances] == [(i.family, i.class_name) for i in seen]
        for one, other in zip(seen, theirs.instances, strict=True):
            if one.family == "defect":
                np.testing.assert_array_equal(theirs.defects == other.id, ours.defects == one.id)
    groups = [[sample.group for sample in read_samples(folder)] for folder in (labelled, tmp_path / "back")]
    assert groups[0] == groups[1]


def test_splits_and_surfaces_of_a_layout_come_along(tmp_path, labelled):
    export(labelled, tmp_path / "mvtec", "mvtec")
    back = brought_back(tmp_path / "mvtec", "mvtec", tmp_path / "back")
    there, here = read_samples(tmp_path / "mvtec"), read_samples(tmp_path / "back")
    assert [(s.split, s.group, s.label) for s in there] == [(s.split, s.group, s.label) for s in here]
    record = next(iter(back)).refinement
    assert record["generator"] == "import"
    assert record["parents"][0]["sample"] == there[0].name


def test_instances_that_lie_over_each_other_are_counted(tmp_path):
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(tmp_path / "a.png")
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [k, k, 8, 8]} for k in (1, 5)]
    written = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 20}],
        "categories": [{"id": 1, "name": "nick"}],
        "annotations": boxes,
    }
    (tmp_path / "set.json").write_text(json.dumps(written))
    with pytest.warns(BlemishNote, match="1 instances lie partly under others"):
        back = brought_back(tmp_path, "coco", tmp_path / "back")
    assert np.bincount(back[0].defects.ravel()).tolist() == [400 - 2 * 64 + 16, 64 - 16, 64]


@pytest.mark.parametrize(("format", "shape"), OPTIONS)
def test_a_stopped_export_goes_on_to_the_same_bytes(labelled, tmp_path, monkeypatch, format, shape):
    whole = tmp_path / "whole"
    export(labelled, whole, format, shape=shape)
    stopped = tmp_path / "stopped"
    write = module.write_atomically
    calls = 0

    def dying(path, content):
        nonlocal calls
        calls += 1
        if calls == 12:
            (path.parent / f".{path.name}.1.tmp").write_bytes(b"half")
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(module, "write_atomically", dying)
    with pytest.raises(KeyboardInterrupt):
        export(labelled, stopped, format, shape=shape)
    monkeypatch.setattr(module, "write_atomically", write)
    assert not (stopped / SUMS).exists()
    export(labelled, stopped, format, shape=shape)
    assert contents(stopped) == contents(whole)
    assert not (stopped / ASIDE).exists()
    export(labelled, whole, format, shape=shape)
    assert contents(stopped) == contents(whole)
    assert list(verify.damages(whole)) == []


def test_exports_of_other_settings_and_other_folders_are_refused(labelled, tmp_path):
    out = tmp_path / "out"
    export(labelled, out, "yolo")
    with pytest.raises(SampleError, match="holds an export whose format is 'yolo', not 'coco'; choose another folder"):
        export(labelled, out, "coco")
    with pytest.raises(SampleError, match="whose shape is 'polygon', not 'box'"):
        export(labelled, out, "yolo", shape="box")
    picture = next(out.rglob("*.png"))
    picture.write_bytes(picture.read_bytes()[:-1])
    with pytest.raises(SampleError, match=rf"{picture.name}: was changed or damaged"):
        export(labelled, out, "yolo")
    assert [line for line in verify.damages(out) if picture.name in line]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(SampleError, match=r"holds other files, such as notes\.txt; expected a new or empty folder"):
        export(labelled, tmp_path / "mine", "coco")
    with pytest.raises(SampleError, match="lies with the pictures that are exported"):
        export(labelled, labelled / "coco", "coco")
    with pytest.raises(SampleError, match="labels of coco are drawn in one way; leave --shape out"):
        export(labelled, tmp_path / "new", "coco", shape="box")
    with pytest.raises(SampleError, match="found circle; labels of yolo are drawn as polygon, box, oriented-box"):
        export(labelled, tmp_path / "new", "yolo", shape="circle")


def test_a_changed_source_does_not_go_on_an_import(labelled, tmp_path):
    export(labelled, tmp_path / "yolo", "yolo")
    brought_back(tmp_path / "yolo", "yolo", tmp_path / "back")
    label = next(path for path in sorted((tmp_path / "yolo").rglob("*.txt")) if path.stat().st_size)
    label.write_text(label.read_text().splitlines()[0] + "\n")
    with pytest.raises(DatasetError, match=r"begun differently: settings\.imported\.sha256"):
        brought_back(tmp_path / "yolo", "yolo", tmp_path / "back")


def test_a_set_whose_classes_no_map_can_hold_is_refused(tmp_path):
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(tmp_path / "a.png")
    written = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 20}],
        "categories": [{"id": k, "name": f"class{k}"} for k in range(20)],
        "annotations": [{"image_id": 1, "category_id": k, "bbox": [0, k % 18, 3, 1]} for k in range(20)],
    }
    (tmp_path / "set.json").write_text(json.dumps(written))
    with pytest.raises(DatasetError, match="20 classes; a class mask tells 16 apart"):
        brought_back(tmp_path, "coco", tmp_path / "back")


def test_deep_and_turned_pictures_are_written_as_others_see_them(tmp_path):
    values = np.arange(400, dtype=np.uint16).reshape(20, 20) * 160
    (tmp_path / "set/train/good").mkdir(parents=True)
    Image.fromarray(values).save(tmp_path / "set/train/good/a.png")
    turned = Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "set/train/good/b.png", exif=exif)
    samples = read_samples(tmp_path / "set")
    for eight_bits in (False, True):
        out = tmp_path / f"coco-{eight_bits}"
        write_export(tmp_path / "set", samples, out, Export("coco", eight_bits=eight_bits))
        with Image.open(out / "images/000000.png") as deep:
            assert deep.mode == ("RGB" if eight_bits else "I;16")
        with Image.open(out / "images/000001.png") as upright:
            assert upright.size == (20, 30)
            np.testing.assert_array_equal(upright, samples[1].image()[..., 0])
        if not eight_bits:
            assert (out / "images/000000.png").read_bytes() == samples[0].image_path.read_bytes()


def test_no_surface_is_on_both_sides_of_a_split():
    samples = [
        Sample(f"{k}", f"surface {k // 4}", "good" if k % 8 < 5 else "dent", Path(f"{k}.png")) for k in range(160)
    ]
    for learns in (True, False):
        splits = splits_of(samples, 0.3, 5, learns)
        sides = {
            split: {s.group for s, of in zip(samples, splits, strict=True) if of == split} for split in set(splits)
        }
        assert set(sides) == {"train", "test"}
        assert not sides["train"] & sides["test"]
        assert splits == splits_of(samples, 0.3, 5, learns)
    learnt = [s.label for s, of in zip(samples, splits_of(samples, 0.3, 5, False), strict=True) if of == "train"]
    assert set(learnt) == {"good"}
    assert splits_of(samples, 0.3, 5, None) == [""] * 160


def test_imports_and_exports_leave_a_folder_that_is_at_work_alone(labelled, tmp_path):
    from scenes.datasets.lock import locked

    shutil.copytree(labelled, tmp_path / "set")
    with locked(tmp_path / "out"):
        export(tmp_path / "set", tmp_path / "out", "coco")  # the same thread may enter
    assert (tmp_path / "out" / SUMS).is_file()
