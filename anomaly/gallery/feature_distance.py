"""How far a backbone's features of frames lie from those of real pictures: the kernel distance of their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.backbone.normalisation import normalised, patches
from anomaly.backbone.patch_extractor import DISTILLED, PatchExtractor, patch_extractor
from scenes.gallery.comparison import FeatureDistance, good_positions, real_pictures
from scenes.gallery.survey import Survey
from scenes.jobs.progress import Progress
from scenes.pictures.reading import read_rgb, rgb_of

LONGEST = 320  # pixels to which the longest side of a picture is scaled
FEWEST = 4  # pictures of either side, for halves of two
HALVINGS = 100
SEED = 0


def feature_distance(survey: Survey, folder: Path, progress: Progress) -> FeatureDistance | None:
    """The distance between the frames of a survey and the real pictures of a folder; None for fewer than FEWEST.

    Raises SampleError, PictureError, DatasetError.
    """
    extractor = patch_extractor(DISTILLED)
    paths, options = real_pictures(folder)
    positions = good_positions(survey)
    if min(len(paths), len(positions)) < FEWEST:
        return None
    total = len(paths) + len(positions)

    def pictures() -> Iterator[NDArray[np.uint8]]:
        yield from (rgb_of(survey.dataset[position].image) for position in positions)
        yield from (read_rgb(path, options) for path in paths)

    rows = []
    for number, image in enumerate(pictures()):
        rows.append(described(extractor, image))
        progress("features", number + 1, total)
    ours, theirs = torch.stack(rows[: len(positions)]), torch.stack(rows[len(positions) :])
    return compared_features(ours, theirs, f"the backbone {DISTILLED}")


def picture_features() -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """What computes the features (2 D,) of a picture (H, W, 3): see `described`."""
    extractor = patch_extractor(DISTILLED)
    return lambda image: described(extractor, image).double().numpy()


@torch.no_grad()
def described(extractor: PatchExtractor, image: NDArray[np.uint8]) -> Tensor:
    """(2 D,) mean and deviation over a picture's patches of every feature."""
    features = patches(extractor(normalised(image, min(1.0, LONGEST / max(image.shape[:2])))))
    return torch.cat([features.mean(dim=0), features.std(dim=0)])


def compared_features(ours: Tensor, theirs: Tensor, features: str) -> FeatureDistance:
    """The distance of two samples (N, D) and (M, D), each feature in units of its deviation among theirs.

    Its deviation over halves of both, and the mean distance of two halves of theirs.
    """
    middle, deviation = theirs.mean(dim=0), theirs.std(dim=0)
    ours, theirs = ((rows - middle) / torch.where(deviation > 0, deviation, 1.0) for rows in (ours, theirs))
    rng = np.random.default_rng(SEED)

    def half(rows: Tensor) -> tuple[Tensor, Tensor]:
        order = torch.from_numpy(rng.permutation(len(rows)))
        return rows[order[: len(rows) // 2]], rows[order[len(rows) // 2 :]]

    draws = [kernel_distance(half(ours)[0], half(theirs)[0]) for _ in range(HALVINGS)]
    floor = [kernel_distance(*half(theirs)) for _ in range(HALVINGS)]
    return FeatureDistance(features, kernel_distance(ours, theirs), float(np.std(draws)), float(np.mean(floor)))


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """The squared maximum mean discrepancy of two samples (N, D) and (M, D), without bias, by the cubic kernel
    (x·y/D + 1)³ [Bińkowski 2018]."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a.double() @ b.double().T / a.shape[1] + 1) ** 3

    def within(rows: Tensor) -> Tensor:
        values = kernel(rows, rows)
        return (values.sum() - values.diagonal().sum()) / (len(rows) * (len(rows) - 1))

    return float(within(first) + within(second) - 2 * kernel(first, second).mean())
