"""What is known of a picture: the masks of its defects and impurities, read when they are asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.formats.errors import SampleError
from scenes.pictures.decoding import MOST_PIXELS
from scenes.pictures.masks import read_mask
from scenes.pictures.on_disk import Rows, row_bands

IntegerMap = NDArray[np.integer[Any]]
AT_ONCE = 1 << 21  # pixels, which become indices of eight bytes
EIGHT_CONNECTED = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, eq=False)
class DefectInstance:
    """One defect or impurity: mask (H, W) bool."""

    class_name: str
    family: Family
    mask: NDArray[np.bool_]


class InstanceMaps(Sequence[DefectInstance]):
    """Instances kept as one integer map per family; a mask exists only while somebody looks at it.

    maps: (H, W) non-negative integers by family, 0 where there is none; entries: (family, number in that
    map, class name).
    """

    def __init__(
        self, maps: Mapping[Family, NDArray[np.integer[Any]]], entries: Sequence[tuple[Family, int, str]]
    ) -> None:
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
        return DefectInstance(class_name, family, self._maps[family] == number)

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class of every instance, without making its mask."""
        return [(family, class_name) for family, _, class_name in self._entries]

    def of_family(self, family: Family) -> NDArray[np.bool_] | None:
        """(H, W) where any instance of the family is; None where no map of it is kept."""
        numbers = [number for kind, number, _ in self._entries if kind == family]
        return _is_any_of(self._maps[family], numbers) if family in self._maps else None

    def areas(self, within: Rows | None = None) -> NDArray[np.int64]:
        """(len,) pixels of every instance, only those `within` (H, W) when given: one pass over each map."""
        counts = {}
        for family, labels in self._maps.items():
            highest = max((number for kind, number, _ in self._entries if kind == family), default=0)
            counts[family] = _occurrences(labels, within, highest)
        return np.array([counts[family][number] for family, number, _ in self._entries], dtype=np.int64)


def _occurrences(labels: IntegerMap, within: Rows | None, highest: int) -> NDArray[np.int64]:
    """(1 + highest,) how often each number occurs among labels (H, W), only those `within` (H, W) when given."""
    counts = np.zeros(highest + 1, np.int64)
    for rows in row_bands(labels.shape, AT_ONCE):
        part = labels[rows]
        part = part.ravel() if within is None else part[within[rows]]
        counts += np.bincount(part, minlength=highest + 1)[: highest + 1]
    return counts


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of one picture: defect (H, W) bool, the union of the defect family; instances of both families."""

    defect: NDArray[np.bool_]
    instances: Sequence[DefectInstance] = ()

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class name of every instance."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.kinds()
        return [(instance.family, instance.class_name) for instance in self.instances]

    def of_family(self, family: Family) -> NDArray[np.bool_]:
        """(H, W) where any instance of the family is."""
        if isinstance(self.instances, InstanceMaps):
            found = self.instances.of_family(family)
            return np.zeros(self.defect.shape, bool) if found is None else found
        union = np.zeros(self.defect.shape, bool)
        for instance in self.instances:
            if instance.family == family:
                union |= instance.mask
        return union

    def areas(self, within: Rows | None = None) -> NDArray[np.int64]:
        """(instances,) pixels of every instance, only those `within` (H, W) when given."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.areas(within)
        masks = (instance.mask if within is None else instance.mask & within[:] for instance in self.instances)
        return np.array([np.count_nonzero(mask) for mask in masks], dtype=np.int64)


class Annotation(Protocol):
    """Where the truth of a picture comes from; small and picklable, so that loader processes can carry it."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        """The truth of a picture of this shape (H, W)."""

    def files(self) -> tuple[Path, ...]:
        """The files that decide it."""


@dataclass(frozen=True)
class NothingThere:
    """A picture known to be good."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        return Truth(np.zeros(shape, bool))

    def files(self) -> tuple[Path, ...]:
        return ()


@dataclass(frozen=True)
class EmptyMask:
    """A picture known to be good, whose mask says the same."""

    path: Path

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        if read_mask(self.path, image_path, max(MOST_PIXELS, math.prod(shape)), numbered=True).any():
            raise SampleError(f"{self.path}: marks a defect, though {image_path} is labelled good; mend one of the two")
        return Truth(np.zeros(shape, bool))

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Unknown:
    """A picture that nobody has labelled: asking for its truth is a mistake."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
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

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        values = read_mask(self.path, image_path, max(MOST_PIXELS, math.prod(shape)), numbered=None not in self.classes)
        unnamed = _unnamed(values, self.classes)
        if None not in self.classes and unnamed.any():
            expected = ", ".join(map(str, self.classes))
            raise SampleError(
                f"{self.path}: holds the value {values[unnamed][0]}; expected 0 and {expected} only; mend or remove "
                "this mask"
            )
        return of_components(values, self.classes)

    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class MaskFiles:
    """Mask pictures of image size, each of one defect of the same class."""

    paths: tuple[Path, ...]
    class_name: str

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        masks = [read_mask(path, image_path, max(MOST_PIXELS, math.prod(shape))) > 0 for path in self.paths]
        instances = tuple(DefectInstance(self.class_name, "defect", mask) for mask in masks if mask.any())
        return Truth(np.logical_or.reduce(masks), instances)

    def files(self) -> tuple[Path, ...]:
        return self.paths


def of_components(values: IntegerMap, classes: Mapping[int | None, str]) -> Truth:
    """What a mask (H, W) marks: of every class, the 8-connected components of its value; None: of all other values."""
    from scipy.ndimage import label

    shape, marked = values.shape, _around_marked(values)
    values = values[marked]
    components, numbers = np.zeros(values.shape, np.int32), np.empty(values.shape, np.int32)
    entries: list[tuple[Family, int, str]] = []
    for value, class_name in classes.items():
        own = _unnamed(values, classes) if value is None else values == value
        count = int(label(own, EIGHT_CONNECTED, output=numbers))
        np.add(numbers, len(entries), out=components, where=own)
        entries += [("defect", len(entries) + k + 1, class_name) for k in range(count)]
    labels = np.zeros(shape, np.min_scalar_type(len(entries)))
    labels[marked] = components
    return Truth(labels > 0, InstanceMaps({"defect": labels}, entries))


def _unnamed(values: IntegerMap, classes: Mapping[int | None, str]) -> NDArray[np.bool_]:
    """(H, W) where a mask holds a value above 0 that no class names."""
    named = [value for value in classes if value is not None]
    return (values > 0) & ~_is_any_of(values, named) if named else values > 0


def _is_any_of(values: IntegerMap, numbers: Sequence[int]) -> NDArray[np.bool_]:
    """(H, W) where values are among the numbers: some rows at a time, since NumPy takes many bytes for each pixel."""
    found = np.empty(values.shape, bool)
    for rows in row_bands(values.shape, AT_ONCE):
        found[rows] = np.isin(values[rows], numbers)
    return found


def _around_marked(values: IntegerMap) -> tuple[slice, slice]:
    """The rows and columns within which all values above 0 lie."""
    marked = values > 0
    rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def of_instances(instances: Sequence[DefectInstance], shape: tuple[int, int]) -> Truth:
    """What instances of masks (H, W) say, those that mark nothing left out."""
    kept = tuple(instance for instance in instances if instance.mask.any())
    defect = np.zeros(shape, bool)
    for instance in kept:
        if instance.family == "defect":
            defect |= instance.mask
    return Truth(defect, kept)
