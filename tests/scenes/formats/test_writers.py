"""What is exported, as programs of others read it: pycocotools, supervision, globox, datasets, webdataset, anomalib."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes import Dataset, DatasetWriter, draw
from scenes.datasets.passes import PASSES, PassPictures, formats_of
from scenes.formats.exchange.export import Export, write_export
from scenes.formats.exchange.loss import Kept, kept
from scenes.formats.labels.outlines import filled, outline
from scenes.formats.labels.yolo import BOX, ORIENTED, POLYGON
from scenes.formats.registry import FORMATS, WRITERS, read_samples
from scenes.pictures.run_lengths import box_of


def exported(labelled: Path, out: Path, format: str, **options) -> tuple[Path, Kept]:
    return out, write_export(labelled, read_samples(labelled), out, Export(format, **options))


def truth_by_picture(labelled: Path) -> dict[bytes, object]:
    return {sample.image().tobytes(): sample.truth() for sample in read_samples(labelled)}


def kinds_and_masks(truth) -> set[tuple[str, bytes]]:
    return {(instance.class_name, instance.mask.tobytes()) for instance in truth.instances}


def test_coco_is_read_by_pycocotools(labelled, tmp_path, capsys):
    from pycocotools.coco import COCO

    out, found = exported(labelled, tmp_path / "coco", "coco")
    assert found.everything
    coco = COCO(str(out / "annotations.json"))
    truths = truth_by_picture(labelled)
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    families = {category["name"]: category["supercategory"] for category in coco.loadCats(coco.getCatIds())}
    assert families["water_stain"] == "impurity"
    assert len(coco.getImgIds()) == len(truths) == 8
    for image in coco.loadImgs(coco.getImgIds()):
        truth = truths[np.asarray(Image.open(out / image["file_name"])).tobytes()]
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        assert {
            (names[each["category_id"]], coco.annToMask(each).astype(bool).tobytes()) for each in annotations
        } == kinds_and_masks(truth)
        for each in annotations:
            assert each["area"] == coco.annToMask(each).sum()


def test_what_lies_under_another_defect_keeps_its_class_in_coco(labelled, tmp_path):
    out, _ = exported(labelled, tmp_path / "coco", "coco")
    assert any(sample.annotation.under_others() for sample in read_samples(labelled)), "the test would say nothing"
    for ours, theirs in zip(read_samples(labelled), read_samples(out), strict=True):
        before = ours.annotation.under_others()
        under = getattr(theirs.annotation, "under_others", tuple)()
        assert [(each.class_name, each.mask.tobytes()) for each in before] == [
            (each.class_name, each.mask.tobytes()) for each in under
        ]
        assert ours.group == theirs.group


@pytest.mark.parametrize("shape", [POLYGON, BOX, ORIENTED])
def test_yolo_is_read_by_supervision(labelled, tmp_path, shape):
    import supervision

    out, found = exported(labelled, tmp_path / "yolo", "yolo", shape=shape)
    assert found.instances == found.found == 30
    assert not found.everything  # rings have holes
    truths = truth_by_picture(labelled)
    seen = 0
    for split in ("train", "test"):
        data = supervision.DetectionDataset.from_yolo(
            str(out / f"images/{split}"), str(out / f"labels/{split}"), str(out / "data.yaml"),
            force_masks=shape == POLYGON, is_obb=shape == ORIENTED,
        )  # fmt: skip
        for _, image, found_there in data:
            instances = truths[image[..., ::-1].tobytes()].instances
            assert [data.classes[number] for number in found_there.class_id] == [i.class_name for i in instances]
            for number, instance in enumerate(instances):
                left, top, width, height = box_of(instance.mask)
                if shape == POLYGON:
                    expected = filled(outline(instance.mask), instance.mask.shape)
                    np.testing.assert_array_equal(found_there.mask[number], expected)
                    assert not (instance.mask & ~expected).any()
                elif shape == BOX:
                    expected = (left, top, left + width, top + height)
                    np.testing.assert_allclose(found_there.xyxy[number], expected, atol=1e-3)
                else:
                    corners = found_there.data["xyxyxyxy"][number]
                    area = np.linalg.norm(corners[1] - corners[0]) * np.linalg.norm(corners[2] - corners[1])
                    assert instance.mask.sum() - 1e-2 <= area <= width * height + 1e-2
            seen += 1
    assert seen == 8


def test_yolo_loses_what_our_own_reader_finds_lost(labelled, tmp_path):
    for shape in (POLYGON, BOX, ORIENTED):
        out, said = exported(labelled, tmp_path / shape, "yolo", shape=shape)
        truths = truth_by_picture(labelled)
        under = {s.image().tobytes(): s.annotation.under_others() for s in read_samples(labelled)}
        total = Kept()
        for sample in read_samples(out):
            key = sample.image().tobytes()
            total += kept(truths[key], sample.truth(), under[key])
        assert total == said
        assert total.moved > 0


def test_labelme_masks_are_those_that_its_own_code_draws(labelled, tmp_path):
    """LabelMe's `shapes_to_label`: a mask is put from its first point to its last, both within."""
    out, found = exported(labelled, tmp_path / "masks", "labelme")
    assert found.same == found.instances
    assert not found.moved
    truths = truth_by_picture(labelled)
    for path in sorted(out.glob("*.json")):
        file = json.loads(path.read_text())
        image = np.asarray(Image.open(out / file["imagePath"]))
        assert (file["imageHeight"], file["imageWidth"]) == image.shape[:2]
        drawn = set()
        for shape in file["shapes"]:
            mask = np.zeros(image.shape[:2], bool)
            (left, top), (right, bottom) = np.asarray(shape["points"]).astype(int)
            own = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(bool)
            mask[top : bottom + 1, left : right + 1] = own
            drawn.add((shape["label"], mask.tobytes()))
        assert drawn == kinds_and_masks(truths[image.tobytes()])


