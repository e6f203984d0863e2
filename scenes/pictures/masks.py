"""One way to read a mask, however a program stored it: which pixels are marked, or the values of those."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from scenes.pictures.bands import RasterRows, raster_rows, upright_part
from scenes.pictures.decoding import MOST_PIXELS, Values, measure, turned
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import Rows, beside
from scenes.pictures.regions import bands

HALF = 0.5  # of a mask's highest value: from here on a half-tone is marked
LARGELY = 0.5  # share of a picture that is marked, from which on a mask may be inverted
INVERTED = 0.9  # share from which on it is taken to be

Numbers = NDArray[np.integer[Any]]


def read_mask(path: Path, image_path: Path, most_pixels: int = MOST_PIXELS, *, numbered: bool = False) -> Numbers:
    """(H, W) values of a mask, 0 where nothing is marked, as its picture lies when it is upright.

    Of a picture with a palette the values are its indices, with one kind of number for the ground; of one whose alpha
    varies, that; of colours the highest channel. numbered: the values are those of classes and left as they are; else
    half-tones are cut at half of the highest value. What had to be assumed is a BlemishNote.

    Raises PictureError: no picture, of another size than its own, wholly marked, or so far that it must be inverted.
    """
    return read_mask_rows(path, image_path, most_pixels, numbered=numbered)[:]


def read_mask_rows(
    path: Path,
    image_path: Path,
    most_pixels: int = MOST_PIXELS,
    folder: Path | None = None,
    *,
    numbered: bool = False,
) -> Rows:
    """What `read_mask` reads, of a large mask as an array on the disk of a folder, if there is one.

    Raises PictureError, and DiskError where that disk has no room.
    """
    values = _numbers(raster_rows(path, most_pixels, folder), path, numbered)
    values = _as_picture_lies(values, path, image_path, most_pixels)
    if not numbered:
        _refuse_without_ground(values, path)
    return values


def _numbers(raster: RasterRows, path: Path, numbered: bool) -> Rows:
    if raster.alpha is not None and not _range(raster.alpha)[1]:
        raise PictureError(f"{path}: is wholly transparent; expected a mask whose defects are opaque or bright")
    if raster.indices is None or raster.alpha is not None:
        values = _highest_channel(raster)
    if raster.alpha is not None:
        least, most = _range(raster.alpha)
        if least < most:
            return _by_alpha(raster.alpha, HALF * most, values, path)
    if raster.indices is not None:
        return _by_index(raster.values, raster.indices, path, numbered)
    if values.dtype == np.bool_:
        return _made(values, lambda rows: values[rows].astype(np.uint8))
    lowest, highest = _range(values)
    if not (np.isfinite(lowest) and np.isfinite(highest)) or lowest < 0:
        raise PictureError(f"{path}: holds values below 0 or none at all; export the mask with 8 bits")
    return _whole(values) if numbered else _cut(values, path)


def _highest_channel(raster: RasterRows) -> Rows:
    """(H, W), bright where the file's picture is."""
    stored = raster.values
    values = _made(stored, lambda rows: stored[rows].max(axis=2)) if len(stored.shape) == 3 else stored
    if not raster.inverted:
        return values
    most = _range(values)[1]
    return _made(values, lambda rows: most - values[rows])


def _by_alpha(alpha: Rows, least: float, values: Rows, path: Path) -> Rows:
    """What is opaque, with an alpha of at least so much; or of it what is not black, where it is the whole surface."""
    if _is_drawn_on(alpha, least, values):
        _note(path, "masks are transparent in places: what is opaque and not black is taken for the defect")
        return _cut(_made(values, lambda rows: np.where(alpha[rows] >= least, values[rows], 0)), path)
    _note(path, "masks are transparent in places: what is opaque is taken for the defect")
    return _made(alpha, lambda rows: (alpha[rows] >= least).astype(np.uint8))


def _is_drawn_on(alpha: Rows, least: float, values: Rows) -> bool:
    """Whether what is opaque is the whole surface, black but for its defects, rather than these."""
    seen = (values[rows][alpha[rows] >= least] for rows in bands(values.shape))
    found = [(part.size, part.min(), part.max()) for part in seen if part.size]
    sizes, lowest, highest = map(np.array, zip(*found, strict=True))
    return bool(sizes.sum() > HALF * values.shape[0] * values.shape[1] and lowest.min() == 0 < highest.max())


def _by_index(colours: Rows, indices: Rows, path: Path, numbered: bool) -> Rows:
    """The indices, with 0 for the ground: the one that covers more than half, where 0 is none or covers less.

    Where they are shades, by how far their colour is from the ground's. colours: (H, W, …), those of the indices.
    """
    if numbered:
        return indices
    counts = _counts(indices)
    ground = int(counts.argmax())
    if counts[ground] <= HALF * counts.sum():
        ground = 0
    values = indices
    if ground:
        _note(path, f"masks have a palette: colour {ground}, which covers most, is taken for the ground")
        swapped = np.arange(len(counts), dtype=np.uint8)
        swapped[[0, ground]] = ground, 0
        values = _made(indices, lambda rows: swapped[indices[rows]])
    if not counts[ground] or not _half_tones(values):
        return values
    palette = np.zeros((len(counts), *colours.shape[2:]), np.int32)
    for rows in bands(indices.shape):
        palette[indices[rows]] = colours[rows]
    distances = np.abs(palette - palette[ground]).reshape(len(counts), -1).max(axis=1)
    return _cut(_made(indices, lambda rows: distances[indices[rows]]), path)


