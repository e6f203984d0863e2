"""Labels that cannot be meant, or are made to harm: one clear line that names the file and the field."""

import base64
import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from scenes.formats.errors import SampleError
from scenes.formats.registry import found_in, read_samples

MARK = {"image_id": 1, "category_id": 1}


def coco(folder, **changes):
    """A COCO set of one picture of 20 x 16 pixels with one polygon."""
    Image.fromarray(np.full((16, 20), 90, np.uint8)).save(folder / "a.png")
    written = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 16}],
        "categories": [{"id": 1, "name": "nick"}],
        "annotations": [{**MARK, "segmentation": [[2, 2, 8, 2, 8, 8]]}],
        **changes,
    }
    (folder / "set.json").write_text(json.dumps(written))
    return folder


def image(**changes):
    return {"images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 16, **changes}]}


def mark(**changes):
    return {"annotations": [{**MARK, **changes}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (image(file_name="../secret.png"), r"images\[0\]\.file_name: found '\.\./secret\.png', which leads out of"),
        (image(file_name="/etc/passwd"), r"images\[0\]\.file_name: found '/etc/passwd'; expected the name of a file"),
        (image(file_name="C:\\secret.png"), r"images\[0\]\.file_name: found .*; expected the name of a file inside"),
        (image(file_name="x\\..\\..\\..\\secret.png"), r"images\[0\]\.file_name: .*which leads out of"),
        (image(file_name="a\0.png"), r"images\[0\]\.file_name: .*expected the name of a file inside"),
        (image(file_name=""), r"images\[0\]\.file_name: .*expected the name of a file inside"),
        (image(file_name="b.png"), r"images\[0\]\.file_name: 'b\.png' is neither .*b\.png nor .*images/b\.png"),
        (image(file_name="b" * 5000), r"images\[0\]\.file_name: 'bbb.* is neither"),
        (image(file_name=7), r"images\[0\]\.file_name: found 7; "),
        (image(width=0), r"images\[0\]\.width: found 0; "),
        ({"images": 5}, "images: found 5; "),
        ({"categories": [{"id": 1}]}, r"categories\[0\]\.name: is missing"),
        (mark(image_id=9), r"annotations\[0\]\.image_id: found 9, which is no id of images"),
        (mark(category_id=9), r"annotations\[0\]\.category_id: found 9, which is no id of categories"),
        ({"annotations": [{"image_id": 1}]}, r"annotations\[0\]\.category_id: is missing"),
    ],
)  # fmt: skip
def test_coco_that_cannot_be_listed(tmp_path, changes, told):
    (tmp_path / "set").mkdir()
    Image.fromarray(np.full((16, 20), 90, np.uint8)).save(tmp_path / "secret.png")
    with pytest.raises(SampleError, match=rf"set\.json: {told}"):
        read_samples(coco(tmp_path / "set", **changes), "coco")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (image(width=21), r"images: says 21 x 16 pixels of a\.png, which has 20 x 16"),
        (mark(segmentation=[[1, 2, 3]]), r"annotations\[0\]\.segmentation: found a polygon of 3 numbers"),
        (mark(segmentation=[[1, 2, 3, 4, 1e9, 2]]), r"annotations\[0\]\.segmentation: found points that are none of"),
        (mark(segmentation=[[1, 2, 3, 4, float("nan"), 2]]), r"annotations\[0\]\.segmentation: found points that are"),
        (mark(segmentation={"size": [16, 20], "counts": "ooo"}), r"annotations\[0\]\.segmentation: found counts"),
        (mark(segmentation={"size": [20, 16], "counts": [320]}), r"annotations\[0\]\.segmentation: found a size of"),
        (mark(segmentation={"size": [16, 20], "counts": [9]}), r"annotations\[0\]\.segmentation: found counts of 9"),
        (mark(), r"annotations\[0\]: has neither a segmentation nor a bbox"),
        (mark(bbox=[1, 2, 3]), r"annotations\[0\]: has neither a segmentation nor a bbox"),
        (mark(bbox=[1, 2, float("inf"), 3]), r"annotations\[0\]: has neither a segmentation nor a bbox"),
    ],
)  # fmt: skip
def test_coco_whose_masks_are_none(tmp_path, changes, told):
    (sample,) = read_samples(coco(tmp_path, **changes), "coco")
    with pytest.raises(SampleError, match=rf"set\.json: {told}"):
        sample.truth()


