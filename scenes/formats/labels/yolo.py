"""YOLO: a text file a picture with a line an instance: its class's number, and a box, an oriented box or a polygon.

    images/train/000000.png    labels/train/000000.txt    data.yaml

A box is centre, width and height, an oriented box its four corners, a polygon its points, all as shares of the
picture's width and height. What a polygon marks is as OpenCV fills it, points cut off to whole pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.files import content_of
from scenes.formats.errors import SampleError
from scenes.formats.exchange.writer import TEST, TRAIN, VALIDATION, Entries, Labelled, Setup, Written
from scenes.formats.inside import is_file, is_folder, named_inside
from scenes.formats.labels.outlines import box_mask, filled, oriented_box, outline
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, DefectInstance, NothingThere, Truth, of_instances
from scenes.pictures.reading import pictures_in
from scenes.pictures.run_lengths import box_of
from scenes.quantities.distribution import shown
from scenes.recipes.reading import recipe_fields

LOOKS_FOR = "data.yaml with names, and labels/"
POLYGON, BOX, ORIENTED = "polygon", "box", "oriented-box"
SHAPES = (POLYGON, BOX, ORIENTED)
LEARNS_FLAWS = True
HOLDS_PASSES = False
WITHIN = 0.25  # of a pixel: where its corner and its middle are nearer than any other's, cut off or rounded
DIGITS = 7  # of a share: a hundredth of a pixel in pictures of 100,000
SPLITS = {"train": TRAIN, "test": TEST, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION}
FOLDERS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}
OUTSIDE = 1.0  # sides of a picture that a point may lie beside it


@dataclass(frozen=True)
class LabelFile:
    """The lines of one picture. names: of classes by their numbers; impurities: those that are none of defects."""

    path: Path
    names: Mapping[int, str]
    impurities: tuple[str, ...] = ()

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        return of_instances(instances_of(_lines(self.path), self.names, self.impurities, shape, self.path), shape)

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


def recognises(folder: Path) -> bool:
    """Whether a YAML file or classes.txt names classes, and there are labels."""
    labels = any(path.is_dir() for pattern in ("labels", "*/labels") for path in folder.glob(pattern))
    return labels and (_settings_file(folder) is not None or (folder / "classes.txt").is_file())


def read(folder: Path) -> list[Sample]:
    """The pictures of all splits; one without a line is good. Raises SampleError."""
    settings, where = _settings(folder)
    names = _names(settings, where)
    impurities = settings.get("impurities", [])
    if not isinstance(impurities, list) or not all(impurity in names.values() for impurity in impurities):
        raise SampleError(f"{where}: impurities: found {shown(impurities)}; expected some of names")
    splits: dict[Path, str] = {}  # a folder may serve for several: it is of the first in the order of SPLITS
    for field, split in SPLITS.items():
        for place in _places(settings.get(field), field, where):
            for picture in _pictures(folder, place, f"{where}: {field}"):
                splits.setdefault(picture, split)
    if not any(field in settings for field in SPLITS):
        splits = dict.fromkeys(pictures_in(folder / "images"), "")
    return [_sample(folder, picture, split, names, tuple(impurities)) for picture, split in sorted(splits.items())]


def instances_of(
    lines: Sequence[str], names: Mapping[int, str], impurities: Sequence[str], shape: tuple[int, int], path: Path
) -> tuple[DefectInstance, ...]:
    """What the lines of a picture of this shape (H, W) say. Raises SampleError."""
    height, width = shape
    found = []
    for number, line in enumerate(lines, 1):
        where = f"{path}: line {number}"
        try:
            first, *values = (float(word) for word in line.split())
        except ValueError:
            raise SampleError(
                f"{where}: found {shown(line)}; expected numbers: a class, and a box or polygon"
            ) from None
        if first not in names:
            raise SampleError(
                f"{where}: found the class {first:g}; expected one of {shown(sorted(names))}, as names say"
            )
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise SampleError(
                f"{where}: found {len(values)} numbers after the class; expected 4 of a box, 8 of an oriented box, or "
                "6 or more of a polygon's points"
            )
        if not all(math.isfinite(value) and -OUTSIDE <= value <= 1 + OUTSIDE for value in values):
            raise SampleError(f"{where}: found {shown(line)}; expected shares of the picture's sides, from 0 to 1")
        if len(values) == 4:
            x, y, across, down = values
            edges = (
                (x - across / 2) * width,
                (y - down / 2) * height,
                (x + across / 2) * width,
                (y + down / 2) * height,
            )
            mask = box_mask(*edges, shape)
        else:
            mask = filled(np.array(values).reshape(-1, 2) * (width, height), shape)
        name = names[int(first)]
        family: Family = "impurity" if name in impurities else "defect"
        found.append(DefectInstance(name, family, mask))
    return tuple(found)


def line_of(mask: NDArray[np.bool_], number: int, shape: str) -> str:
    """The line of an instance (H, W) that marks something, of class `number`."""
    height, width = mask.shape
    if shape == BOX:
        left, top, across, down = box_of(mask)
        values = np.array([[left + across / 2, top + down / 2], [across, down]])
    elif shape == ORIENTED:
        values = oriented_box(mask)
    else:
        points = outline(mask)
        values = np.concatenate([points, np.repeat(points[-1:], max(0, 3 - len(points)), axis=0)]) + WITHIN
    shares = (values / (width, height)).ravel()
    return " ".join([str(number), *(f"{share:.{DIGITS}f}" for share in shares)])


def write(picture: Labelled, setup: Setup) -> Written:
    """The picture, and its lines; no line where nothing is on it."""
    folder = FOLDERS[picture.split]
    lines = [
        line_of(instance.mask, setup.number(instance.class_name), setup.shape) for instance in picture.truth.instances
    ]
    label = f"labels/{folder}/{picture.stem}.txt"
    files = {f"images/{folder}/{picture.file}": picture.content, label: "".join(f"{x}\n" for x in lines).encode()}
    back = instances_of(lines, dict(enumerate(setup.classes)), _impurities(setup), picture.shape, Path(label))
    return Written(files, of_instances(back, picture.shape), folder)


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """data.yaml, which names classes and folders; `impurities` in it is Blemish's own."""
    there = set(entries())
    settings: dict[str, Any] = {name: f"images/{name}" for name in FOLDERS.values() if name in there}
    settings.setdefault("val", settings.get(FOLDERS[TEST], settings.get(FOLDERS[TRAIN])))  # which trainers ask for
    settings["names"] = dict(enumerate(setup.classes))
    if impurities := _impurities(setup):
        settings["impurities"] = impurities
    yield "data.yaml", [yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()]


