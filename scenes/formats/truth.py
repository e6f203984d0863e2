"""What is known of a picture: the masks of its defects and impurities, read when they are asked for."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.formats.errors import SampleError
from scenes.pictures.decoding import MOST_PIXELS
from scenes.pictures.masks import read_mask, read_mask_rows
from scenes.pictures.on_disk import ByRows, MadeRows, Rows, beside, shape_of
from scenes.pictures.regions import BandedRegions, bands

IntegerMap = NDArray[np.integer[Any]]
ALL = slice(None)


@dataclass(frozen=True, eq=False)
class DefectInstance:
    """One defect or impurity: mask (H, W) bool."""

    class_name: str
    family: Family
    mask: NDArray[np.bool_]


class InstanceMaps(Sequence[DefectInstance]):
    """Instances kept as one integer map per family; a mask exists only while somebody looks at it.

    maps: (H, W) non-negative integers by family, 0 where there is none, in memory or on a disk; entries: (family,
    number in that map, class name).
    """

    def __init__(self, maps: Mapping[Family, Rows], entries: Sequence[tuple[Family, int, str]]) -> None:
        self._maps, self._entries = dict(maps), tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> DefectInstance: ...
    @overload
    def __getitem__(self, index: slice) -> "InstanceMaps": ...
    def __getitem__(self, index: int | slice) -> "DefectInstance | InstanceMaps":
        if isinstance(index, slice):
            return InstanceMaps(self._maps, self._entries[index])
        family, number, class_name = self._entries[index]
        return DefectInstance(class_name, family, self._maps[family][:] == number)

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class of every instance, without making its mask."""
        return [(family, class_name) for family, _, class_name in self._entries]

    def masks(self, places: Collection[int], rows: slice = ALL) -> Iterator[NDArray[np.bool_]]:
        """(h, W) of some rows, by family, where any of the instances at these places is."""
        for family, labels in self._maps.items():
            entries = (self._entries[place] for place in places)
            if numbers := [number for kind, number, _ in entries if kind == family]:
                yield _is_any_of(labels[rows], numbers)

    def areas(self, within: Rows | None = None) -> NDArray[np.int64]:
        """(len,) pixels of every instance, only those `within` (H, W) when given: one pass over each map."""
        counts = {}
        for family, labels in self._maps.items():
            highest = max((number for kind, number, _ in self._entries if kind == family), default=0)
            counts[family] = _occurrences(labels, within, highest)
        return np.array([counts[family][number] for family, number, _ in self._entries], dtype=np.int64)

    def in_memory(self) -> "InstanceMaps":
        """The same with maps in memory."""
        return InstanceMaps({family: labels[:] for family, labels in self._maps.items()}, self._entries)


def _occurrences(labels: Rows, within: Rows | None, highest: int) -> NDArray[np.int64]:
    """(1 + highest,) how often each number occurs among labels (H, W), only those `within` (H, W) when given."""
    counts = np.zeros(highest + 1, np.int64)
    for rows in bands(labels.shape):
        part = labels[rows]
        part = part.ravel() if within is None else part[within[rows]]
        counts += np.bincount(part, minlength=highest + 1)[: highest + 1]
    return counts


