"""What is known of a picture as the maps of a dataset: bits of classes, and numbers of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import MOST_INSTANCES, Family, Instance
from scenes.formats.errors import SampleError
from scenes.formats.truth import DefectInstance, Truth

Ids = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class NumberedMaps:
    """classes, defects, impurities: (H, W) uint16, as a dataset holds them; covered: instances of which a later one of
    their family hides pixels, for a map holds one number a pixel."""

    classes: Ids
    defects: Ids
    impurities: Ids
    instances: tuple[Instance, ...]
    covered: int


def numbered(truth: Truth, bits: Mapping[str, int], also: Sequence[DefectInstance] = ()) -> NumberedMaps:
    """Instances numbered from 1 in either family, in their order. bits: class name -> bit of the class map.

    also: what has its class's bit and no number. Raises SampleError for more than a map can number.
    """
    shape = truth.defect.shape
    ids: dict[Family, Ids] = {"defect": np.zeros(shape, np.uint16), "impurity": np.zeros(shape, np.uint16)}
    classes = np.zeros(shape, np.uint16)
    counts: dict[Family, int] = {"defect": 0, "impurity": 0}
    hidden: set[tuple[Family, int]] = set()
    instances = []
    for found in truth.instances:
        number = counts[found.family] = counts[found.family] + 1
        if number > MOST_INSTANCES:
            raise SampleError(f"a picture with more than {MOST_INSTANCES} {found.family} instances; mark fewer")
        under = ids[found.family][found.mask]
        hidden |= {(found.family, int(below)) for below in np.unique(under[under > 0])}
        ids[found.family][found.mask] = number
        classes[found.mask] |= np.uint16(1 << bits[found.class_name])
        instances.append(Instance(number, found.family, found.class_name))
    for found in also:
        classes[found.mask] |= np.uint16(1 << bits[found.class_name])
    return NumberedMaps(classes, ids["defect"], ids["impurity"], tuple(instances), len(hidden))