def _impurities(setup: Setup) -> list[str]:
    return [name for name, family in setup.classes.items() if family == "impurity"]


def _settings_file(folder: Path) -> Path | None:
    for name in ("data.yaml", "dataset.yaml", "data.yml"):
        if (folder / name).is_file():
            return folder / name
    return None


def _settings(folder: Path) -> tuple[dict[str, Any], Path]:
    """What data.yaml says, or classes.txt, a name a line; and which file that is."""
    path = _settings_file(folder)
    if path is None:
        path = folder / "classes.txt"
        return {"names": [line.strip() for line in _lines(path) if line.strip()]}, path
    written = recipe_fields(path.resolve())
    if not isinstance(written, dict):
        raise SampleError(f"{path}: found {shown(written)}; expected names and folders of pictures")
    return written, path


def _names(settings: dict[str, Any], where: Path) -> dict[int, str]:
    names = settings.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(type(number) is int for number in names):
        raise SampleError(f"{where}: names: found {shown(names)}; expected names of classes, by number or in a list")
    return {number: str(name) for number, name in names.items()}


def _places(written: object, field: str, where: Path) -> list[str]:
    places = [written] if isinstance(written, str) else written or []
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise SampleError(f"{where}: {field}: found {shown(written)}; expected a folder of pictures, or a list of them")
    return places


def _pictures(folder: Path, place: str, where: str) -> list[Path]:
    """The pictures of a folder, or of a text file that lists them.

    A leading ../ is passed over: some programs write it for folders that lie beside the file itself.
    """
    first, second, *_ = [*place.replace("\\", "/").split("/"), ""]
    base = folder / "below" if first == ".." != second else folder
    there = named_inside(folder, base, place, where)
    if is_file(there) and there.suffix == ".txt":
        listed = [line.strip() for line in _lines(there) if line.strip()]
        return [named_inside(folder, folder, line, f"{there}: line {n}") for n, line in enumerate(listed, 1)]
    if not is_folder(there):
        raise SampleError(f"{where}: {there} is no folder; put the pictures there")
    return pictures_in(there) or pictures_in(there / "images" if is_folder(there / "images") else there)


def _sample(folder: Path, picture: Path, split: str, names: Mapping[int, str], impurities: tuple[str, ...]) -> Sample:
    if not is_file(picture):
        raise SampleError(f"{picture}: is listed but missing; restore it or remove its line")
    label_file = _label_file(folder, picture)
    annotation: Annotation = NothingThere()
    classes: set[str] = set()
    if is_file(label_file):
        numbers = {line.split()[0] for line in _lines(label_file)}
        annotation = LabelFile(label_file, dict(names), impurities) if numbers else annotation
        classes = {names.get(_whole(number), number) for number in numbers} - set(impurities)
    name = picture.relative_to(folder).with_suffix("").as_posix()
    return Sample(name, content_group(picture), "+".join(sorted(classes)) or GOOD, picture, annotation, split)


def _whole(word: str) -> int:
    try:
        return int(float(word))
    except (ValueError, OverflowError):
        return -1


def _label_file(folder: Path, picture: Path) -> Path:
    """labels/ in the place of the last images/ of a picture's path, as all readers of YOLO look for it."""
    parts = list(picture.relative_to(folder).with_suffix(".txt").parts)
    for place in reversed(range(len(parts))):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return folder.joinpath(*parts)


def _lines(path: Path) -> list[str]:
    """The lines of a text file that hold something. Raises SampleError."""
    try:
        text = content_of(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SampleError(f"{path}: is no text; restore it") from None
    except OSError as error:
        raise SampleError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    return [line for line in text.splitlines() if line.strip()]
