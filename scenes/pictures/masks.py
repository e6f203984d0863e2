"""One way to read a mask, however a program stored it: which pixels are marked, or the values of those."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from scenes.pictures.decoding import MOST_PIXELS, Raster, Values, load, measure, turned
from scenes.pictures.errors import PictureError

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
    raster = load(path, most_pixels)
    values = _numbers(raster, path, numbered)
    values = _as_picture_lies(values, path, image_path, most_pixels)
    if not numbered:
        _refuse_without_ground(values, path)
    return values


def _numbers(raster: Raster, path: Path, numbered: bool) -> Numbers:
    if raster.alpha is not None and not raster.alpha.any():
        raise PictureError(f"{path}: is wholly transparent; expected a mask whose defects are opaque or bright")
    values = raster.values.max(axis=2) if raster.values.ndim == 3 else raster.values
    if raster.inverted:
        values = values.max() - values
    if raster.alpha is not None and raster.alpha.min() < raster.alpha.max():
        opaque: NDArray[np.bool_] = raster.alpha >= HALF * raster.alpha.max()
        if _is_drawn_on(opaque, values):
            _note(path, "masks are transparent in places: what is opaque and not black is taken for the defect")
            return _cut(np.where(opaque, values, 0), path)
        _note(path, "masks are transparent in places: what is opaque is taken for the defect")
        return opaque.astype(np.uint8)
    if raster.indices is not None:
        return _by_index(raster, path, numbered)
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if not np.isfinite(values).all() or values.min() < 0:
        raise PictureError(f"{path}: holds values below 0 or none at all; export the mask with 8 bits")
    return _whole(values) if numbered else _cut(values, path)


def _is_drawn_on(opaque: NDArray[np.bool_], values: Values) -> bool:
    """Whether what is opaque is the whole surface, black but for its defects, rather than these."""
    return bool(np.count_nonzero(opaque) > HALF * opaque.size and values[opaque].min() == 0 < values[opaque].max())


def _by_index(raster: Raster, path: Path, numbered: bool) -> Numbers:
    """The indices, with 0 for the ground: the one that covers more than half, where 0 is none or covers less.

    Where they are shades, by how far their colour is from the ground's.
    """
    assert raster.indices is not None
    if numbered:
        return raster.indices
    values = raster.indices.copy()
    counts = np.bincount(raster.indices.ravel())
    ground = int(counts.argmax())
    if counts[ground] <= HALF * raster.indices.size:
        ground = 0
    if ground:
        _note(path, f"masks have a palette: colour {ground}, which covers most, is taken for the ground")
        values[raster.indices == ground] = 0
        values[raster.indices == 0] = ground
    if not counts[ground] or not _half_tones(values):
        return values
    colours = raster.values.astype(np.int32).reshape(*values.shape, -1)
    return _cut(np.abs(colours - colours[raster.indices == ground][0]).max(axis=2), path)


def _half_tones(values: Values) -> bool:
    """Whether values between 0 and the highest are shades of a border, or what JPEG left, and no numbers of things.

    Of a thing's number there is a pixel beside which there is no other number.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    found = np.unique(values)
    found = found[found > 0]
    if len(found) <= 1:
        return False
    highest = maximum_filter(values, 3, mode="constant")
    lowest = minimum_filter(np.where(values > 0, values, found[-1]), 3, mode="constant", cval=found[-1])
    alone = np.unique(values[(values == highest) & (values == lowest)])
    return not np.isin(found, alone).all()


def _cut(values: Values, path: Path) -> Numbers:
    """The values, or 1 from half of the highest on where there are half-tones."""
    if not _half_tones(values):
        return _whole(values)
    _note(path, "masks have half-tones: from half of the highest value on they are taken for the defect")
    marked: NDArray[np.bool_] = values >= HALF * float(values.max())
    return marked.astype(np.uint8)


def _whole(values: Values) -> Numbers:
    """Whole numbers as they are; of floats the next higher ones, so that what is a little above 0 is marked too."""
    whole: Numbers = np.ceil(values).astype(np.int32) if values.dtype.kind == "f" else values
    return whole


def _as_picture_lies(values: Numbers, path: Path, image_path: Path, most_pixels: int) -> Numbers:
    picture = measure(image_path, most_pixels)
    if values.shape == picture.shape:
        return values
    if picture.orientation > 1:
        as_stored = np.ascontiguousarray(turned(values, picture.orientation))
        if as_stored.shape == picture.shape:
            _note(path, "masks lie as the rows of their pictures' files, not upright: they are turned alike")
            return as_stored
    as_told = f", upright (it is stored turned, with orientation {picture.orientation})" * (picture.orientation > 1)
    raise PictureError(
        f"{path}: is {values.shape[1]} × {values.shape[0]} pixels but its image {image_path.name} is "
        f"{picture.width} × {picture.height}{as_told}; export the mask at image size"
    )


def _refuse_without_ground(values: Numbers, path: Path) -> None:
    share = np.count_nonzero(values) / values.size
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
