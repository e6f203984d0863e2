"""LabelMe: a JSON file beside every picture with its shapes: masks, polygons, rectangles and circles.

A picture whose file lists no shape is good; one without a file is unlabelled. Shapes of one label and `group_id` are
one instance. Of what LabelMe has no field for, a shape's flag `impurity` is Blemish's own.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field

from scenes.formats.errors import SampleError
from scenes.formats.exchange.writer import Entries, Labelled, Setup, Written, png_of
from scenes.formats.inside import checked, is_file, json_at, named_inside
from scenes.formats.labels.outlines import box_mask, filled, outline
from scenes.formats.sample import GOOD, UNLABELLED, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, DefectInstance, NothingThere, Truth, Unknown, of_instances
from scenes.pictures.reading import is_hidden, pictures_in
from scenes.pictures.run_lengths import box_of

LOOKS_FOR = "JSON files with shapes and imagePath"
MASK, POLYGON = "mask", "polygon"
SHAPES = (MASK, POLYGON)
LEARNS_FLAWS: bool | None = None
HOLDS_PASSES = False
VERSION = "5.4.1"  # of LabelMe, the first files of which hold masks as these do
MOST_FLAGS = 1000
OUTSIDE = 1.0  # sides of a picture that a point may lie beside it


class _Shape(BaseModel):
    label: str = Field(min_length=1)
    points: list[tuple[float, float]]
    shape_type: str | None = POLYGON
    group_id: int | None = None
    flags: dict[str, bool] | None = Field(None, max_length=MOST_FLAGS)
    mask: str | None = None


class _File(BaseModel):
    shapes: list[_Shape]
    image_path: str = Field(alias="imagePath")
    height: int | None = Field(None, alias="imageHeight")
    width: int | None = Field(None, alias="imageWidth")


@dataclass(frozen=True)
class Shapes:
    """The shapes of one picture, in the file at `path`."""

    path: Path

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        written = checked(json_at(self.path), _File, str(self.path))
        for side, said, found in (("Height", written.height, shape[0]), ("Width", written.width, shape[1])):
            if said not in (None, found):
                raise SampleError(
                    f"{self.path}: image{side}: found {said}, but {image_path.name} has {found} pixels; mend one"
                )
        return of_instances(_instances(written.shapes, shape, str(self.path)), shape)

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


def recognises(folder: Path) -> bool:
    """Whether the first JSON file in the folder, or in a folder of it, is one of LabelMe's."""
    first = next((path for pattern in ("*.json", "*/*.json") for path in sorted(folder.glob(pattern))), None)
    if first is None or not is_file(first):
        return False
    try:
        written = json_at(first)
    except SampleError:
        return False
    return isinstance(written, dict) and written.keys() >= {"shapes", "imagePath"}


def read(folder: Path) -> list[Sample]:
    """The pictures that the files name, and those without a file. Raises SampleError."""
    found: dict[Path, Sample] = {}
    for path in sorted(path for path in folder.rglob("*.json") if not is_hidden(path)):
        written = json_at(path)
        if not isinstance(written, dict) or "shapes" not in written:
            continue
        file = checked(written, _File, str(path))
        picture = named_inside(folder, path.parent, file.image_path, f"{path}: imagePath")
        if not is_file(picture):
            raise SampleError(f"{path}: imagePath: {picture} is missing; restore it or remove the file")
        if picture in found:
            raise SampleError(f"{path}: imagePath: {picture} has another file already; leave one of them")
        labels = sorted({shape.label for shape in file.shapes if not _is_impurity(shape)})
        annotation: Annotation = Shapes(path) if file.shapes else NothingThere()
        found[picture] = _sample(folder, picture, "+".join(labels) or GOOD, annotation)
    for place in {picture.parent for picture in found}:
        for picture in pictures_in(place):
            found.setdefault(picture, _sample(folder, picture, UNLABELLED, Unknown()))
    return sorted(found.values(), key=lambda sample: sample.name)


def _sample(folder: Path, picture: Path, label: str, annotation: Annotation) -> Sample:
    name = picture.relative_to(folder).with_suffix("").as_posix()
    return Sample(name, content_group(picture), label, picture, annotation)


def _is_impurity(shape: _Shape) -> bool:
    return bool((shape.flags or {}).get("impurity"))


