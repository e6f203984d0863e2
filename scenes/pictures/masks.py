"""One way to read a mask, however a program stored it: which pixels are marked, or the values of those."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from scenes.pictures.decoding import MOST_PIXELS, Raster, Values, load, measure, turned
from scenes.pictures.errors import PictureError

HALF = 0.5  # of full scale: from here on a half-tone is marked
MOST_LABELS = 32  # distinct values of a mask whose values are numbers of things; more are half-tones
LARGELY = 0.5  # share of a picture that is marked, from which on a mask may be inverted
INVERTED = 0.9  # share from which on it is taken to be

Numbers = NDArray[np.int32]


def read_mask(path: Path, image_path: Path, most_pixels: int = MOST_PIXELS, *, numbered: bool = False) -> Numbers:
    """(H, W) values of a mask, 0 where nothing is marked, as its picture lies when it is upright.

    Of a picture with a palette the values are its indices, with one kind of number for the ground; of one whose alpha
    varies, that; of colours the highest channel. numbered: the values are those of classes and left as they are; else
    half-tones are cut at half of full scale. What had to be assumed is a BlemishNote.

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
    if raster.alpha is not None and raster.alpha.min() < raster.alpha.max():
        _note(path, "masks are transparent in places: what is opaque is taken for the defect")
        return _cut(raster.alpha, 255, path)
    if raster.indices is not None:
        return _by_index(raster.indices, path, numbered)
    values = raster.values
    if values.ndim == 3:
        values = values.max(axis=2)
    if values.dtype == np.bool_:
        return values.astype(np.int32)
    if raster.inverted:
        values = values.max() - values
    if not np.isfinite(values).all() or values.min() < 0:
        raise PictureError(f"{path}: holds values below 0 or none at all; export the mask with 8 bits")
    if numbered or not _half_tones(values):
        return np.ceil(values).astype(np.int32)  # of floats, what is a little above 0 is marked too
    return _cut(values, 255 if values.dtype == np.uint8 else float(values.max()), path)


def _by_index(indices: NDArray[np.uint8], path: Path, numbered: bool) -> Numbers:
    """The indices, with 0 for the ground: the one that covers more than half, where 0 is none or covers less."""
    values = indices.astype(np.int32)
    if numbered:
        return values
    counts = np.bincount(indices.ravel())
    ground = int(counts.argmax())
    if ground and counts[ground] > HALF * indices.size:
        _note(path, f"masks have a palette: colour {ground}, which covers most, is taken for the ground")
        values[indices == ground] = 0
        values[indices == 0] = ground
    return values


def _half_tones(values: Values) -> bool:
    """Whether values between 0 and the highest are shades of a border, or what JPEG left, and no numbers of things.

    Things have pixels all whose neighbours are of the same number, and are few.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    found = np.unique(values)
    found = found[found > 0]
    if len(found) <= 1:
        return False
    if len(found) > MOST_LABELS:
        return True
    flat = np.unique(values[maximum_filter(values, 3) == minimum_filter(values, 3)])
    return not np.isin(found, flat).all()


def _cut(values: Values, full: float, path: Path) -> Numbers:
    marked: NDArray[np.bool_] = values >= HALF * full
    if ((values > 0) & (values < full)).any():
        _note(path, "masks have half-tones: from half of full scale on they are taken for the defect")
    return marked.astype(np.int32)


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
