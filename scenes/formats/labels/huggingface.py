"""A folder for `datasets.load_dataset("imagefolder", data_dir=…)`: pictures, masks and metadata.jsonl, by splits.

    train/images/000000.png    train/masks/000000.png    train/metadata.jsonl

`mask` is of all defects; `instances` is JSON, of every defect and impurity its class, box, area and COCO's run lengths.
Passes of a dataset lie as train/depth/000000.png and the like; what is to be known to read them is JSON in `passes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from scenes.formats.exchange.writer import Entries, Labelled, Setup, Written, described, png_of
from scenes.formats.truth import DefectInstance, of_instances
from scenes.pictures.run_lengths import decoded

SHAPES: tuple[str, ...] = ()
LEARNS_FLAWS = True
HOLDS_PASSES = True


def write(picture: Labelled, setup: Setup) -> Written:
    """The picture and its mask, and its line of metadata put aside."""
    said = described(picture)
    split = said.pop("split")
    instances = said.pop("instances")
    line = {
        "file_name": f"images/{picture.file}",
        "mask_file_name": f"masks/{picture.stem}.png",
        **said,
        "instances": json.dumps(instances),
    }
    files = {
        f"{split}/{line['file_name']}": picture.content,
        f"{split}/{line['mask_file_name']}": png_of(picture.truth.defect),
    }
    for name, (suffix, content) in picture.passes.files.items() if picture.passes else ():
        # A column of pictures where they are such; a path to the numbers of OpenEXR, which is none to that library.
        line[f"{name}_file_name" if suffix == ".png" else f"{name}_path"] = f"{name}/{picture.stem}{suffix}"
        files[f"{split}/{name}/{picture.stem}{suffix}"] = content
    if "passes" in line:
        line["passes"] = json.dumps(line["passes"])
    back = (
        DefectInstance(each["class"], each["family"], decoded(each["segmentation"], picture.shape))
        for each in instances
    )
    return Written(files, of_instances(tuple(back), picture.shape), [split, line])


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The metadata of every split."""
    for split in sorted({split for split, _ in entries()}):
        lines = (json.dumps(line).encode() + b"\n" for of, line in entries() if of == split)
        yield f"{split}/metadata.jsonl", lines
