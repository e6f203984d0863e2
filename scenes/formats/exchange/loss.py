"""What of the labels a format keeps: instances and pixels, as a reader finds them, beside what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.formats.truth import DefectInstance, Truth


@dataclass(frozen=True)
class Kept:
    """Counts over pictures.

    instances: written; found: read back; same: of class, family and every pixel. labelled: pixels, counted once for
    every class that is there; differing: those of classes that are there and not read back, or the reverse.
    """

    instances: int = 0
    found: int = 0
    same: int = 0
    labelled: int = 0
    differing: int = 0

    def __add__(self, other: Kept) -> Kept:
        return Kept(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def everything(self) -> bool:
        return self.same == self.instances == self.found and not self.differing

    def as_json(self) -> dict[str, int]:
        return asdict(self)

    def told(self) -> list[str]:
        """For people, a line each."""
        if self.everything:
            return [f"labels     all {self.instances} instances come back as they were, pixel by pixel"]
        share = 100 * self.differing / max(1, self.labelled)
        return [
            f"instances  {self.same} of {self.instances} come back as they were; {self.found} are found",
            f"pixels     {self.differing} of {self.labelled} labels of pixels differ, {share:.2g} %",
        ]


def kept(
    written: Truth, back: Truth, under: Sequence[DefectInstance] = (), back_under: Sequence[DefectInstance] = ()
) -> Kept:
    """What comes back of one picture. under: of a class, but of no instance."""
    ours, theirs = (Counter(map(_key, truth.instances)) for truth in (written, back))
    before, after = _by_class(written, under), _by_class(back, back_under)
    nothing = np.zeros(written.defect.shape, bool)
    return Kept(
        ours.total(),
        theirs.total(),
        (ours & theirs).total(),
        sum(int(np.count_nonzero(mask)) for mask in before.values()),
        sum(
            int(np.count_nonzero(before.get(kind, nothing) ^ after.get(kind, nothing)))
            for kind in before.keys() | after.keys()
        ),
    )


def _key(instance: DefectInstance) -> tuple[Family, str, bytes]:
    return instance.family, instance.class_name, np.packbits(instance.mask).tobytes()


def _by_class(truth: Truth, under: Sequence[DefectInstance]) -> dict[tuple[Family, str], NDArray[np.bool_]]:
    found: dict[tuple[Family, str], NDArray[np.bool_]] = {}
    for instance in (*truth.instances, *under):
        kind = instance.family, instance.class_name
        found[kind] = found[kind] | instance.mask if kind in found else instance.mask
    return found