def test_labelme_polygons_are_read_by_globox(labelled, tmp_path):
    import globox

    out, found = exported(labelled, tmp_path / "polygons", "labelme", shape="polygon")
    assert found.found == found.instances
    theirs = globox.AnnotationSet.from_labelme(out, include_poly=True)
    truths = truth_by_picture(labelled)
    assert len(theirs) == 8
    for annotation in theirs:
        truth = truths[np.asarray(Image.open(out / annotation.image_id)).tobytes()]
        expected = []
        for instance in truth.instances:
            left, top, width, height = box_of(instance.mask)
            expected.append((instance.class_name, left, top, left + width - 1, top + height - 1))
        boxes = [(box.label, *box.ltrb) for box in annotation.boxes]
        assert sorted(boxes) == sorted(expected)


def test_a_folder_of_pictures_is_loaded_by_datasets(labelled, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    import datasets

    out, found = exported(labelled, tmp_path / "imagefolder", "huggingface")
    assert found.instances == found.same
    loaded = datasets.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "test"}
    truths = truth_by_picture(labelled)
    for row in (row for split in loaded.values() for row in split):
        truth = truths.pop(np.asarray(row["image"]).tobytes())
        assert (np.asarray(row["mask"]) > 0).tolist() == truth.defect.tolist()
        instances = json.loads(row["instances"])
        assert [(each["class"], each["area"]) for each in instances] == [
            (instance.class_name, instance.mask.sum()) for instance in truth.instances
        ]
        defects = sorted({i.class_name for i in truth.instances if i.family == "defect"})
        assert row["label"] == ("+".join(defects) or "good")
    assert not truths


def test_archives_are_streamed_by_webdataset(labelled, tmp_path):
    import webdataset
    from pycocotools import mask as run_length

    out, found = exported(labelled, tmp_path / "shards", "webdataset", shard=3)
    assert found.instances == found.same
    archives = sorted(out.glob("*.tar"))
    assert len(archives) > 2
    truths = truth_by_picture(labelled)
    for row in webdataset.WebDataset([str(path) for path in archives], shardshuffle=False).decode("rgb8"):
        truth = truths.pop(row["png"].tobytes())
        assert (row["mask.png"][..., 0] > 0).tolist() == truth.defect.tolist()
        found_there = {
            (each["class"], run_length.decode(each["segmentation"]).astype(bool).tobytes())
            for each in row["json"]["instances"]
        }
        assert found_there == kinds_and_masks(truth)
    assert not truths


