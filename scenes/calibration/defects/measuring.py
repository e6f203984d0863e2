"""What masks say of defects, measured alike on photographs and on rendered frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.formats.sample import Sample
from scenes.formats.truth import DefectInstance
from scenes.jobs.progress import Progress
from scenes.pictures.surroundings import within_and_around

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALLEST = 12  # px of area; less is a handful of pixels without a shape
DARK = 2 / 255  # brightness below which nothing is compared by its quotient
CROP = 96  # px, side of what is shown of a flaw

FIGURES = ("area", "elongation", "contrast")


@dataclass(frozen=True, eq=False)
class Flaws:
    """What P pictures show of one class: n flaws.

    area (n,): pixels. elongation (n,): longer over shorter axis of the ellipse with the same second moments. contrast
    (n,): brightness within over that around, less 1; NaN where nothing bare is around. picture (n,): which one shows
    it. counts (P,): flaws a picture. groups (P,): the surface of each. crops: some, (h, w, 3) uint8.
    """

    area: Floats
    elongation: Floats
    contrast: Floats
    picture: NDArray[np.int64]
    counts: Floats
    groups: NDArray[np.str_]
    crops: tuple[NDArray[np.uint8], ...]

    def shapes(self) -> Floats:
        """(n, 2) logarithms of area and elongation."""
        return np.log(np.stack([self.area, self.elongation], axis=1))

    def contrasts(self) -> Floats:
        """(m, 1) of those that have surroundings."""
        return np.asarray(self.contrast[np.isfinite(self.contrast)][:, None])


def class_key(name: str) -> str:
    """A class as it is compared: sets write Blowhole or mouse bite, recipes blowhole and mouse_bite."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def flaws_of(samples: Sequence[Sample], what: str, progress: Progress, shown: int = 6) -> dict[str, Flaws]:
    """Every class of defects that the masks of pictures know, by its key. Raises PictureError, SampleError."""
    rows: dict[str, list[tuple[float, float, float, int]]] = {}
    crops: dict[str, list[NDArray[np.uint8]]] = {}
    for number, sample in enumerate(samples):
        truth = sample.truth()
        if truth.defect.any():
            image = sample.image()
            grey = image.mean(axis=2) / 255
            for name, mask in _by_class(truth.instances).items():
                for piece in pieces(mask):
                    area, elongation = shape_of(piece)
                    rows.setdefault(name, []).append(
                        (area, elongation, contrast_of(grey, piece, ~truth.defect), number)
                    )
                    if len(crops.setdefault(name, [])) < shown:
                        crops[name].append(_crop(image, piece))
        progress(what, number + 1, len(samples))
    groups = np.array([sample.group for sample in samples])
    found = {}
    for name, entries in rows.items():
        values = np.array(entries)
        picture = values[:, 3].astype(np.int64)
        counts = np.bincount(picture, minlength=len(samples)).astype(np.float64)
        found[name] = Flaws(values[:, 0], values[:, 1], values[:, 2], picture, counts, groups, tuple(crops[name]))
    return found


def pieces(mask: Mask) -> list[Mask]:
    """Each 8-connected piece of a mask (H, W) that has SMALLEST pixels or more."""
    from scipy.ndimage import label

    numbers, count = label(mask, np.ones((3, 3)))
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    return [numbers == number for number in range(1, count + 1) if areas[number] >= SMALLEST]


def shape_of(piece: Mask) -> tuple[float, float]:
    """Area (px) and elongation of a piece (H, W); a pixel counts as a square, not as a point."""
    places = np.argwhere(piece).astype(np.float64)
    moments = np.cov(places.T, bias=True) + np.eye(2) / 12
    shorter, longer = np.linalg.eigvalsh(moments)
    return float(len(places)), float(np.sqrt(longer / shorter))


def contrast_of(grey: Floats, piece: Mask, bare: Mask) -> float:
    """Mean brightness within a piece over the median around it, less 1; grey (H, W); bare (H, W): without defects."""
    found = within_and_around(grey, piece, bare)
    if found is None:
        return float("nan")
    inside, around = found
    level = max(float(np.median(around)), DARK)
    return float(inside.mean() / level - 1)


def _by_class(instances: Sequence[DefectInstance]) -> dict[str, Mask]:
    """The union of the defects of each class: sets differ in what they call one of them."""
    found: dict[str, Mask] = {}
    for instance in instances:
        if instance.family == "defect":
            name = class_key(instance.class_name)
            found[name] = instance.mask | found[name] if name in found else instance.mask
    return found


def _crop(image: NDArray[Any], piece: Mask) -> NDArray[np.uint8]:
    """The picture about the middle of a piece."""
    sides = []
    for axis, side in zip(np.nonzero(piece), piece.shape, strict=True):
        first = int(np.clip(round(float(axis.mean())) - CROP // 2, 0, max(0, side - CROP)))
        sides.append(slice(first, first + CROP))
    return np.asarray(image[tuple(sides)], dtype=np.uint8)
