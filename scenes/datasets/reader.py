"""Reading a dataset, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from procgen.errors import BlemishError
from procgen.surface.layer import Family, Instance
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import read_json
from scenes.datasets.schema import SCENES, FrameRecord, check_mesh, committed, first_problem, read_header, recipe_in
from scenes.pictures import png
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene


@dataclass(frozen=True)
class Frame:
    """One frame of a dataset; each array is read when first asked for and kept as long as the frame is."""

    folder: Path
    index: int

    @cached_property
    def image(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W, 3) or (H, W), uint8 or uint16."""
        return self._read("images")

    @cached_property
    def classes(self) -> NDArray[np.uint16]:
        """(H, W) uint16; bit k is set where class k is."""
        return self._mask("classes")

    @cached_property
    def defects(self) -> NDArray[np.uint16]:
        """(H, W) uint16 ids of the defects, 0 where there is none."""
        return self._mask("defects")

    @cached_property
    def impurities(self) -> NDArray[np.uint16]:
        """(H, W) uint16 ids of the impurities, 0 where there is none."""
        return self._mask("impurities")

    @property
    def image_path(self) -> Path:
        return self._path("images")

    @property
    def scene(self) -> Scene:
        """Every drawn parameter of the frame."""
        return self._record.scene

    @property
    def instances(self) -> tuple[Instance, ...]:
        """What the ids in `defects` and `impurities` are; some may be out of the camera's sight."""
        return tuple(Instance(entry.id, entry.family, entry.class_name) for entry in self._record.instances)

    @property
    def refinement(self) -> dict[str, Any] | None:
        """What was done to the picture after the scene was shown, and its parents; None for a picture as rendered."""
        record = self._record.refinement
        return None if record is None else record.model_dump()

    @cached_property
    def _record(self) -> FrameRecord:
        path = self._path(SCENES)
        written = read_json(path)
        check_mesh(self.folder, path, written)
        try:
            return FrameRecord.model_validate(written, context={"folder": self.folder})
        except ValidationError as error:
            raise DatasetError(f"{path}: {first_problem(error)}; {self._mend}") from None
        except BlemishError as error:  # numbers that a layer refuses
            raise DatasetError(f"{path}: {error}; {self._mend}") from None

    def _path(self, folder: str) -> Path:
        path = self.folder / folder / f"{self.index:06d}.{'json' if folder == SCENES else 'png'}"
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise DatasetError(f"{path}: found a link that leads out of the dataset; expected a file: put it in place")
        return path

    def _read(self, folder: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
        path = self._path(folder)
        with self._explained(path):
            return png.read(path)

    def _mask(self, folder: str) -> NDArray[np.uint16]:
        mask = self._read(folder)
        path = self._path(folder)
        if mask.dtype != np.uint16 or mask.ndim != 2:
            raise DatasetError(f"{path}: found {mask.dtype} of shape {mask.shape}; expected 16-bit grey; {self._mend}")
        expected = self.size
        if mask.shape != expected:
            raise DatasetError(
                f"{path}: found {mask.shape[1]} x {mask.shape[0]} pixels; expected {expected[1]} x {expected[0]}, "
                f"the size of its image; {self._mend}"
            )
        return mask.astype(np.uint16, copy=False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image, without decoding it."""
        path = self._path("images")
        with self._explained(path):
            return png.size(path)

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        """Turn what keeps a picture from being read into DatasetError."""
        try:
            yield
        except png.PngError as error:
            raise DatasetError(f"{path}: {error}; {self._mend}") from None
        except FileNotFoundError:
            raise DatasetError(f"{path}: missing, though the frame counts as written; {self._mend}") from None
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror}); make it readable") from None

    @property
    def _mend(self) -> str:
        return f"delete {SCENES}/{self.index:06d}.json and run the command that made the dataset again to mend it"


class Dataset:
    """The frames of a dataset on disk that are written whole, in order of their numbers.

    Raises DatasetError where the folder is no dataset, holds no frame yet, or was written by a newer Blemish.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            found = "a file" if self.path.exists() else "nothing"
            raise DatasetError(f"{path}: found {found}; expected the folder of a dataset")
        self.header = read_header(self.path)
        self.indices = committed(self.path, self.header.frames)
        if not self.indices:
            raise DatasetError(f"{path}: holds no finished frame yet; run the command that began it again to go on")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Frame:
        return Frame(self.path, self.indices[position])

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(self.path, index) for index in self.indices)

    @property
    def complete(self) -> bool:
        """Whether every planned frame is there."""
        return len(self.indices) == self.header.frames

    @property
    def recipe_name(self) -> str:
        return str(self.header.recipe.get("name", ""))

    @property
    def seed(self) -> int:
        return self.header.seed

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the frames were drawn from. Raises RecipeError where this Blemish cannot use it."""
        return recipe_in(self.path)

    @property
    def classes(self) -> dict[str, int]:
        """Class name -> bit in `Frame.classes`."""
        return {name: entry.bit for name, entry in self.header.classes.items()}

    @property
    def families(self) -> dict[str, Family]:
        """Class name -> family."""
        return {name: entry.family for name, entry in self.header.classes.items()}
