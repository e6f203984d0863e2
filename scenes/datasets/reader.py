"""Reading a dataset, one frame at a time."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from procgen.errors import BlemishError, BlemishNote
from procgen.surface.layer import Family, Instance
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import parsed, read_bytes, seal_of
from scenes.datasets.passes import PassArray, PassName, PassRecord, decoded
from scenes.datasets.schema import (
    CHANGED,
    FAMILY_FOLDERS,
    HEADER,
    SCENES,
    FrameRecord,
    Header,
    check_mesh,
    committed,
    first_problem,
    read_header,
    recipe_in,
)
from scenes.files import content_of
from scenes.pictures import exr, png
from scenes.quantities.distribution import shown
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene


@dataclass(frozen=True)
class Frame:
    """One frame of a dataset; each array is read when first asked for and kept as long as the frame is.

    Whatever is read is compared with its digest, and with what the other files say. header: read where not given.
    """

    folder: Path
    index: int
    header: Header | None = field(default=None, repr=False, compare=False)

    @cached_property
    def image(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W, 3) or (H, W), uint8 or uint16."""
        return self._read("images")

    @cached_property
    def classes(self) -> NDArray[np.uint16]:
        """(H, W) uint16; bit k is set where class k is."""
        mask = self._mask("classes")
        header = self.header or read_header(self.folder)
        unknown = int(np.bitwise_or.reduce(mask, axis=None)) & ~sum(1 << entry.bit for entry in header.classes.values())
        if unknown:
            raise DatasetError(
                f"{self._path('classes')}: found bit {unknown.bit_length() - 1}, which no class in {HEADER} has; "
                f"{self._mend}"
            )
        return mask

    @cached_property
    def defects(self) -> NDArray[np.uint16]:
        """(H, W) uint16 ids of the defects, 0 where there is none."""
        return self._instance_ids("defect")

    @cached_property
    def impurities(self) -> NDArray[np.uint16]:
        """(H, W) uint16 ids of the impurities, 0 where there is none."""
        return self._instance_ids("impurity")

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) metres along the optical axis, infinite where nothing is. Raises DatasetError where there is none."""
        return self.read_pass("depth")

    @cached_property
    def normal(self) -> NDArray[np.float32]:
        """(H, W, 3) unit normals with all relief, as the camera sees them: x right, y up, z towards it; 0 of nothing.

        Raises DatasetError where there is none.
        """
        return self.read_pass("normal")

    @cached_property
    def albedo(self) -> NDArray[np.float32]:
        """(H, W, 3) linear base colour, 0 where nothing is. Raises DatasetError where there is none."""
        return self.read_pass("albedo")

    @cached_property
    def objects(self) -> NDArray[np.uint16]:
        """(H, W) numbers of objects, 0 where there is none; see `object_names`. Raises DatasetError likewise."""
        return self.read_pass("objects")

    @property
    def object_names(self) -> dict[int, str]:
        """What the numbers in `objects` are of."""
        return dict(enumerate(self._record.passes.objects, start=1))

    @property
    def pass_record(self) -> PassRecord:
        """What the frame's record says of its passes."""
        return self._record.passes

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
        return None if record is None else record.model_dump(exclude_unset=True)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the pictures by their folder; none where an earlier Blemish wrote the frame."""
        return self._record.files or {}

    @cached_property
    def _record(self) -> FrameRecord:
        path = self._path(SCENES)
        content = read_bytes(path)
        written = parsed(content, path)
        check_mesh(self.folder, path, written.get("scene") if isinstance(written, dict) else None)
        try:
            record = FrameRecord.model_validate(written, context={"folder": self.folder})
        except ValidationError as error:
            raise DatasetError(f"{path}: {first_problem(error)}; {self._mend}") from None
        except (BlemishError, OverflowError) as error:  # numbers that a layer refuses
            raise DatasetError(f"{path}: {error}; {self._mend}") from None
        seal = seal_of(content)
        if seal == "broken" or (seal == "none" and record.files is not None):
            raise DatasetError(f"{path}: {CHANGED}; {self._mend}")
        if record.files is None:
            warnings.warn(
                f"{self.folder}: its frames hold no digests, as an earlier Blemish wrote them: what was changed in "
                "them since is not noticed",
                BlemishNote,
                stacklevel=2,
            )
        self._check_classes(record, path)
        return record

    def _check_classes(self, record: FrameRecord, path: Path) -> None:
        header = self.header or read_header(self.folder)
        for entry in record.instances:
            known = header.classes.get(entry.class_name)
            if known is None or known.family != entry.family:
                raise DatasetError(
                    f"{path}: found the {entry.family} {shown(entry.class_name)}, which {HEADER} does not list; "
                    f"{self._mend}"
                )

    def _path(self, folder: str) -> Path:
        header = self.header or read_header(self.folder)
        path = self.folder / header.file_names(self.index)[folder]
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise DatasetError(f"{path}: found a link that leads out of the dataset; expected a file: put it in place")
        return path

    def read_pass(self, name: PassName) -> PassArray:
        """A pass as the property of its name gives it. Raises DatasetError where there is none."""
        header = self.header or read_header(self.folder)
        if name not in header.passes:
            there = f"none but {', '.join(header.passes)}" if header.passes else "none"
            raise DatasetError(
                f"{self.folder}: asked for the pass {name}, found {there}; render the dataset with --pass {name}"
            )
        with self._content(name) as content:
            camera = self.scene.camera
            return decoded(name, content, header.passes[name], self._record.passes, (camera.height, camera.width))

    def pass_file(self, name: PassName) -> tuple[str, bytes]:
        """The suffix and the content of a pass's file, compared with its digest. Raises DatasetError."""
        with self._content(name) as content:
            return self._path(name).suffix, content

    def _read(self, folder: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
        with self._content(folder) as content:
            camera = self.scene.camera
            pixels = png.decode(content, min(png.MOST_PIXELS, camera.height * camera.width))
        if folder == "images" and pixels.shape[:2] != (camera.height, camera.width):
            raise DatasetError(
                f"{self._path(folder)}: found {pixels.shape[1]} x {pixels.shape[0]} pixels; expected "
                f"{shown(camera.width)} x {shown(camera.height)}, as its scene says; {self._mend}"
            )
        return pixels

    @contextmanager
    def _content(self, folder: str) -> Iterator[bytes]:
        """The content of a picture's file, compared with its digest once it has been decoded."""
        path = self._path(folder)
        with self._explained(path):
            content = content_of(path)
            yield content
        expected = self.digests.get(folder)
        if expected is not None and hashlib.sha256(content).hexdigest() != expected:
            raise DatasetError(f"{path}: {CHANGED}; {self._mend}")

    def _instance_ids(self, family: Family) -> NDArray[np.uint16]:
        folder = FAMILY_FOLDERS[family]
        mask = self._mask(folder)
        listed = np.zeros(1 << 16, bool)
        listed[[0, *(entry.id for entry in self._record.instances if entry.family == family)]] = True
        if not (sound := listed[mask]).all():
            raise DatasetError(
                f"{self._path(folder)}: found the number {mask[~sound][0]}, which {SCENES}/{self.index:06d}.json does "
                f"not list; {self._mend}"
            )
        return mask

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
        except (png.PngError, exr.ExrError) as error:
            raise DatasetError(f"{path}: {error}; {self._mend}") from None
        except FileNotFoundError:
            raise DatasetError(f"{path}: missing, though the frame counts as written; {self._mend}") from None
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror}); make it readable") from None

    @property
    def _mend(self) -> str:
        return f"mend it with: blemish verify --repair {self.folder}"


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
        return Frame(self.path, self.indices[position], self.header)

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(self.path, index, self.header) for index in self.indices)

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
    def passes(self) -> tuple[PassName, ...]:
        """What frames hold beside their picture and masks."""
        return tuple(self.header.passes)

    @property
    def families(self) -> dict[str, Family]:
        """Class name -> family."""
        return {name: entry.family for name, entry in self.header.classes.items()}