def _half_tones(values: Rows) -> bool:
    """Whether values between 0 and the highest are shades of a border, or what JPEG left, and no numbers of things.

    Of a thing's number there is a pixel beside which there is no other number.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    found = _distinct(values)
    found = found[found > 0]
    if len(found) <= 1:
        return False
    alone = found[:0]
    for rows in bands(values.shape):
        above = min(1, rows.start)
        near = values[rows.start - above : rows.stop + 1]
        if not near.any():
            continue
        own = slice(above, above + rows.stop - rows.start)
        highest = maximum_filter(near, 3, mode="constant")[own]
        lowest = minimum_filter(np.where(near > 0, near, found[-1]), 3, mode="constant", cval=found[-1])[own]
        alone = np.union1d(alone, near[own][(near[own] == highest) & (near[own] == lowest)])
    return bool(np.setdiff1d(found, alone).size)


def _distinct(values: Rows) -> Values:
    """The values there are, ascending."""
    if values.dtype in (np.uint8, np.uint16):
        return np.flatnonzero(_counts(values)).astype(values.dtype)
    found: Values = np.unique(np.concatenate([np.unique(values[rows]) for rows in bands(values.shape)]))
    return found


def _counts(values: Rows) -> NDArray[np.int64]:
    """How often each value of uint8 or uint16 occurs."""
    counts = np.zeros(np.iinfo(values.dtype).max + 1, np.int64)
    for rows in bands(values.shape):
        counts += np.bincount(values[rows].ravel(), minlength=len(counts))
    return counts


def _cut(values: Rows, path: Path) -> Rows:
    """The values, or 1 from half of the highest on where there are half-tones."""
    if not _half_tones(values):
        return _whole(values)
    _note(path, "masks have half-tones: from half of the highest value on they are taken for the defect")
    least = HALF * float(_range(values)[1])
    return _made(values, lambda rows: (values[rows] >= least).astype(np.uint8))


def _whole(values: Rows) -> Rows:
    """Whole numbers as they are; of floats the next higher ones, so that what is a little above 0 is marked too."""
    return _made(values, lambda rows: np.ceil(values[rows]).astype(np.int32)) if values.dtype.kind == "f" else values


def _range(values: Rows) -> tuple[Any, Any]:
    """The lowest and the highest value; no number where there is any that is none."""
    found = [(band.min(), band.max()) for band in (values[rows] for rows in bands(values.shape))]
    lowest, highest = map(np.array, zip(*found, strict=True))
    return lowest.min(), highest.max()


def _made(like: Rows, make: Callable[[slice], Values]) -> Rows:
    """(H, W) what is made of each band of rows, which lies where another array does."""
    found: Rows | None = None
    for rows in bands(like.shape):
        values = make(rows)
        if found is None:
            found = beside(like, like.shape[:2], values.dtype)
        found[rows] = values
    assert found is not None
    return found


def _as_picture_lies(values: Rows, path: Path, image_path: Path, most_pixels: int) -> Rows:
    picture = measure(image_path, most_pixels)
    if values.shape == picture.shape:
        return values
    if picture.orientation >= 5 and values.shape == picture.shape[::-1]:
        _note(path, "masks lie as the rows of their pictures' files, not upright: they are turned alike")
        upright = beside(values, picture.shape, values.dtype)
        for rows in bands(values.shape):
            upright[upright_part(picture, rows)] = turned(values[rows], picture.orientation)
        return upright
    as_told = f", upright (it is stored turned, with orientation {picture.orientation})" * (picture.orientation > 1)
    raise PictureError(
        f"{path}: is {values.shape[1]} × {values.shape[0]} pixels but its image {image_path.name} is "
        f"{picture.width} × {picture.height}{as_told}; export the mask at image size"
    )


def _refuse_without_ground(values: Rows, path: Path) -> None:
    marked = sum(np.count_nonzero(values[rows]) for rows in bands(values.shape))
    share = marked / (values.shape[0] * values.shape[1])
    if share > INVERTED:
        raise PictureError(
            f"{path}: marks {100 * share:.0f} % of the picture, so that it seems inverted or without a ground; "
            "expected 0 where the surface is good"
        )
    if share > LARGELY:
        warnings.warn(
            f"{path}: marks {100 * share:.0f} % of the picture; if it is inverted, invert it", BlemishNote, stacklevel=2
        )
    if share == 0:
        warnings.warn(f"{path}: marks nothing, though its picture counts as flawed", BlemishNote, stacklevel=2)


def _note(path: Path, assumed: str) -> None:
    """Said once of a folder, as its text is the same for all of its masks."""
    warnings.warn(f"{path.parent}: {assumed}", BlemishNote, stacklevel=2)
