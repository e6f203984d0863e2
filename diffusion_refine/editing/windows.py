"""Windows of a model's size over a frame of any size, and what is made in them put together without a seam.

A window lies on the grid of latent texels of the padded frame, so that a texel of the frame is one texel of every
window over it. Where windows overlap their weights fall off towards the rims and sum to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

OVERLAP = 0.25  # of a window's side, of neighbours on a grid at least
MARGIN = 0.125  # of a window's side, between what a window is for and its rim at least
LEAST_WEIGHT = 1e-3  # of a window's rim before the weights are made to sum to one


@dataclass(frozen=True, order=True)
class Window:
    """A square of `side` pixels whose upper left pixel is (top, left) of the padded frame."""

    top: int
    left: int
    side: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def texels(self, factor: int) -> Window:
        """The same window on the latent grid. Raises ValueError where it does not lie on it."""
        if self.top % factor or self.left % factor or self.side % factor:
            raise ValueError(f"{self} does not lie on a grid of {factor} pixels")
        return Window(self.top // factor, self.left // factor, self.side // factor)


def round_about(mask: NDArray[np.bool_], reach: int) -> tuple[slice, slice]:
    """The rows and columns of what a mask (H, W) marks, which must be something, and so many pixels on every side."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, rows[0] - reach), rows[-1] + reach + 1),
        slice(max(0, columns[0] - reach), columns[-1] + reach + 1),
    )


def padded_shape(shape: tuple[int, ...], side: int, factor: int) -> tuple[int, int]:
    """The frame's (height, width) enlarged to one window at least and to whole latent texels."""
    height, width = (max(side, -(-length // factor) * factor) for length in shape[:2])
    return height, width


def padded(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """(H, W, …) mirrored at the bottom and right rims to `shape`, as often as it takes."""
    growth = [(0, shape[axis] - array.shape[axis]) for axis in (0, 1)] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, growth, mode="symmetric")


def grid(shape: tuple[int, int], side: int, factor: int, overlap: float = OVERLAP) -> tuple[Window, ...]:
    """The fewest evenly spread windows that cover a padded frame and overlap by `overlap` of their side or more."""
    tops, lefts = (_starts(0, length, length, side, factor, overlap) for length in shape)
    return tuple(Window(top, left, side) for top in tops for left in lefts)


def around(
    mask: NDArray[np.bool_], side: int, factor: int, margin: float = MARGIN, overlap: float = OVERLAP
) -> tuple[Window, ...]:
    """Windows over all that mask (H, W) of a padded frame marks: one around each thing, several over a larger one.

    Every thing lies `margin` of the side within its window, save at the frame's rim. A thing that lies so in the window
    of another gets none of its own.
    """
    border = int(margin * side)
    windows: list[Window] = []
    parts, _ = label(mask, structure=np.ones((3, 3)))
    boxes = sorted(find_objects(parts), key=lambda box: (-_area(box), box[0].start, box[1].start))
    for box in boxes:
        wanted = [
            (max(0, span.start - border), min(length, span.stop + border))
            for span, length in zip(box, mask.shape, strict=True)
        ]
        if any(_holds(window, wanted) for window in windows):
            continue
        tops, lefts = (
            _starts(low, high, length, side, factor, overlap)
            for (low, high), length in zip(wanted, mask.shape, strict=True)
        )
        windows += [Window(top, left, side) for top in tops for left in lefts]
    return tuple(sorted(set(windows)))


def _area(box: tuple[slice, ...]) -> int:
    return int(np.prod([span.stop - span.start for span in box]))


def _holds(window: Window, wanted: Sequence[tuple[int, int]]) -> bool:
    starts = (window.top, window.left)
    return all(start <= low and high <= start + window.side for start, (low, high) in zip(starts, wanted, strict=True))


def _starts(low: int, high: int, length: int, side: int, factor: int, overlap: float) -> list[int]:
    """Where windows over [low, high) of a side of `length` pixels begin, on the grid of `factor`."""
    last = length - side
    if high - low <= side:
        middle = (low + high - side) / 2
        start = round(middle / factor) * factor
        start = min(max(start, -(-(high - side) // factor) * factor), low // factor * factor)  # all of it, on the grid
        return [min(max(start, 0), last)]
    first = min(max(low // factor * factor, 0), last)
    final = min(max(-(-(high - side) // factor) * factor, 0), last)
    step = max(factor, int(side * (1.0 - overlap)))
    count = -(-(final - first) // step) + 1
    spread = np.linspace(first, final, count) / factor
    return sorted({int(start) * factor for start in np.floor(spread)})


def made_around(
    mask: NDArray[np.bool_],
    picture: NDArray[np.float64],
    side: int,
    factor: int,
    made: Callable[[list[NDArray[np.float64]], list[NDArray[np.bool_]]], Sequence[NDArray[Any]]],
) -> NDArray[np.float64]:
    """(H, W, 3) of what is made in windows around all that mask (H, W) of a picture (H, W, 3) marks, 0 elsewhere.

    made: of pieces (side, side, 3) of the mirrored picture and of the mask, all windows' at once.
    """
    shape = padded_shape(picture.shape, side, factor)
    whole, marked = padded(picture, shape), padded(mask, shape)
    marked[mask.shape[0] :], marked[:, mask.shape[1] :] = False, False
    windows = around(marked, side, factor)
    pieces = made([whole[window.slices] for window in windows], [marked[window.slices] for window in windows])
    return assembled(pieces, windows, shape)[0][: mask.shape[0], : mask.shape[1]]


def weights(windows: Sequence[Window], shape: tuple[int, int]) -> NDArray[np.float64]:
    """(n, side, side) weights whose sum over the windows is 1 at every pixel that one of them covers.

    A lone window weighs 1 up to its rim; where windows overlap, each counts the less the nearer its rim is.
    """
    total = np.zeros(shape)
    tents = []
    for window in windows:
        away = np.minimum(np.arange(window.side) + 0.5, window.side - np.arange(window.side) - 0.5)
        ramp = np.maximum(np.sin(np.pi / 2 * np.minimum(1.0, away / (window.side * OVERLAP))) ** 2, LEAST_WEIGHT)
        tents.append(np.outer(ramp, ramp))
        total[window.slices] += tents[-1]
    return np.array([tent / total[window.slices] for window, tent in zip(windows, tents, strict=True)])


def assembled(
    pieces: Sequence[NDArray[Any]], windows: Sequence[Window], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pieces (side, side, …) of windows as one array (H, W, …), 0 where there is none; and where there is one."""
    whole = np.zeros((*shape, *np.shape(pieces[0])[2:]))
    covered = np.zeros(shape, dtype=bool)
    for window, weight, piece in zip(windows, weights(windows, shape), pieces, strict=True):
        whole[window.slices] += weight.reshape(weight.shape + (1,) * (whole.ndim - 2)) * piece
        covered[window.slices] = True
    return whole, covered
