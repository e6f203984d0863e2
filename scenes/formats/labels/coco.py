"""COCO instances: one JSON file of pictures, categories and annotations, whose masks are run lengths or polygons.

Written are run lengths, so that nothing of a dataset's labels is lost. Of what COCO has no field for, there is more: of
a category its family as `supercategory`, of a picture `surface`, `split`, and `under`, where a class is that lies under
another defect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from procgen.surface.layer import Family
from scenes.datasets.schema import SCENES
from scenes.formats.errors import SampleError
from scenes.formats.exchange.writer import Entries, Labelled, Setup, Written
from scenes.formats.inside import checked, is_file, json_at, named_inside
from scenes.formats.labels.outlines import box_mask
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, DefectInstance, NothingThere, Truth, of_instances
from scenes.pictures.run_lengths import RunLengthError, coco_fields, decoded, encoded

LOOKS_FOR = "a JSON file with images, annotations and categories"
SHAPES: tuple[str, ...] = ()
LEARNS_FLAWS: bool | None = None
HOLDS_PASSES = False
FILE = "annotations.json"
FIELDS = {"images", "annotations", "categories"}
MOST_FILES = 16  # JSON files that are looked into; folders with more of them are of other formats
OUTSIDE = 1.0  # sides of a picture that a polygon may lie beside it


class _Image(BaseModel):
    id: int
    file_name: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    surface: str = ""
    split: str = ""
    under: list[dict[str, Any]] = []


class _Category(BaseModel):
    id: int
    name: str = Field(min_length=1)
    supercategory: str | None = None


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    segmentation: dict[str, Any] | list[list[float]] = []
    bbox: list[float] = []


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True)
class Shape:
    """Where one instance is: run lengths or polygons, else its box. where: the field that says it."""

    class_name: str
    family: Family
    segmentation: Any
    box: tuple[float, ...]
    where: str

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """(H, W). Raises SampleError."""
        height, width = shape
        if isinstance(self.segmentation, dict):
            try:
                return decoded(self.segmentation, shape)
            except RunLengthError as error:
                raise SampleError(f"{self.where}.segmentation: {error}; restore the file") from None
        if self.segmentation:
            return self._of_polygons(height, width)
        if len(self.box) != 4 or not np.isfinite(self.box).all():
            raise SampleError(f"{self.where}: has neither a segmentation nor a bbox of four numbers; mend or remove it")
        left, top, across, down = self.box
        return box_mask(left, top, left + across, top + down, shape)

    def _of_polygons(self, height: int, width: int) -> NDArray[np.bool_]:
        from pycocotools import mask as run_length

        polygons = []
        for polygon in self.segmentation:
            points = np.asarray(polygon, dtype=float)
            if len(points) < 6 or len(points) % 2:
                raise SampleError(
                    f"{self.where}.segmentation: found a polygon of {len(points)} numbers; expected three pairs or more"
                )
            pairs = points.reshape(-1, 2)
            # Far outside, or no numbers, they would have pycocotools take memory without end.
            least, most = -OUTSIDE * np.array([width, height]), (1 + OUTSIDE) * np.array([width, height])
            if not ((pairs >= least) & (pairs <= most)).all():
                raise SampleError(
                    f"{self.where}.segmentation: found points that are none of a picture of {width} x {height} pixels; "
                    "mend or remove it"
                )
            polygons.append(np.clip(pairs, 0, (width, height)).ravel().tolist())
        found: NDArray[np.bool_] = (
            run_length.decode(run_length.merge(run_length.frPyObjects(polygons, height, width))) > 0
        )
        return found


@dataclass(frozen=True, eq=False)
class Instances:
    """The annotations of one picture, and what is of a class but of no instance. path: the file that holds them."""

    path: Path
    size: tuple[int, int]
    shapes: tuple[Shape, ...]
    under: tuple[Shape, ...] = ()

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        if shape != self.size:
            raise SampleError(
                f"{self.path}: images: says {self.size[1]} x {self.size[0]} pixels of {image_path.name}, which has "
                f"{shape[1]} x {shape[0]}; mend one of them"
            )
        return of_instances(_masks(self.shapes, shape), shape)

    def under_others(self) -> tuple[DefectInstance, ...]:
        return _masks(self.under, self.size)

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


def _masks(shapes: Iterable[Shape], shape: tuple[int, int]) -> tuple[DefectInstance, ...]:
    return tuple(DefectInstance(each.class_name, each.family, each.mask(shape)) for each in shapes)


def recognises(folder: Path) -> bool:
    """Whether a JSON file lies there, in annotations/ or in a split's folder, that has COCO's three lists.

    What is left of a damaged dataset of Blemish has one too, and is none.
    """
    return not (folder / SCENES).is_dir() and bool(_files(folder))


def read(folder: Path) -> list[Sample]:
    """The pictures of all its JSON files, in the order of their numbers. Raises SampleError."""
    found: list[Sample] = []
    for path in _files(folder):
        found += _read(folder, path)
    names = [sample.name for sample in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SampleError(f"{folder}: {twice} is listed by more than one image; leave one of them")
    return found


def _read(folder: Path, path: Path) -> list[Sample]:
    written = checked(json_at(path), _Coco, str(path))
    categories = {category.id: category for category in written.categories}
    shapes: dict[int, list[Shape]] = {image.id: [] for image in written.images}
    for number, each in enumerate(written.annotations):
        where = f"{path}: annotations[{number}]"
        if each.image_id not in shapes:
            raise SampleError(f"{where}.image_id: found {each.image_id}, which is no id of images; restore the file")
        shapes[each.image_id].append(_shape(each.category_id, categories, each.segmentation, tuple(each.bbox), where))
    split_of_file = _split_of(folder, path)
    found = []
    for number, image in enumerate(written.images):
        where = f"{path}: images[{number}]"
        picture = _picture(folder, path, image.file_name, f"{where}.file_name")
        under = tuple(
            _shape(each.get("category_id"), categories, each.get("segmentation"), (), f"{where}.under[{place}]")
            for place, each in enumerate(image.under)
        )
        own = tuple(shapes[image.id])
        defects = sorted({shape.class_name for shape in own if shape.family == "defect"})
        annotation: Annotation = NothingThere()
        if own or under:
            annotation = Instances(path, (image.height, image.width), own, under)
        name = picture.relative_to(folder).with_suffix("").as_posix()
        group, split = image.surface or content_group(picture), image.split or split_of_file
        found.append(Sample(name, group, "+".join(defects) or GOOD, picture, annotation, split))
    return found


def _shape(
    category_id: object, categories: dict[int, _Category], segmentation: Any, box: tuple[float, ...], where: str
) -> Shape:
    category = categories.get(category_id) if isinstance(category_id, int) else None
    if category is None:
        raise SampleError(f"{where}.category_id: found {category_id!r:.40}, which is no id of categories; restore it")
    family: Family = "impurity" if category.supercategory == "impurity" else "defect"
    return Shape(category.name, family, segmentation, box, where)


def _files(folder: Path) -> list[Path]:
    """The JSON files of COCO's kind: in the folder itself, in annotations/, or one in every split's folder."""
    for pattern in ("*.json", "annotations/*.json", "*/_annotations.coco.json"):
        candidates = sorted(path for path in folder.glob(pattern) if not path.name.startswith(".") and path.is_file())
        if len(candidates) > MOST_FILES:
            continue
        if found := [path for path in candidates if _is_coco(path, path.stat().st_mtime_ns)]:
            return found
    return []


@lru_cache(64)
def _is_coco(path: Path, changed: int) -> bool:
    try:
        written = json_at(path)
    except SampleError:
        return False
    return isinstance(written, dict) and written.keys() >= FIELDS


def _split_of(folder: Path, path: Path) -> str:
    """What the place or name of a file says of its pictures' split, as instances_train2017.json does."""
    word = path.parent.name if path.name.startswith("_annotations") else path.stem.removeprefix("instances_")
    for split, beginnings in {"train": ("train",), "validation": ("val", "valid"), "test": ("test",)}.items():
        if word.lower().startswith(beginnings):
            return split
    return ""


