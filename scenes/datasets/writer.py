"""Writing a dataset frame by frame, whole or not at all.

Every file appears under its name only when it is complete. Names of files are made from frame numbers, never read.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishNote
from procgen.surface.layer import Family, Instance
from scenes.datasets.annotations import coco_annotations
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import explained, is_temporary, remove_leftovers, sealed, write_atomically
from scenes.datasets.frame_files import FrameFiles, frame_files, from_dataset
from scenes.datasets.passes import PassFormat, PassName, PassPictures
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import (
    ANNOTATIONS,
    CLASSES,
    HEADER,
    MESH,
    SCENES,
    SCHEMA,
    ClassEntry,
    Header,
    committed,
    read_header,
)
from scenes.datasets.verify import discard_damaged
from scenes.geometry.mesh_files import digest_of, portable
from scenes.parts.mesh import MeshRecipe
from scenes.quantities.distribution import shown
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene
from scenes.version import blemish_version

SHOWN_FROM_THERE = 40  # characters of long texts from where they part


class DatasetWriter:
    """Writes the frames of one dataset, in any order, from one process.

    recipe: as given; where its part is a mesh, one of the dataset's own copy of the file: draw scenes from this one.
    classes: defect classes and their families beyond the recipe's, which get the next bits.
    passes: the format of each that frames have beside picture and masks.
    settings: whatever else the frames depend on, such as samples=32; JSON values, kept in dataset.json.
    Opening begins a dataset in a new or empty folder, or resumes one that was begun with the same recipe, seed and
    settings; more frames than before extend it. Raises DatasetError where the folder holds anything else.
    """

    def __init__(
        self,
        path: str | Path,
        recipe: Recipe,
        seed: int,
        frames: int,
        *,
        classes: Mapping[str, Family] | None = None,
        passes: Mapping[PassName, PassFormat] | None = None,
        **settings: Any,
    ) -> None:
        self.path = Path(path)
        self.frames = frames
        self._began = self._made = False
        recipe, mesh = self._with_mesh_inside(recipe)
        self.recipe = recipe
        families = {**recipe.class_families, **(classes or {})}
        if len(families) > CLASSES:
            raise DatasetError(f"{path}: {len(families)} classes; a class mask tells {CLASSES} apart: ask for fewer")
        header = Header(
            schema=SCHEMA,
            generator={"blemish": blemish_version()},
            recipe=_portable(recipe),
            seed=seed,
            frames=frames,
            classes={name: ClassEntry(bit=bit, family=family) for bit, (name, family) in enumerate(families.items())},
            without=recipe.switched_off,
            passes=dict(passes or {}),
            settings=settings,
        )
        self.header = header
        self._open(header, mesh)

    @property
    def folders(self) -> tuple[str, ...]:
        """Of a frame's files; the scenes', which is written last, last."""
        return tuple(self.header.file_names(0))

    def _with_mesh_inside(self, recipe: Recipe) -> tuple[Recipe, bytes | None]:
        """The recipe with its mesh in the dataset's folder, and the bytes of that file where they come from outside."""
        part = recipe.part
        inside = self.path.resolve() / MESH
        if not isinstance(part, MeshRecipe) or Path(part.path).parent == inside:
            return recipe, None
        part.read()  # nothing is begun with a mesh that no frame can show
        suffix, content = portable(part.path)
        fields = {"path": str(inside / f"part{suffix}"), "sha256": hashlib.sha256(content).hexdigest()}
        return recipe.model_copy(update={"part": part.model_copy(update=fields)}), content

    def _open(self, header: Header, mesh: bytes | None) -> None:
        with explained(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise DatasetError(f"{self.path}: found a file; expected a folder to write the dataset into")
            self._made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.path)
            if (self.path / HEADER).exists():
                self._resume(header)
            elif any(not is_temporary(entry.name) for entry in self.path.iterdir()):
                raise DatasetError(
                    f"{self.path}: found other files and no {HEADER}; expected a new or empty folder, or a dataset"
                )
            else:
                self._write(HEADER, sealed(header.model_dump(mode="json", by_alias=True)))
                self._began = True
            for name in self.folders:
                folder = self.path / name
                if folder.is_symlink():
                    raise DatasetError(f"{folder}: found a link; expected a folder of the dataset's own")
                folder.mkdir(exist_ok=True)
                remove_leftovers(folder)
            if mesh is not None:
                self._bring(mesh)

    def _bring(self, mesh: bytes) -> None:
        """Write the mesh file of the part, unless it is there."""
        part = self.recipe.part
        assert isinstance(part, MeshRecipe)
        own = Path(part.path)
        if own.parent.is_symlink() or own.is_symlink():
            raise DatasetError(f"{own}: found a link; expected a file of the dataset's own")
        own.parent.mkdir(exist_ok=True)
        remove_leftovers(own.parent)
        if not own.exists() or own.stat().st_size != len(mesh) or digest_of(str(own)) != part.sha256:
            write_atomically(own, mesh)

    def _resume(self, header: Header) -> None:
        begun = read_header(self.path)
        ours, theirs = (entry.model_dump(mode="json", by_alias=True) for entry in (header, begun))
        frames_before = theirs.pop("frames")
        ours.pop("frames")
        # Of the recipe first, from which most else follows.
        differing = sorted(_differences(theirs, ours, ""), key=lambda line: not line.startswith("recipe"))
        if differing:
            more = f", and {len(differing) - 1} more" if differing[1:] else ""
            raise DatasetError(
                f"{self.path}: the dataset there was begun differently: {differing[0]}{more}; expected the same "
                "recipe, seed, settings and version, or another folder"
            )
        if header.frames < frames_before:
            raise DatasetError(
                f"{self.path}: the dataset there has {frames_before} frames, more than the {header.frames} asked for; "
                f"ask for {frames_before} or more, or write into another folder"
            )
        if header.frames > frames_before:
            (self.path / ANNOTATIONS).unlink(missing_ok=True)
            self._write(HEADER, sealed(header.model_dump(mode="json", by_alias=True)))
        for problem in discard_damaged(self.path):
            warnings.warn(f"{problem}; it is written anew", BlemishNote, stacklevel=2)

    def missing(self) -> tuple[int, ...]:
        """Numbers of the frames that are still to be written, in order."""
        written = set(committed(self.path, self.frames))
        return tuple(index for index in range(self.frames) if index not in written)

    def discard(self) -> None:
        """Take the dataset back where this writer began it and no frame came of it; else it stays as it is."""
        if not self._began or len(self.missing()) < self.frames:
            return
        for name in (*self.folders, MESH):
            folder = self.path / name
            for entry in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
                if is_temporary(entry.name) or name != SCENES:  # pictures of a frame that is not there
                    entry.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        (self.path / HEADER).unlink(missing_ok=True)
        if self._made:
            with suppress(OSError):
                self.path.rmdir()

    def write(
        self,
        index: int,
        image: NDArray[np.uint8] | NDArray[np.uint16],
        classes: NDArray[np.uint16],
        defects: NDArray[np.uint16],
        impurities: NDArray[np.uint16],
        scene: Scene,
        instances: Sequence[Instance],
        refinement: Mapping[str, Any] | None = None,
        passes: PassPictures | None = None,
    ) -> None:
        """Write one frame; it counts once its scene file is there, which is last.

        The arguments are those of `frame_files`. Raises ValueError for arrays of other shapes and types, DatasetError
        where the disk does not take the files.
        """
        self.put(
            index,
            frame_files(self.recipe, image, classes, defects, impurities, scene, instances, refinement, passes),
        )

    def put(self, index: int, files: FrameFiles) -> None:
        """Write one frame that `frame_files` made, with this writer's recipe.

        Raises ValueError for a frame that is none of this dataset's, DatasetError where the disk does not take it.
        """
        if not 0 <= index < self.frames:
            raise ValueError(f"frame {index} of a dataset of {self.frames}")
        for folder, name in self.header.file_names(index).items():
            self._write(name, files[folder])

    def finish(self) -> None:
        """Write annotations.json from the maps, one frame in memory at a time. Raises DatasetError if frames miss."""
        missing = self.missing()
        if missing:
            raise DatasetError(
                f"{self.path}: {len(missing)} of {self.frames} frames are missing, the first is {missing[0]}; "
                "render them before finishing"
            )
        with explained(self.path):
            for folder in (self.path, *(self.path / name for name in self.folders)):
                remove_leftovers(folder, even_of_the_living=True)
            if not (self.path / ANNOTATIONS).exists():
                self._write(ANNOTATIONS, coco_annotations(Dataset(self.path)))

    def _write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        write_atomically(self.path / name, content)


