"""The defects and impurities that a frame shows: how large, how plain to see, and where."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Instance
from scenes.datasets.reader import Frame
from scenes.datasets.schema import FAMILY_FOLDERS
from scenes.gallery.sight import sighted
from scenes.gallery.thumbnails import grey_of
from scenes.parts import build_part
from scenes.pictures.surroundings import within_and_around

LEAST_NOISE = 0.5 / 255  # what rounding to 8 bits leaves unseen


@dataclass(frozen=True)
class Thing:
    """One defect or impurity in sight.

    area: pixels. contrast: to noise, NaN where nothing bare is around it. column, row: of the pixel of it nearest to
    its middle, 0 to 1 over the picture. chart, u, v: where that lies on the part, -1 and NaN where that is not known.
    runs: its mask as COCO's run lengths.
    """

    class_name: str
    id: int
    area: int
    contrast: float
    column: float
    row: float
    chart: int
    u: float
    v: float
    runs: str


def seen(frame: Frame) -> Iterator[tuple[Instance, NDArray[np.bool_]]]:
    """What a frame shows, with its mask (H, W): defects, then impurities, as its scene lists them."""
    maps = {family: getattr(frame, folder) for family, folder in FAMILY_FOLDERS.items()}
    present = {family: set(np.flatnonzero(np.bincount(ids.ravel())).tolist()) for family, ids in maps.items()}
    for family in FAMILY_FOLDERS:
        for instance in frame.instances:
            if instance.family == family and instance.id in present[family]:
                yield instance, maps[family] == instance.id


def things(frame: Frame) -> list[Thing]:
    """Every thing that a frame shows, measured."""
    from pycocotools import mask as run_length

    grey = grey_of(frame.image)
    bare = (frame.defects == 0) & (frame.impurities == 0)
    found = [(instance, mask, middle(mask)) for instance, mask in seen(frame)]
    if not found:
        return []
    places = np.array([place for _, _, place in found], dtype=float)
    if frame.scene.own is None:
        charts, uv = sighted(build_part(frame.scene.part), frame.scene.camera, places[:, ::-1] + 0.5)
    else:  # on objects that only the user's file holds
        charts, uv = np.full(len(found), -1), np.full((len(found), 2), np.nan)
    result = []
    for number, (instance, mask, (row, column)) in enumerate(found):
        encoded = run_length.encode(np.asfortranarray(mask.astype(np.uint8)))
        result.append(
            Thing(
                instance.class_name,
                instance.id,
                int(np.count_nonzero(mask)),
                contrast_to_noise(grey, mask, bare),
                (column + 0.5) / mask.shape[1],
                (row + 0.5) / mask.shape[0],
                int(charts[number]),
                float(uv[number, 0]),
                float(uv[number, 1]),
                encoded["counts"].decode("ascii"),
            )
        )
    return result


def middle(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the pixel of a mask that is nearest to its centre of mass."""
    rows, columns = np.nonzero(mask)
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    return int(rows[nearest]), int(columns[nearest])


def contrast_to_noise(grey: NDArray[np.float32], mask: NDArray[np.bool_], bare: NDArray[np.bool_]) -> float:
    """How far the mean brightness within a mask lies from that around it, over the deviation there.

    grey: (H, W), 0 to 1. bare: (H, W) where neither defect nor impurity is.
    NaN where too few bare pixels are around it.
    """
    found = within_and_around(grey, mask, bare)
    if found is None:
        return math.nan
    inside, around = found
    noise = max(float(around.std()), LEAST_NOISE)
    return abs(float(inside.mean()) - float(around.mean())) / noise
