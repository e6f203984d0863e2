"""What of the labels a format keeps: instances and pixels, as a reader finds them, beside what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.formats.truth import DefectInstance, Truth

FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True)
class Kept:
    """Counts over `pictures`.

    instances: written; found: read back; same: of class, family and every pixel. marked: pixels that are of a family,
    before or after; moved: those that are of it once only; renamed: those that are of other classes of it then.
    defects_marked, defects_moved: of these, those of the defect family.
    """

    pictures: int = 0
    instances: int = 0
    found: int = 0
    same: int = 0
    marked: int = 0
    moved: int = 0
    renamed: int = 0
    defects_marked: int = 0
    defects_moved: int = 0

    def __add__(self, other: Kept) -> Kept:
        return Kept(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def everything(self) -> bool:
        return self.same == self.instances == self.found and not self.moved and not self.renamed

    def as_json(self) -> dict[str, int]:
        return asdict(self)

    def told(self) -> list[str]:
        """For people, a line each."""
        if self.everything:
            return [f"labels     all {self.instances} instances come back as they were, pixel by pixel"]
        return [
            f"instances  {self.same} of {self.instances} come back as they were; {self.found} are found",
            f"pixels     {self.moved} of {self.marked} marked ones are lost or added, "
            f"{percent(self.moved, self.marked):.2g} %; of those of defects {self.defects_moved} of "
            f"{self.defects_marked}, {percent(self.defects_moved, self.defects_marked):.2g} %",
            f"classes    {self.renamed} of them are of other classes, {percent(self.renamed, self.marked):.2g} %",
        ]


def percent(count: int, whole: int) -> float:
    return 100 * count / max(1, whole)


def kept(
    written: Truth, back: Truth, under: Sequence[DefectInstance] = (), back_under: Sequence[DefectInstance] = ()
) -> Kept:
    """What comes back of one picture. under: of a class, but of no instance."""
    ours, theirs = (Counter(map(_key, truth.instances)) for truth in (written, back))
    marked, moved, renamed = ({family: 0 for family in FAMILIES} for _ in range(3))
    before, after = _by_class(written, under), _by_class(back, back_under)
    nothing = np.zeros(written.defect.shape, bool)
    for family in FAMILIES:
        kinds = [kind for kind in before.keys() | after.keys() if kind[0] == family]
        pairs = [(before.get(kind, nothing), after.get(kind, nothing)) for kind in kinds]
        was, found, off = nothing.copy(), nothing.copy(), nothing.copy()
        for one, other in pairs:
            was |= one
            found |= other
            off |= one ^ other
        marked[family] = int(np.count_nonzero(was | found))
        moved[family] = int(np.count_nonzero(was ^ found))
        renamed[family] = int(np.count_nonzero(off & ~(was ^ found)))
    return Kept(
        1,
        ours.total(),
        theirs.total(),
        (ours & theirs).total(),
        sum(marked.values()),
        sum(moved.values()),
        sum(renamed.values()),
        marked["defect"],
        moved["defect"],
    )


def _key(instance: DefectInstance) -> tuple[Family, str, bytes]:
    return instance.family, instance.class_name, np.packbits(instance.mask).tobytes()


def _by_class(truth: Truth, under: Sequence[DefectInstance]) -> dict[tuple[Family, str], NDArray[np.bool_]]:
    found: dict[tuple[Family, str], NDArray[np.bool_]] = {}
    for instance in (*truth.instances, *under):
        kind = instance.family, instance.class_name
        found[kind] = found[kind] | instance.mask if kind in found else instance.mask
    return found