def _portable(recipe: Recipe) -> dict[str, Any]:
    """What dataset.json says of a recipe: the path of its mesh is from the dataset's folder."""
    if isinstance(recipe.part, MeshRecipe):
        own = recipe.part.model_copy(update={"path": from_dataset(recipe.part)})
        recipe = recipe.model_copy(update={"part": own})
    return recipe.model_dump(mode="json")


def _differences(theirs: object, ours: object, path: str) -> Iterator[str]:
    """Where two JSON values part, as "path is X there, Y here": of lists their lengths first, of entries their kind."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        other_kind = theirs.get("kind") != ours.get("kind")
        for key in ["kind"] if other_kind else sorted({*theirs, *ours}):
            yield from _differences(theirs.get(key), ours.get(key), f"{path}.{key}" if path else key)
    elif isinstance(theirs, list) and isinstance(ours, list) and not _fits_a_line(theirs, ours):
        if len(theirs) != len(ours):
            yield f"{path} has {len(theirs)} entries there and {len(ours)} now"
        for number, entries in enumerate(zip(theirs, ours, strict=False)):
            yield from _differences(*entries, f"{path}.{number}")
    elif theirs != ours:
        there, now = ("not given" if value is None else shown(value) for value in (theirs, ours))
        if there == now:  # long texts, of which is told from where they part
            pairs = enumerate(zip(str(theirs), str(ours), strict=False))
            start = next((number for number, (one, other) in pairs if one != other), SHOWN_FROM_THERE)
            there, now = (f"…{str(value)[start : start + SHOWN_FROM_THERE]}" for value in (theirs, ours))
        yield f"{path} is {there} there and {now} now"


def _fits_a_line(theirs: list[object], ours: list[object]) -> bool:
    """Whether two lists are plain, and the difference between them is seen where they are shown whole."""
    plain = not any(isinstance(entry, dict | list) for entry in theirs + ours)
    return plain and shown(theirs) != shown(ours)