def test_a_coco_polygon_is_what_pycocotools_makes_of_it(tmp_path):
    from pycocotools.coco import COCO

    polygons = [[2.5, 2, 15, 3.25, 9, 12.75], [-0.4, 14, 20.3, 14, 20.3, 16.2]]
    folder = coco(tmp_path, annotations=[{**MARK, "id": 1, "segmentation": polygons, "iscrowd": 0, "area": 1}])
    (sample,) = read_samples(folder)
    clipped = [[min(max(v, 0), (20, 16)[k % 2]) for k, v in enumerate(p)] for p in polygons]
    theirs = COCO(str(folder / "set.json"))
    expected = theirs.annToMask({**theirs.anns[1], "segmentation": clipped}).astype(bool)
    assert sample.truth().defect.tolist() == expected.tolist()


def yolo(folder, line="0 0.5 0.5 0.2 0.2\n", settings="train: images\nnames: [nick, dust]\nimpurities: [dust]\n"):
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((16, 20), ord(name), np.uint8)).save(folder / f"images/{name}.png")
    (folder / "labels/a.txt").write_text(line)
    (folder / "data.yaml").write_text(settings)
    return folder


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nick 0.5 0.5 0.2 0.2", "line 1: found 'nick 0.*; expected numbers"),
        ("0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.1 0.1", "line 2: found the class 7; expected one of"),
        ("0.5 0.5 0.5 0.2 0.2", r"line 1: found the class 0\.5"),
        ("nan 0.5 0.5 0.2 0.2", "line 1: found the class nan"),
        ("0 0.5 0.5 0.2", "line 1: found 3 numbers after the class; expected 4 of a box"),
        ("0 0.5 0.5 0.2 0.2 0.3", "line 1: found 5 numbers after the class"),
        ("0 0.5 0.5 nan 0.2", "line 1: found '0 0.5.*; expected shares of the picture's sides"),
        ("0 50 60 20 20", "line 1: found '0 50.*; expected shares of the picture's sides"),
    ],
)
def test_lines_of_yolo_that_are_none(tmp_path, line, told):
    samples = read_samples(yolo(tmp_path, line))
    with pytest.raises(SampleError, match=rf"labels/a\.txt: {told}"):
        samples[0].truth()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("train: ../../elsewhere\nnames: [nick]", r"train: found '\.\./\.\./elsewhere', which leads out of"),
        ("train: /etc\nnames: [nick]", "train: found '/etc'; expected the name of a file inside"),
        ("train: nowhere\nnames: [nick]", r"train: .*nowhere is no folder; put the pictures there"),
        (f"train: {'n' * 300}\nnames: [nick]", r"train: .*n is no folder; put the pictures there"),  # which none can be
        ("train: 7\nnames: [nick]", "train: found 7; expected a folder of pictures"),
        ("train: images\nnames: 3", "names: found 3; expected names of classes"),
        ("train: images", "names: found None; expected names of classes"),
        ("train: images\nnames: [nick]\nimpurities: [dust]", r"impurities: found \['dust'\]; expected some of names"),
        ("train: images\nnames: [nick]\nimpurities: [[1]]", r"impurities: found \[\[1\]\]; expected some of names"),
        ("train: list.txt\nnames: [nick]", r"list\.txt: line 2: found '\.\./x\.png', which leads out of"),
        ("- train", "found .*; expected names and folders of pictures"),
    ],
)
def test_settings_of_yolo_that_are_none(tmp_path, settings, told):
    yolo(tmp_path, settings=settings)
    (tmp_path / "list.txt").write_text("images/a.png\n../x.png\n")
    with pytest.raises(SampleError, match=told):
        read_samples(tmp_path, "yolo")


def test_yolo_as_people_have_it(tmp_path):
    yolo(tmp_path, "1 0.25 0.5 0.5 1\n0 0.1 0.1 0.5 0.1 0.5 0.5\n", "train: ../images\nnames: {0: nick, 1: dust}\n")
    samples = read_samples(tmp_path)
    assert [(s.name, s.label, s.split) for s in samples] == [
        ("images/a", "dust+nick", "train"),
        ("images/b", "good", "train"),
    ]
    truth = samples[0].truth()
    box, polygon = truth.instances
    assert (box.class_name, int(box.mask.sum()), polygon.class_name) == ("dust", 160, "nick")
    drawn = np.zeros((16, 20), np.uint8)
    cv2.fillPoly(drawn, [np.array([[2, 1], [10, 1], [10, 8]], np.int32)], 1)
    assert np.count_nonzero(polygon.mask ^ (drawn > 0)) <= 2  # OpenCV's slanted lines go another way round a pixel
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_text("nick\ndust\n")
    assert [(s.label, s.split) for s in read_samples(tmp_path)] == [("dust+nick", ""), ("good", "")]


