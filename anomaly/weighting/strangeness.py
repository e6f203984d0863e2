"""What a defect is like in a few figures, and how far these are from those of the validation set's defects.

A small network would need many more defects to learn that.

Blurred pictures, masks beside the defect, foreign textures and masks of nothing each leave some figure far from what is
usual: sharpness, what goes on at the mask's border, contrast with the surroundings, and whether something stranger lies
outside the mask. Two figures more say what detectors that have learnt the validation set's defects make of a window:
whether they see a defect where the mask says that one is, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.weighting.detector import Detector, Examples, detector_of, spread
from anomaly.weighting.windows import Shown

SEEN, AGREEING = 9, 2  # figures of windows themselves, and of what detectors make of them
FIGURES = SEEN + AGREEING
PARTS = 3  # that the validation windows are in, each judged by a detector that learnt the others
RING = 4  # pixels round the mask and beyond its border, which are compared with what it marks
LEAST_FAR = 50  # pixels beyond the ring, to be compared at all
SMOOTH = 0.7  # pixels, before slopes are taken
LEAST_SPREAD = 0.05  # of a figure, a logarithm
MOST = 10.0  # spreads from what is usual

Values = NDArray[np.float64]
Places = NDArray[np.int64]
Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class References:
    """What is usual in a set. mean, deviation: (1, D, 1, 1) of its features; detectors: that learnt parts of it.

    usual, spread: (FIGURES,), robust ones.
    """

    mean: Tensor
    deviation: Tensor
    detectors: tuple[Detector, ...]
    usual: Values
    spread: Values

    @classmethod
    def of(cls, shown: Shown, judged: Shown, seed: int) -> tuple[References, Tensor]:
        """Those of windows round defects, and the strangeness of the windows (N) that shall be judged.

        A spread is the mean of both sets': where all that is judged differs by as much, that tells nothing.
        """
        mean, deviation = spread(shown.features)
        examples = Examples(shown.features, shown.truth)
        detectors, agreed = [], np.empty((len(shown), AGREEING))
        for number, (learnt, others) in enumerate(_parts(len(shown), seed)):
            mine = examples.chosen(torch.from_numpy(learnt))
            detectors.append(detector_of(mine, torch.ones(len(mine)), mine.features[:0], seed + number))
            agreed[others] = agreement(detectors[-1], examples.chosen(torch.from_numpy(others)))
        found = np.concatenate([figures(shown, mean, deviation), agreed], axis=1)
        theirs = _all_figures(judged, mean, deviation, detectors)
        far = np.sqrt((_robust_spread(found) ** 2 + _robust_spread(theirs) ** 2) / 2)
        references = cls(mean, deviation, tuple(detectors), np.median(found, axis=0), far)
        return references, references._off(theirs)

    def strangeness(self, shown: Shown) -> Tensor:
        """(N, FIGURES): by how many spreads each figure of windows is off what is usual, MOST at most."""
        return self._off(_all_figures(shown, self.mean, self.deviation, self.detectors))

    def _off(self, found: Values) -> Tensor:
        return torch.from_numpy(np.minimum(np.abs(found - self.usual) / self.spread, MOST)).float()


def agreement(detector: Detector, examples: Examples) -> Values:
    """(N, AGREEING): the mean logit of what is marked, and by how much it exceeds that of the rest."""
    logits, marked = detector(examples.features), examples.truth
    rest = (marked == 0).float()
    within, without = (
        (logits * share).sum(dim=(1, 2, 3)) / share.sum(dim=(1, 2, 3)).clamp(min=1e-3) for share in (marked, rest)
    )
    found: Values = torch.stack([within, within - without], dim=1).double().numpy()
    return found


def figures(shown: Shown, mean: Tensor, deviation: Tensor) -> Values:
    """(N, SEEN) of windows. mean, deviation: (1, D, 1, 1), which features are measured in."""
    features = ((shown.features - mean) / deviation).numpy()
    found = [
        [*_of_pixels(picture, filled, mask[0] > 0), _of_patches(patches, truth[0])]
        for picture, filled, mask, patches, truth in zip(
            shown.pictures.numpy(),
            shown.filled.numpy(),
            shown.masks.numpy(),
            features,
            shown.truth.numpy(),
            strict=True,
        )
    ]
    return np.array(found, dtype=np.float64).reshape(-1, SEEN)


def _all_figures(shown: Shown, mean: Tensor, deviation: Tensor, detectors: Sequence[Detector]) -> Values:
    """(N, FIGURES) of windows that no detector has learnt; the mean of what detectors make of them."""
    examples = Examples(shown.features, shown.truth)
    agreed = np.mean([agreement(detector, examples) for detector in detectors], axis=0)
    return np.concatenate([figures(shown, mean, deviation), agreed], axis=1)


def _parts(count: int, seed: int) -> Iterator[tuple[Places, Places]]:
    """Numbers below count that a detector learns, and those that it judges; of very few it learns all."""
    order = np.random.default_rng(seed).permutation(count)
    if count < PARTS:
        yield order, order
        return
    for part in range(PARTS):
        others = order[part::PARTS]
        yield np.setdiff1d(order, others), others


def _robust_spread(found: Values) -> Values:
    """(FIGURES,) of figures (N, FIGURES)."""
    away = np.abs(found - np.median(found, axis=0))
    far: Values = np.maximum(1.4826 * np.median(away, axis=0), LEAST_SPREAD)
    return far


def _of_pixels(picture: Pixels, filled: Pixels, mask: Mask) -> list[float]:
    """Of a window (3, S, S) from 0 to 1, what it would show without the defect, and its mask (S, S)."""
    grey = 255 * picture.mean(axis=0)
    near, wide = _grown(mask, 1), _grown(mask, RING)
    beyond = ~wide if int((~wide).sum()) > LEAST_FAR else ~near
    beyond = beyond if beyond.any() else np.ones_like(mask)
    ring = wide & ~near if (wide & ~near).any() else beyond
    inside = mask if mask.any() else near | True
    border = near & ~_shrunk(mask)
    border = border if border.any() else inside
    rough = np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=1))
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTH)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    changed = 255 * np.sqrt(((picture - filled) ** 2)[:, inside].mean())
    noise = grey[beyond].std() + 1.0
    return [
        _log(rough[beyond].mean(), 0.1),
        _log(rough[inside].mean(), 0.1),
        _log(rough[inside].mean(), 0.1) - _log(rough[ring].mean(), 0.1),
        _log(slope[border].mean(), 0.5) - _log(slope[beyond].mean(), 0.5),
        _log(slope[border].mean(), 0.5) - _log(slope[ring].mean(), 0.5),
        _log(np.abs(grey[inside].mean() - grey[ring].mean()) / noise, 0.02),
        _log(changed / noise, 0.02),
        _log(grey[inside].std(), 1.0) - _log(grey[ring].std(), 1.0),
    ]


def _of_patches(features: Pixels, truth: Pixels) -> float:
    """How much stranger the strangest patch that is marked is than the strangest that is not.

    features: (D, h, w); truth: (h, w), shares that are marked.
    """
    strange = np.abs(features - np.median(features, axis=(1, 2), keepdims=True)).mean(axis=0)
    marked, around = truth > 0, _grown(truth > 0, 1)
    inside = strange[marked] if marked.any() else strange
    outside = strange[~around] if not around.all() else strange
    return _log(inside.max(), 0.0) - _log(outside.max(), 0.0)


def _grown(mask: Mask, pixels: int) -> Mask:
    grown: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=pixels) > 0
    return grown


def _shrunk(mask: Mask) -> Mask:
    shrunk: Mask = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return shrunk


def _log(value: float, floor: float) -> float:
    return float(np.log(value + max(floor, 1e-6)))
