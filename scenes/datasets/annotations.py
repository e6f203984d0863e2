"""annotations.json: the instances of a dataset as COCO has them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from scenes.datasets.files import sealed_pieces
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import FAMILY_FOLDERS
from scenes.pictures.run_lengths import coco_fields


def coco_annotations(dataset: Dataset) -> Iterator[bytes]:
    """annotations.json in pieces, the last of which is the digest of the others."""
    return sealed_pieces(_pieces(dataset))


def _pieces(dataset: Dataset) -> Iterator[bytes]:
    """COCO instances with compressed run lengths of every instance that is in sight."""
    categories = [
        {"id": entry.bit + 1, "name": name, "supercategory": entry.family}
        for name, entry in dataset.header.classes.items()
    ]
    yield b'{"categories": ' + json.dumps(categories).encode() + b',\n"images": ['
    for position, frame in enumerate(dataset):
        height, width = frame.size
        image = {"id": frame.index, "file_name": f"images/{frame.index:06d}.png", "height": height, "width": width}
        yield (b", " if position else b"") + json.dumps(image).encode()
    yield b'],\n"annotations": ['
    number = 0
    for frame in dataset:
        maps = {family: getattr(frame, folder) for family, folder in FAMILY_FOLDERS.items()}
        for instance in frame.instances:
            mask = maps[instance.family] == instance.id
            if not mask.any():
                continue
            number += 1
            annotation = {
                "id": number,
                "image_id": frame.index,
                "category_id": dataset.classes[instance.class_name] + 1,
                "instance": instance.id,
                **coco_fields(mask),
            }
            yield (b",\n" if number > 1 else b"\n") + json.dumps(annotation).encode()
    yield b"\n]"
