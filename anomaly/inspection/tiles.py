"""Large pictures in overlapping tiles: what of a picture is seen at once, what of that is kept, and how it is scaled.

A convolution sees as far as its receptive field reaches. Beyond a tile's kept part OVERLAP more pixels are seen, so
that what is kept is what the whole picture would give, as far as the backbone is a convolution of that reach; the
picture's own borders are borders of tiles too. What looks at all of a picture (attention, squeeze-and-excitation) looks
at all of a tile instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.normalisation import standardised
from anomaly.backbone.resampling import resampling
from scenes.pictures.on_disk import Rows, beside
from scenes.pictures.regions import bands

TILE = 1280  # pixels of a side, overlaps included
OVERLAP = 192  # pixels on each side; the embedded networks' and EfficientNet-Lite0's convolutions reach 178
ALIGNED = 32  # every tile begins at a multiple: at a patch of every stride, and so that networks pad none within
LARGEST_WHOLE = 2560 * 2560  # pixels of a picture that is looked at in one piece by default
BAND = 256  # rows of a picture that are scaled at once
AT_ONCE = 1 << 21  # pixels of a map that is scaled
SMALL = 256  # height and width together of a map of which torch scales no more with other roundings

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Tile:
    """Rows and columns of a picture that are seen together, and the part of them that is kept."""

    seen: tuple[slice, slice]
    kept: tuple[slice, slice]

    def cells(self, stride: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where in the picture's grid of patches the kept ones lie, and where in the tile's own."""
        in_picture = tuple(slice(side.start // stride, -(-side.stop // stride)) for side in self.kept)
        offsets = [side.start // stride for side in self.seen]
        in_tile = tuple(slice(s.start - o, s.stop - o) for s, o in zip(in_picture, offsets, strict=True))
        return (in_picture[0], in_picture[1]), (in_tile[0], in_tile[1])


def tiles_of(size: Size, side: int | None = None) -> list[Tile]:
    """The tiles of a picture, row by row, one where it is looked at in one piece.

    side: pixels of a tile's; None: TILE, where the picture has more than LARGEST_WHOLE pixels.
    """
    if side is None and size[0] * size[1] <= LARGEST_WHOLE:
        side = max(size)
    rows, columns = (_along(length, side or TILE) for length in size)
    return [Tile((row[0], column[0]), (row[1], column[1])) for row in rows for column in columns]


def _along(length: int, side: int) -> list[tuple[slice, slice]]:
    """(seen, kept) along one side of a picture; what is kept is about as long in every tile."""
    if length <= side:
        return [(slice(0, length), slice(0, length))]
    longest = max(ALIGNED, (side - 2 * OVERLAP) // ALIGNED * ALIGNED)
    steps = -(-length // ALIGNED)
    number = -(-steps // (longest // ALIGNED))
    ends = [min(length, steps * k // number * ALIGNED) for k in range(number)] + [length]
    return [
        (slice(max(0, start - OVERLAP), min(length, stop + OVERLAP)), slice(start, stop))
        for start, stop in pairwise(ends)
    ]


def scaled_size(shape: tuple[int, ...], scale: float) -> Size:
    """Height and width of a picture (H, W, …) at the scale."""
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def scaled_part(image: Rows, size: Size, part: tuple[slice, slice]) -> Tensor:
    """(1, 3, h, w) a part of an RGB image (H, W, 3) that is scaled to `size` as `normalised` does, ImageNet-normalised.

    Only so much of the image is converted at once as a tile needs.
    """
    if size == image.shape[:2]:
        values: NDArray[np.float32] = image[part].astype(np.float32)
    else:
        down, across = (
            _matrix(length, scaled)[side] for length, scaled, side in zip(image.shape[:2], size, part, strict=True)
        )
        values = _applied(down, _narrowed(image, across, _reached(down)))
    return standardised(torch.from_numpy(values).permute(2, 0, 1)[None] / 255)


def scaled_mask_part(mask: Rows, size: Size, part: tuple[slice, slice]) -> Tensor:
    """(1, h, w) a part of a mask (H, W) that is scaled to `size` by nearest neighbour."""
    rows, columns = (_nearest(whole, length)[side] for whole, length, side in zip(mask.shape, size, part, strict=True))
    found = [mask[int(some[0]) : int(some[-1]) + 1][some - some[0]][:, columns] for some in _by(BAND, rows)]
    return torch.from_numpy(np.concatenate(found))[None]


def _by(length: int, values: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (values[start : start + length] for start in range(0, len(values), length))


def enlarged(values: Rows, onto: Rows) -> None:
    """Fill (H, W) float32 with values (h, w), as torch scales these bilinearly, bit for bit, a part at a time.

    Torch scales each row before it weighs two of them, so that either can be done alone.
    """
    height, width = onto.shape
    across = beside(onto, (values.shape[0], width), np.float32)
    for rows in bands(across.shape):
        across[rows] = _scaled_along(1, values[rows], width)
    at_once = max(1, AT_ONCE // height)
    for left in range(0, width, at_once):
        part = slice(0, height), slice(left, min(width, left + at_once))
        source = np.ascontiguousarray(across[slice(0, values.shape[0]), part[1]])
        onto[part] = _scaled_along(0, source, height)


def _scaled_along(axis: int, values: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Values (h, w) scaled bilinearly along one axis to that length."""
    kept = values.shape[1 - axis]
    if kept + length <= SMALL:  # more of the other axis, which changes nothing else
        values = np.pad(values, [(0, 0), (0, SMALL)] if axis == 0 else [(0, SMALL), (0, 0)])
    size = (length, values.shape[1]) if axis == 0 else (values.shape[0], length)
    scaled = functional.interpolate(torch.from_numpy(values)[None, None], size, mode="bilinear")[0, 0]
    return (scaled[:, :kept] if axis == 0 else scaled[:kept]).numpy()


def _nearest(length: int, scaled: int) -> NDArray[np.int64]:
    places: NDArray[np.int64] = (
        functional.interpolate(torch.arange(length, dtype=torch.float64)[None, None], scaled).long()[0, 0].numpy()
    )
    return places


def _matrix(length: int, scaled: int) -> csr_array:
    """(scaled, length) of `resampling`."""
    places, weights = resampling(length, scaled)
    rows, which = np.nonzero(weights)
    return csr_array((weights[rows, which], (rows, places[rows, which])), shape=(scaled, length))


def _reached(weights: csr_array) -> slice:
    return slice(int(weights.indices.min()), int(weights.indices.max()) + 1)


def _narrowed(image: Rows, across: csr_array, rows: slice) -> tuple[NDArray[np.float32], int]:
    """Those rows of the image, scaled along their length, and the number of the first."""
    columns = _reached(across)
    weights = across[:, columns]
    bands = [
        np.stack([(weights @ band[..., channel].T).T for channel in range(3)], axis=-1)
        for band in _bands(image, rows, columns)
    ]
    return np.concatenate(bands), rows.start


def _bands(image: Rows, rows: slice, columns: slice) -> Iterator[NDArray[np.float32]]:
    for start in range(rows.start, rows.stop, BAND):
        yield image[start : min(rows.stop, start + BAND), columns].astype(np.float32)


def _applied(down: csr_array, narrowed: tuple[NDArray[np.float32], int]) -> NDArray[np.float32]:
    values, first = narrowed
    weights = down[:, first : first + len(values)]
    scaled: NDArray[np.float32] = weights @ values.reshape(len(values), -1)
    return scaled.reshape(weights.shape[0], *values.shape[1:])