@dataclass(frozen=True, eq=False)
class BandedTruth:
    """What is known of one picture, some rows of it at a time: of a large one it may lie on a disk.

    defect: (H, W) bool, the union of the defect family; instances: of both families.
    """

    defect: ByRows
    instances: Sequence[DefectInstance] = ()

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class name of every instance."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.kinds()
        return [(instance.family, instance.class_name) for instance in self.instances]

    def union(self, places: Collection[int], rows: slice = ALL) -> NDArray[np.bool_]:
        """(h, W) of some rows, where any of the instances at these places is."""
        if isinstance(self.instances, InstanceMaps):
            masks = self.instances.masks(places, rows)
        else:
            masks = (self.instances[place].mask[rows] for place in places)
        found = np.zeros(shape_of(rows, self.defect.shape), np.bool_)
        for mask in masks:
            found |= mask
        return found

    def of_family(self, family: Family, rows: slice = ALL) -> NDArray[np.bool_]:
        """(h, W) of some rows, where any instance of the family is."""
        return self.union([place for place, (kind, _) in enumerate(self.kinds()) if kind == family], rows)

    def areas(self, within: Rows | None = None) -> NDArray[np.int64]:
        """(instances,) pixels of every instance, only those `within` (H, W) when given."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.areas(within)
        areas = np.zeros(len(self.instances), np.int64)
        for rows in bands(self.defect.shape):
            counted = True if within is None else within[rows]
            masks = (instance.mask[rows] & counted for instance in self.instances)
            areas += np.array([np.count_nonzero(mask) for mask in masks], np.int64)
        return areas

    def in_memory(self) -> "Truth":
        """The same with all masks in memory."""
        instances = self.instances
        return Truth(self.defect[:], instances.in_memory() if isinstance(instances, InstanceMaps) else instances)


@dataclass(frozen=True, eq=False)
class Truth(BandedTruth):
    """What is known of one picture, in memory."""

    defect: NDArray[np.bool_]


class Annotation(Protocol):
    """Where the truth of a picture comes from; small and picklable, so that loader processes can carry it."""

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> BandedTruth:
        """The truth of a picture of this shape (H, W).

        folder: on whose disk that of a large one may lie, where it can be read so; None: all is in memory.
        """

    def files(self) -> tuple[Path, ...]:
        """The files that decide it."""


@dataclass(frozen=True)
class NothingThere:
    """A picture known to be good."""

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> BandedTruth:
        return _nothing(shape)

    def files(self) -> tuple[Path, ...]:
        return ()


@dataclass(frozen=True)
class EmptyMask:
    """A picture known to be good, whose mask says the same."""

    path: Path

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> BandedTruth:
        values = read_mask_rows(self.path, image_path, max(MOST_PIXELS, math.prod(shape)), folder, numbered=True)
        if any(values[rows].any() for rows in bands(values.shape)):
            raise SampleError(f"{self.path}: marks a defect, though {image_path} is labelled good; mend one of the two")
        return _nothing(shape)

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Unknown:
    """A picture that nobody has labelled: asking for its truth is a mistake."""

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> BandedTruth:
        raise SampleError(f"{image_path}: is unlabelled, so it can be neither trained on nor judged; leave it out")

    def files(self) -> tuple[Path, ...]:
        return ()


@dataclass(frozen=True)
class MaskFile:
    """A mask picture of image size; `classes` names its values, None in it every other value above 0.

    Instances of a class are its 8-connected components.
    """

    path: Path
    classes: Mapping[int | None, str]

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> BandedTruth:
        most_pixels, numbered = max(MOST_PIXELS, math.prod(shape)), None not in self.classes
        values = read_mask_rows(self.path, image_path, most_pixels, folder, numbered=numbered)
        if numbered:
            self._refuse_unnamed(values)
        return banded_components(values, self.classes)

    def _refuse_unnamed(self, values: Rows) -> None:
        for rows in bands(values.shape):
            unnamed = values[rows][_unnamed(values[rows], self.classes)]
            if unnamed.size:
                expected = ", ".join(map(str, self.classes))
                raise SampleError(
                    f"{self.path}: holds the value {unnamed[0]}; expected 0 and {expected} only; mend or remove this "
                    "mask"
                )

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class MaskFiles:
    """Mask pictures of image size, each of one defect of the same class."""

    paths: tuple[Path, ...]
    class_name: str

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        masks = [read_mask(path, image_path, max(MOST_PIXELS, math.prod(shape))) > 0 for path in self.paths]
        instances = tuple(DefectInstance(self.class_name, "defect", mask) for mask in masks if mask.any())
        return Truth(np.logical_or.reduce(masks), instances)

    def files(self) -> tuple[Path, ...]:
        return self.paths


def _nothing(shape: tuple[int, int]) -> BandedTruth:
    return BandedTruth(MadeRows(shape, lambda rows: np.zeros(shape_of(rows, shape), np.bool_)))


def of_components(values: IntegerMap, classes: Mapping[int | None, str]) -> Truth:
    """What a mask (H, W) marks: of every class, the 8-connected components of its value; None: of all other values.

    They are numbered class by class, in the order of their first pixels, row by row.
    """
    return banded_components(values, classes).in_memory()


def banded_components(values: Rows, classes: Mapping[int | None, str]) -> BandedTruth:
    """The same of a mask that may lie on a disk, where their numbers come to lie too."""
    each: list[tuple[BandedRegions, int]] = []  # with the number of components before it
    entries: list[tuple[Family, int, str]] = []
    for value, class_name in classes.items():
        regions, before = BandedRegions(_of_value(values, value, classes)), len(entries)
        entries += [("defect", before + number, class_name) for number in range(1, len(regions.sizes))]
        each.append((regions, before))
    labels = beside(values, values.shape, np.min_scalar_type(len(entries)))
    for rows in bands(values.shape):
        if values[rows].any():
            numbers = ((regions.numbers(rows), before) for regions, before in each)
            labels[rows] = sum(np.where(number > 0, number + before, 0) for number, before in numbers)
    defect = MadeRows(values.shape, lambda rows: labels[rows] > 0)
    return BandedTruth(defect, InstanceMaps({"defect": labels}, entries))


def _of_value(values: Rows, value: int | None, classes: Mapping[int | None, str]) -> ByRows:
    """(H, W) where a mask holds the value; None: another one above 0 than those that classes name."""
    if value is None:
        return MadeRows(values.shape, lambda rows: _unnamed(values[rows], classes))
    return MadeRows(values.shape, lambda rows: values[rows] == value)


def _unnamed(values: IntegerMap, classes: Mapping[int | None, str]) -> NDArray[np.bool_]:
    """(H, W) where a mask holds a value above 0 that no class names."""
    named = [value for value in classes if value is not None]
    return (values > 0) & ~_is_any_of(values, named) if named else values > 0


def _is_any_of(values: IntegerMap, numbers: Sequence[int]) -> NDArray[np.bool_]:
    """(H, W) where values are among the numbers: some rows at a time, since NumPy takes many bytes for each pixel."""
    found = np.empty(values.shape, bool)
    for rows in bands(values.shape):
        found[rows] = np.isin(values[rows], numbers)
    return found


def of_instances(instances: Sequence[DefectInstance], shape: tuple[int, int]) -> Truth:
    """What instances of masks (H, W) say, those that mark nothing left out."""
    kept = tuple(instance for instance in instances if instance.mask.any())
    defect = np.zeros(shape, bool)
    for instance in kept:
        if instance.family == "defect":
            defect |= instance.mask
    return Truth(defect, kept)