def _picture(folder: Path, path: Path, name: str, where: str) -> Path:
    """Where a picture lies, that a file names in one of the ways that are usual. Raises SampleError."""
    word = path.stem.removeprefix("instances_")
    bases = (path.parent, folder, path.parent / "images", folder / "images", folder / word, folder / "images" / word)
    places = [named_inside(folder, base, name, where) for base in bases]
    for place in places:
        if is_file(place):
            return place
    raise SampleError(f"{where}: {name!r:.80} is neither {places[0]} nor {places[3]}; put the pictures in one of these")


def write(picture: Labelled, setup: Setup) -> Written:
    """The picture's file, and its annotations put aside for the one file about all."""
    height, width = picture.shape
    file_name = f"images/{picture.file}"
    image: dict[str, Any] = {"file_name": file_name, "height": height, "width": width, "surface": picture.group}
    if picture.split:
        image["split"] = picture.split
    if picture.under:
        image["under"] = [
            {"category_id": setup.number(each.class_name) + 1, "segmentation": encoded(each.mask)}
            for each in picture.under
        ]
    annotations = [
        {"category_id": setup.number(each.class_name) + 1, **coco_fields(each.mask)} for each in picture.truth.instances
    ]
    categories = {number: category for number, category in enumerate(_categories(setup), 1)}
    shapes = [_shape(each["category_id"], categories, each["segmentation"], (), "") for each in annotations]
    under = [_shape(each["category_id"], categories, each["segmentation"], (), "") for each in image.get("under", ())]
    back = of_instances(_masks(shapes, picture.shape), picture.shape)
    return Written({file_name: picture.content}, back, [image, annotations], _masks(under, picture.shape))


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """annotations.json."""
    yield FILE, _pieces(setup, entries)


def _categories(setup: Setup) -> list[_Category]:
    return [
        _Category(id=number, name=name, supercategory=family)
        for number, (name, family) in enumerate(setup.classes.items(), 1)
    ]


def _pieces(setup: Setup, entries: Entries) -> Iterator[bytes]:
    categories = [category.model_dump() for category in _categories(setup)]
    images = [{"id": number, **image} for number, (image, _) in enumerate(entries())]
    yield b'{"categories": ' + json.dumps(categories).encode() + b',\n"images": ' + json.dumps(images).encode()
    yield b',\n"annotations": ['
    number = 0
    for picture, (_, written) in enumerate(entries()):
        for annotation in written:
            number += 1
            whole = {"id": number, "image_id": picture, **annotation}
            yield (b",\n" if number > 1 else b"\n") + json.dumps(whole).encode()
    yield b"\n]}\n"
