"""Arrays of large pictures whose rows lie in a temporary file, so that a part of them is in memory at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from procgen.errors import BlemishError
from scenes.memory import LARGE

Part = slice | tuple[slice, slice]


class DiskError(BlemishError):
    """A temporary file for which the disk has no room; names the folder."""


class ArrayOnDisk:
    """An array (H, W, …) in a file without a name, which is gone with it; what is read of it is a copy.

    folder: where the file lies, on a disk with room for all of it. Zero at first. Its
    parts are named by slices of rows, or of rows and columns, without steps. Raises DiskError.
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike, folder: Path) -> None:
        self.shape, self.dtype, self.folder = tuple(shape), np.dtype(dtype), folder
        self._pixel = self.dtype.itemsize * prod(self.shape[2:])
        try:
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115, closed when it is gone
            self._file.truncate(self.shape[0] * self.shape[1] * self._pixel)
        except OSError as error:
            raise self._without_room(error) from None
        finalize(self, self._file.close)

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)

    def __getitem__(self, part: Part) -> NDArray[Any]:
        rows, columns = self._within(part)
        values = np.empty((rows.stop - rows.start, columns.stop - columns.start, *self.shape[2:]), self.dtype)
        for start, piece in self._pieces(rows, columns, values):
            self._file.seek(start)
            read = 0
            while read < len(piece):
                count = self._file.readinto(piece[read:])
                if not count:
                    raise OSError("a temporary file was cut short")
                read += count
        return values

    def __setitem__(self, part: Part, values: object) -> None:
        rows, columns = self._within(part)
        shape = (rows.stop - rows.start, columns.stop - columns.start, *self.shape[2:])
        content = np.ascontiguousarray(np.broadcast_to(np.asarray(values, self.dtype), shape))
        try:
            for start, piece in self._pieces(rows, columns, content):
                self._file.seek(start)
                written = 0
                while written < len(piece):
                    written += self._file.write(piece[written:])
        except OSError as error:
            raise self._without_room(error) from None

    def _within(self, part: Part) -> tuple[slice, slice]:
        rows, columns = part if isinstance(part, tuple) else (part, slice(None))
        (top, bottom, _), (left, right, _) = rows.indices(self.shape[0]), columns.indices(self.shape[1])
        return slice(top, max(top, bottom)), slice(left, max(left, right))

    def _pieces(self, rows: slice, columns: slice, values: NDArray[Any]) -> Iterator[tuple[int, memoryview]]:
        """Where in the file each run of bytes of the values begins, and these bytes."""
        if not values.size:
            return
        width = self.shape[1]
        content = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        if columns.stop - columns.start == width:
            yield rows.start * width * self._pixel, content
            return
        length = (columns.stop - columns.start) * self._pixel
        for number, row in enumerate(range(rows.start, rows.stop)):
            start = (row * width + columns.start) * self._pixel
            yield start, content[number * length : (number + 1) * length]

    def _without_room(self, error: OSError) -> DiskError:
        megabytes = self.shape[0] * self.shape[1] * self._pixel / 1e6
        return DiskError(
            f"{self.folder}: takes no temporary file of {megabytes:.0f} MB for a large picture "
            f"({error.strerror or error}); free some space there, or choose another --out"
        )


Rows = NDArray[Any] | ArrayOnDisk  # (H, W, …)


class ByRows(Protocol):
    """What has a shape (H, W, …) and hands out its rows: `Rows`, or `MadeRows`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


class MadeRows:
    """Rows of a shape (H, W, …) that `make` makes whenever they are asked for."""

    def __init__(self, shape: Sequence[int], make: Callable[[slice], NDArray[Any]]) -> None:
        self.shape, self._make = tuple(shape), make

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return self._make(rows)


def shape_of(rows: slice, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape (h, W, …) of some rows of (H, W, …), without reading them."""
    return (len(range(shape[0])[rows]), *shape[1:])


def nearest_folder(path: Path) -> Path:
    """The folder there is that a path names or lies in, on whose disk what is about to be written lies."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def beside(array: Rows, shape: Sequence[int], dtype: DTypeLike) -> Rows:
    """A new array of zeros that lies where another does: on the same disk, or in memory."""
    return ArrayOnDisk(shape, dtype, array.folder) if isinstance(array, ArrayOnDisk) else np.zeros(shape, dtype)


def is_large(shape: Sequence[int]) -> bool:
    """Whether a picture (H, W, …) has so many pixels that its rows are better kept on a disk."""
    return shape[0] * shape[1] >= LARGE


def row_bands(shape: Sequence[int], pixels: int) -> Iterator[slice]:
    """The rows of a picture (H, W, …) in bands of so many pixels at most, of a row at least."""
    height = max(1, pixels // max(1, shape[1]))
    return (slice(top, min(shape[0], top + height)) for top in range(0, shape[0], height))
