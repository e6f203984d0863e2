"""Pictures as learners see them: pixels, a mask of classes, boxes, a class, and how much each counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scenes.formats.sample import GOOD, UNLABELLED, Sample

IGNORED = 255  # in a mask of classes: neither trained on nor judged


@dataclass(frozen=True)
class Classes:
    """The classes of a study: `names` of defects; class 0 is good, or the background, and names[k - 1] is class k.

    meanings: what sources call them, each with the class it stands for. Whatever else a source may name is left out:
    its pixels are IGNORED.
    """

    names: tuple[str, ...]
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_names(self) -> tuple[str, ...]:
        """With class 0 before the defects."""
        return (GOOD, *self.names)

    def number(self, name: str) -> int | None:
        """The class of what a source calls so, 1 and above, or 0 for "good"; None where it stands for none."""
        if name == GOOD:
            return 0
        meant = self.meanings.get(name, name)
        return self.names.index(meant) + 1 if meant in self.names else None


@dataclass(frozen=True)
class LabelledPicture:
    """A sample with its truth in the classes of a study; everything is read when it is asked for.

    weight: what its loss counts for, 1 unless its dataset or its arm says otherwise. is_synthetic: from an arm's
    dataset, not from the real set. truth_of: whose truth it has where that is not its own: of an arm that is to learn
    nothing.
    """

    sample: Sample
    classes: Classes
    weight: float = 1.0
    is_synthetic: bool = False
    truth_of: Sample | None = None

    @property
    def name(self) -> str:
        return self.sample.name

    @property
    def surface(self) -> str:
        """Which physical surface it shows: what a split never parts, and the bootstrap draws."""
        return self.sample.group

    @cached_property
    def labels(self) -> frozenset[int]:
        """The classes that it shows, 1 and above; empty for a good picture. Classes outside the study are left out."""
        label = self._known.label
        words = () if label in (GOOD, UNLABELLED) else label.split("+")
        return frozenset(number for word in words if (number := self.classes.number(word)) is not None)

    @cached_property
    def label(self) -> int | None:
        """Its class, 0 where it is good; None where it shows several, or a defect of no class of the study."""
        if self._known.label == GOOD:
            return 0
        known = [self.classes.number(word) for word in self._known.label.split("+")]
        return known[0] if len(known) == 1 else None

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB."""
        return self.sample.image()

    def class_mask(self) -> NDArray[np.uint8]:
        """(H, W): 0 background, k a defect of class k, IGNORED where a defect has no class here or no picture is.

        Where instances lie over each other, the last one counts.
        """
        truth, valid = self._known.truth(), self._known.valid_mask()
        mask = np.zeros(truth.defect.shape, np.uint8)
        for instance, (family, name) in zip(truth.instances, truth.kinds(), strict=True):
            if family == "defect":
                mask[instance.mask] = _or_ignored(self.classes.number(name))
        mask[truth.defect & (mask == 0)] = IGNORED  # a defect without an instance
        if valid is not None:
            mask[~valid] = IGNORED
        if self.truth_of is None:
            return mask
        rows, columns = (
            np.arange(own) * other // own for own, other in zip(self.sample.shape(), mask.shape, strict=True)
        )
        resized: NDArray[np.uint8] = mask[np.ix_(rows, columns)]
        return resized

    def boxes(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Boxes (N, 4) of its defects, as x and y of the first corner and of the last, in pixels; their classes (N,).

        The last corner lies beyond the last pixel, so that a single pixel has area 1. Defects of no class of the study
        have none.
        """
        truth = self._known.truth()
        boxes, numbers = [], []
        for instance, (family, name) in zip(truth.instances, truth.kinds(), strict=True):
            number = self.classes.number(name)
            if family == "defect" and number is not None:
                rows, columns = np.flatnonzero(instance.mask.any(axis=1)), np.flatnonzero(instance.mask.any(axis=0))
                boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
                numbers.append(number)
        found = np.array(boxes, np.float32).reshape(-1, 4)
        if self.truth_of is not None:
            (height, width), (other_height, other_width) = self.sample.shape(), truth.defect.shape
            found *= np.array([width / other_width, height / other_height] * 2, np.float32)
        return found, np.array(numbers, np.int64)

    @property
    def _known(self) -> Sample:
        return self.truth_of or self.sample


def undecided(picture: LabelledPicture) -> str:
    """Why nothing is known of what a picture shows, or ""."""
    return "not labelled" if picture.sample.label == UNLABELLED else ""


def surfaces_of(pictures: Sequence[LabelledPicture]) -> tuple[tuple[str, ...], list[int], NDArray[np.bool_]]:
    """The surfaces of pictures, G of them, sorted; which one each picture shows; and whether each is defective (G,)."""
    surfaces = tuple(sorted({picture.surface for picture in pictures}))
    place = {name: index for index, name in enumerate(surfaces)}
    places = [place[picture.surface] for picture in pictures]
    defective = np.zeros(len(surfaces), bool)
    for index, picture in zip(places, pictures, strict=True):
        defective[index] |= picture.sample.label != GOOD
    return surfaces, places, defective


@dataclass(frozen=True)
class TrainingSet:
    """What one arm is trained on: real pictures first, then synthetic ones.

    epoch_length: pictures in an epoch, the same for every arm, so that all take the same number of steps.
    synthetic_share: of each epoch, and so of each batch; None: as many as there are among all pictures.
    """

    pictures: tuple[LabelledPicture, ...]
    epoch_length: int
    synthetic_share: float | None = None

    def epoch(self, number: int, seed: int) -> list[int]:
        """Indices of the pictures that an epoch shows, in order; no picture comes again before all others came.

        With a share, real and synthetic pictures are mixed evenly, each kind in an order of its own.
        """
        every = range(len(self.pictures))
        kinds = [[k for k in every if self.pictures[k].is_synthetic is kind] for kind in (False, True)]
        begin, end = number * self.epoch_length, (number + 1) * self.epoch_length
        share = self.synthetic_share
        if share is None or not all(kinds):
            return _stream(list(every), begin, end, (seed, 2))
        synthetic = [int((place + 1) * share) > int(place * share) for place in range(begin, end)]
        first = int(begin * share)
        drawn = {
            True: iter(_stream(kinds[True], first, first + sum(synthetic), (seed, 1))),
            False: iter(_stream(kinds[False], begin - first, end - first - sum(synthetic), (seed, 0))),
        }
        return [next(drawn[kind]) for kind in synthetic]


def _stream(members: Sequence[int], begin: int, end: int, seed: tuple[int, ...]) -> list[int]:
    """Places `begin` to `end` of permutations of the members, one after the other."""
    count = len(members)
    first, last = begin // count, -(-end // count)
    rounds = [np.random.default_rng([*seed, k]).permutation(count) for k in range(first, last)]
    return [
        members[int(k)] for k in np.concatenate([*rounds, []]).astype(int)[begin - first * count : end - first * count]
    ]


def _or_ignored(number: int | None) -> int:
    return IGNORED if number is None else number