def labelme(folder, *shapes, **changes):
    Image.fromarray(np.full((16, 20), 90, np.uint8)).save(folder / "a.png")
    file = {"shapes": list(shapes), "imagePath": "a.png", "imageHeight": 16, "imageWidth": 20, **changes}
    (folder / "a.json").write_text(json.dumps(file))
    return folder


def shape(points=((1, 1), (6, 1), (6, 4)), kind="polygon", **changes):
    return {"label": "nick", "points": points, "shape_type": kind, **changes}


def png(height, width):
    stream = io.BytesIO()
    Image.fromarray(np.ones((height, width), np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"imagePath": "../secret.png"}, r"a\.json: imagePath: found '\.\./secret\.png', which leads out of"),
        ({"imagePath": "..\\secret.png"}, r"a\.json: imagePath: .*which leads out of"),
        ({"imagePath": "/etc/passwd"}, r"a\.json: imagePath: found '/etc/passwd'; expected the name of a file inside"),
        ({"imagePath": "b.png"}, r"a\.json: imagePath: .*b\.png is missing; restore it or remove the file"),
        ({"imagePath": None}, r"a\.json: imagePath: found None; "),
        ({"shapes": [{"label": "x"}]}, r"a\.json: shapes\[0\]\.points: is missing"),
        ({"shapes": [shape(points=[[1, 2, 3]])]}, r"a\.json: shapes\[0\]\.points\[0\]"),
        ({"shapes": [shape(label="")]}, r"a\.json: shapes\[0\]\.label: found ''"),
    ],
)
def test_labelme_files_that_cannot_be_listed(tmp_path, changes, told):
    (tmp_path / "set").mkdir()
    Image.fromarray(np.full((16, 20), 90, np.uint8)).save(tmp_path / "secret.png")
    with pytest.raises(SampleError, match=told):
        read_samples(labelme(tmp_path / "set", **changes), "labelme")


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        (shape(kind="line"), r"shapes\[0\]\.shape_type: found 'line', which covers no pixels"),
        (shape(points=((1, 1), (6, 1))), r"shapes\[0\]\.points: found 2; expected 3 or more of a polygon"),
        (shape(kind="rectangle"), r"shapes\[0\]\.points: found 3; expected 2 of a rectangle"),
        (shape(points=((1, 1), (6, 1), (6, 1e7))), r"shapes\[0\]\.points: found points that are none of"),
        (shape(points=((1, 1), (4, 3)), kind="mask"), r"shapes\[0\]\.mask: expected a PNG in base64 of 4 x 3 pixels"),
        (shape(points=((1, 1), (4, 3)), kind="mask", mask="!!"), r"shapes\[0\]\.mask: expected a PNG in base64"),
        (shape(points=((1, 1), (4, 3)), kind="mask", mask=png(4, 4)), r"shapes\[0\]\.mask: expected a PNG in base64"),
        (shape(points=((18, 1), (21, 3)), kind="mask", mask=png(3, 4)), r"shapes\[0\]\.points: found a mask that"),
    ],
)  # fmt: skip
def test_shapes_of_labelme_that_are_none(tmp_path, drawn, told):
    (sample,) = read_samples(labelme(tmp_path, drawn))
    with pytest.raises(SampleError, match=rf"a\.json: {told}"):
        sample.truth()


def test_labelme_as_people_have_it(tmp_path):
    parts = [shape(group_id=4), shape(points=((10, 10), (12, 12)), kind="rectangle", group_id=4)]
    labelme(tmp_path, *parts, shape(points=((8, 8), (10, 8)), kind="circle", flags={"impurity": True}, label="drop"))
    Image.fromarray(np.full((16, 20), 91, np.uint8)).save(tmp_path / "unseen.png")
    assert found_in(tmp_path) == "labelme"
    assert [s.label for s in read_samples(tmp_path, unlabelled=True)] == ["nick", "unlabelled"]
    (sample,) = read_samples(tmp_path)
    found = [(i.class_name, i.family, int(i.mask.sum())) for i in sample.truth().instances]
    assert found[0][:2] == ("nick", "defect")
    assert found[1] == ("drop", "impurity", 13)
    mask = sample.truth().instances[0].mask
    assert mask[10:13, 10:13].all()
    assert mask[1, 1:7].all()
    (tmp_path / "b.json").write_text((tmp_path / "a.json").read_text())
    with pytest.raises(SampleError, match=r"b\.json: imagePath: .*a\.png has another file already"):
        read_samples(tmp_path)
    (tmp_path / "a.json").write_text('{"shapes": [], "imagePath"')
    with pytest.raises(SampleError, match=r"a\.json: is truncated or damaged, not JSON"):
        read_samples(tmp_path, "labelme")
