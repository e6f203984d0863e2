"""What is exported or imported: the samples that can be, and the classes of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from procgen.errors import BlemishNote
from procgen.surface.layer import Family
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import HEADER
from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample


def looked_through(folder: Path, samples: Sequence[Sample]) -> tuple[list[Sample], dict[str, Family]]:
    """The samples, and every class with its family: of a dataset of Blemish all, in the order of their bits.

    Elsewhere a picture may count as flawed though nothing is marked on it: it is left out, for without a mark it would
    count as good from then on. Raises SampleError where a class is of both families, or nothing is left.
    """
    if (folder / HEADER).is_file():
        entries = sorted(Dataset(folder).header.classes.items(), key=lambda item: item[1].bit)
        return list(samples), {name: entry.family for name, entry in entries}
    kept: list[Sample] = []
    unmarked: list[Sample] = []
    classes: dict[str, Family] = {}
    for sample in samples:
        kinds = sample.truth().kinds()
        for family, name in kinds:
            if classes.setdefault(name, family) != family:
                raise SampleError(f"{folder}: {name} is a class of defects and of impurities; rename one of them")
        flawed = any(family == "defect" for family, _ in kinds)
        (kept if flawed or sample.label == GOOD else unmarked).append(sample)
    if not kept:
        raise SampleError(f"{folder}: none of its {len(samples)} flawed pictures has a mark; mark their defects")
    if unmarked:
        count = f"{len(unmarked)} pictures count" if len(unmarked) > 1 else "1 picture counts"
        warnings.warn(
            f"{folder}: {count} as flawed though nothing is marked on them, such as {unmarked[0].name}; left out",
            BlemishNote,
            stacklevel=2,
        )
    return kept, dict(sorted(classes.items()))
