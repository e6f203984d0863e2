"""Label files of other programs, each with a picture of 24 x 20 pixels."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.target import JSON, JSON_TOKENS, Target

LINES_TOKENS = (b"nan", b"inf", b"-1", b"1e400", b"\n", b" ", b"0 " * 400, b"9" * 400, b"\xff\xfe", b"\0")
YAML_TOKENS = (b"../", b"/etc", b"[]", b"{}", b": ", b"- ", b"&a [*a]", b"names", b"train", b"~", b"9" * 400)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(90, 130, (20, 24, 3), dtype=np.uint8)).save(path)


def coco(folder: Path) -> list[bytes]:
    """Polygons, run lengths of both kinds and a box."""
    from scenes.pictures.run_lengths import encoded

    picture(folder / "a.png")
    square = np.zeros((20, 24), bool)
    square[3:9, 4:12] = True
    marks = [[[2, 2, 9, 2, 9, 9]], encoded(square), {"size": [20, 24], "counts": [30, 90, 360]}, []]
    written = {
        "images": [{"id": 1, "file_name": "a.png", "width": 24, "height": 20, "under": []}],
        "categories": [{"id": 1, "name": "nick", "supercategory": "defect"}],
        "annotations": [
            {"id": k, "image_id": 1, "category_id": 1, "segmentation": mark, "bbox": [1, 2, 3, 4]}
            for k, mark in enumerate(marks)
        ],
    }
    return [json.dumps(written).encode()]


def labelme(folder: Path) -> list[bytes]:
    """A polygon, a rectangle, a circle and a mask."""
    picture(folder / "a.png")
    stream = io.BytesIO()
    Image.fromarray(np.ones((3, 4), np.uint8)).save(stream, "PNG")
    mask = base64.b64encode(stream.getvalue()).decode()
    drawn = {"polygon": [[1, 1], [6, 1], [6, 4]], "rectangle": [[1, 1], [5, 6]], "circle": [[8, 8], [8, 11]]}
    shapes = [{"label": "nick", "points": points, "shape_type": kind} for kind, points in drawn.items()]
    shapes.append({"label": "dust", "points": [[2, 2], [5, 4]], "shape_type": "mask", "mask": mask})
    written = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 20, "imageWidth": 24}
    return [json.dumps(written).encode()]


def yolo(folder: Path, *, settings: bool) -> list[bytes]:
    """A box, an oriented box and a polygon."""
    picture(folder / "images/a.png")
    (folder / "labels").mkdir()
    lines = b"0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3\n0 0.1 0.1 0.5 0.1 0.5 0.5\n"
    said = b"train: images\nval: [images]\nnames: {0: nick, 1: dust}\nimpurities: [dust]\n"
    (folder / "labels/a.txt").write_bytes(lines)
    (folder / "data.yaml").write_bytes(said)
    return [said if settings else lines]


def read_as(format: str, up: int) -> Callable[[Path], object]:
    """Reads the folder that lies `up` above the file, and the truth of all that is in it."""

    def read(path: Path) -> object:
        from scenes.formats.registry import found_in, read_samples

        folder = path.parents[up]
        return [sample.truth() for sample in read_samples(folder, format)], found_in(folder)

    return read


TARGETS = (
    Target("coco-set", "set.json", coco, read_as("coco", 0), JSON_TOKENS, JSON),
    Target("labelme", "a.json", labelme, read_as("labelme", 0), JSON_TOKENS, JSON),
    Target("yolo-lines", "labels/a.txt", lambda folder: yolo(folder, settings=False), read_as("yolo", 1), LINES_TOKENS),
    Target("yolo-settings", "data.yaml", lambda folder: yolo(folder, settings=True), read_as("yolo", 0), YAML_TOKENS),
)