def test_mvtec_folders_are_loaded_by_anomalib(labelled, tmp_path):
    from anomalib.data import Folder, MVTecAD

    out, found = exported(labelled, tmp_path / "sets" / "parts", "mvtec", share=0.5)
    assert found.found > 0
    masks = {path.stem.removesuffix("_mask"): path for path in out.glob("ground_truth/*/*.png")}
    module = MVTecAD(root=tmp_path / "sets", category="parts", train_batch_size=1, eval_batch_size=1, num_workers=0)
    module.prepare_data()
    module.setup()
    assert len(module.train_data) == 1
    assert len(module.train_data) + len(module.test_data) == 8
    truths = truth_by_picture(labelled)
    for row in module.test_data:
        picture = (row.image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        truth = truths[picture.tobytes()]
        assert bool(row.gt_label) == truth.defect.any()
        if row.gt_label:
            assert Path(row.mask_path) == masks[Path(row.image_path).stem]
            assert row.gt_mask.bool().numpy().tolist() == truth.defect.tolist()
    flawed = sorted(path.name for path in (out / "test").iterdir() if path.name != "good")
    folder = Folder(
        name="parts", root=out, normal_dir="train/good", normal_test_dir="test/good",
        abnormal_dir=[f"test/{name}" for name in flawed], mask_dir=[f"ground_truth/{name}" for name in flawed],
        train_batch_size=1, eval_batch_size=1, num_workers=0, val_split_mode="same_as_test",
    )  # fmt: skip
    folder.setup()
    assert len(folder.train_data) == 1
    assert sum(bool(row.gt_label) for row in folder.test_data) == len(masks)


def test_visa_folders_are_parted_and_loaded_by_anomalib(labelled, tmp_path):
    from anomalib.data import Visa

    out, _ = exported(labelled, tmp_path / "visa", "visa", name="candle", share=0.5)
    module = Visa(root=out, category="candle", train_batch_size=1, eval_batch_size=1, num_workers=0)
    module.prepare_data()
    module.setup()
    truths = truth_by_picture(labelled)
    assert len(module.train_data) == 1
    assert len(module.train_data) + len(module.test_data) == 8
    for row in module.test_data:
        picture = (row.image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        defect = truths[picture.tobytes()].defect
        assert bool(row.gt_label) == defect.any()
        if row.gt_label:
            assert row.gt_mask.bool().numpy().tolist() == defect.tolist()


@pytest.mark.parametrize("name", ["mvtec", "visa"])
def test_layouts_keep_the_marked_pixels_of_defects_and_lose_impurities(labelled, tmp_path, name):
    out, said = exported(labelled, tmp_path / name, name)
    truths = truth_by_picture(labelled)
    lost = sum(int(truth.of_family("impurity").sum()) for truth in truths.values())
    assert said.moved == lost > 0
    for sample in read_samples(out):
        assert sample.truth().defect.tolist() == truths[sample.image().tobytes()].defect.tolist()


def test_every_format_that_is_both_read_and_written_finds_its_own(labelled, tmp_path):
    for name in FORMATS.keys() & WRITERS.keys():
        out, said = exported(labelled, tmp_path / name, name)
        samples = read_samples(out)
        assert len(samples) == 8, name
        truths = truth_by_picture(labelled)
        labels = {sample.label for sample in samples}
        assert "good" in labels, name
        assert said.instances == sum(len(truth.instances) for truth in truths.values())


@pytest.fixture(params=["png", "exr"])
def with_passes(request, small_plate, tmp_path):
    """Three frames with every pass, each another, and their folder."""
    formats = formats_of(PASSES, request.param)
    writer = DatasetWriter(tmp_path / "deep", small_plate, 5, 3, passes=formats)
    blank = np.zeros((48, 64), np.uint16)
    for index in range(3):
        arrays = {
            "depth": np.full((48, 64), 0.2 + index, np.float32) + np.arange(64, dtype=np.float32) / 1000,
            "normal": np.broadcast_to(np.float32([0, 0.6, 0.8]), (48, 64, 3)),
            "albedo": np.full((48, 64, 3), index / 4, np.float32),
            "objects": np.full((48, 64), 1 + index, np.uint16),
        }
        image = np.full((48, 64, 3), 50 * index, np.uint8)
        passes = PassPictures(arrays, formats, ("one", "two", "three"))
        writer.write(index, image, blank, blank, blank, draw(small_plate, 5, index), (), passes=passes)
    writer.finish()
    return tmp_path / "deep"


def test_passes_are_exported_where_the_format_has_a_place_for_them(with_passes, tmp_path):
    import tarfile

    suffixes = {name: Path(file).suffix for name, file in Dataset(with_passes).header.file_names(0).items()}
    out, _ = exported(with_passes, tmp_path / "shards", "webdataset")
    found = {}
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as archive:
            found |= {member.name: archive.extractfile(member).read() for member in archive.getmembers()}
    hf, _ = exported(with_passes, tmp_path / "hf", "huggingface")
    for frame in Dataset(with_passes):
        number = f"{frame.index:06d}"
        for name in PASSES:
            content = (with_passes / name / f"{number}{suffixes[name]}").read_bytes()
            assert found[f"{number}.{name}{suffixes[name]}"] == content
            assert next(hf.glob(f"*/{name}/{number}{suffixes[name]}")).read_bytes() == content
        assert json.loads(found[f"{number}.json"])["passes"]["objects"] == ["one", "two", "three"]
    lines = [json.loads(line) for path in hf.glob("*/metadata.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 3
    assert all(json.loads(line["passes"])["objects"] == ["one", "two", "three"] for line in lines)
    if suffixes["depth"] == ".png":
        for line in lines:
            nearest, farthest = json.loads(line["passes"])["depth"]
            assert farthest - nearest == pytest.approx(0.063, rel=1e-4)


@pytest.mark.parametrize("format", ["coco", "huggingface"])
def test_the_command_says_what_becomes_of_passes(with_passes, format, tmp_path, capsys):
    from scenes.formats.exchange.cli import export

    export(with_passes, tmp_path / "out", format)
    said = {"coco": "are left out, as coco has no place for them", "huggingface": "are exported"}[format]
    assert f"passes     depth, normal, albedo, objects {said}" in capsys.readouterr().out