def _instances(shapes: Iterable[_Shape], size: tuple[int, int], where: str) -> tuple[DefectInstance, ...]:
    """The instances (H, W), shapes of one group joined. Raises SampleError."""
    joined: dict[object, DefectInstance] = {}
    for number, shape in enumerate(shapes):
        key = number if shape.group_id is None else (shape.group_id, shape.label)
        mask = _mask(shape, size, f"{where}: shapes[{number}]")
        if key in joined:
            mask = mask | joined[key].mask
        joined[key] = DefectInstance(shape.label, "impurity" if _is_impurity(shape) else "defect", mask)
    return tuple(joined.values())


def _mask(shape: _Shape, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """(H, W), as LabelMe itself draws it."""
    height, width = size
    points = np.array(shape.points, dtype=float).reshape(-1, 2)
    least, most = -OUTSIDE * np.array([width, height]), (1 + OUTSIDE) * np.array([width, height])
    if not ((points >= least) & (points <= most)).all():
        raise SampleError(f"{where}.points: found points that are none of a picture of {width} x {height} pixels")
    kind = shape.shape_type or POLYGON
    expected = {"rectangle": 2, "circle": 2, MASK: 2}.get(kind)
    if expected not in (None, len(points)) or (kind == POLYGON and len(points) < 3):
        raise SampleError(f"{where}.points: found {len(points)}; expected {expected or '3 or more'} of a {kind}")
    if kind == POLYGON:
        return filled(points, size)
    if kind == "rectangle":
        (left, top), (right, bottom) = np.floor(points.min(axis=0)), np.floor(points.max(axis=0))
        return box_mask(left, top, right + 1, bottom + 1, size)
    if kind == "circle":
        (x, y), (u, v) = points
        rows, columns = np.ogrid[:height, :width]
        circle: NDArray[np.bool_] = (columns - x) ** 2 + (rows - y) ** 2 <= (u - x) ** 2 + (v - y) ** 2
        return circle
    if kind != MASK:
        raise SampleError(
            f"{where}.shape_type: found {kind!r:.40}, which covers no pixels; expected mask, polygon, rectangle or "
            "circle"
        )
    return _of_picture(shape, points, size, where)


def _of_picture(shape: _Shape, points: NDArray[np.float64], size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """The mask of a shape that holds it as a picture, from its first point on."""
    (left, top), (right, bottom) = points.astype(int)
    try:
        with Image.open(BytesIO(base64.b64decode(shape.mask or "", validate=True))) as picture:
            if picture.size != (right - left + 1, bottom - top + 1):
                raise ValueError(f"is {picture.width} x {picture.height} pixels")
            own = np.array(picture.convert("L") if picture.mode != "1" else picture) > 0
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise SampleError(
            f"{where}.mask: expected a PNG in base64 of {right - left + 1} x {bottom - top + 1} pixels, as its points "
            "say; restore it"
        ) from None
    mask = np.zeros(size, bool)
    if left < 0 or top < 0 or right >= size[1] or bottom >= size[0]:
        raise SampleError(f"{where}.points: found a mask that reaches out of its picture; mend or remove it")
    mask[top : bottom + 1, left : right + 1] = own
    return mask


def shape_of(instance: DefectInstance, kind: str) -> dict[str, Any]:
    """An instance that marks something as LabelMe has it."""
    points: list[list[float]]
    content = None
    if kind == MASK:
        left, top, across, down = box_of(instance.mask)
        points = [[left, top], [left + across - 1, top + down - 1]]
        own = instance.mask[top : top + down, left : left + across].astype(np.uint8)
        content = base64.b64encode(png_of(own)).decode()
    else:
        path = outline(instance.mask).tolist()
        points = [*path, *(path[-1:] * max(0, 3 - len(path)))]
    return {
        "label": instance.class_name,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {"impurity": True} if instance.family == "impurity" else {},
        "mask": content,
    }


def write(picture: Labelled, setup: Setup) -> Written:
    """The picture and its file."""
    height, width = picture.shape
    file: dict[str, Any] = {
        "version": VERSION,
        "flags": {},
        "shapes": [shape_of(instance, setup.shape) for instance in picture.truth.instances],
        "imagePath": picture.file,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    content = json.dumps(file, indent=1).encode()
    shapes = checked(json.loads(content), _File, picture.name).shapes
    back = of_instances(_instances(shapes, picture.shape, picture.name), picture.shape)
    return Written({picture.file: picture.content, f"{picture.stem}.json": content}, back)


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Nothing more: every picture has its file."""
    return iter(())
