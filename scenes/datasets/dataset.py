"""The dataset on disk: written frame by frame, whole or not at all, and read one frame at a time.

    dataset.json            schema, generator, recipe, seed, frames, classes
    images/000000.png       8 or 16 bits
    classes/000000.png      16-bit class bit mask
    defects/000000.png      16-bit instance ids of the defect family; impurities/ likewise
    scenes/000000.json      the drawn scene, the instances, and what was done to the picture since; written last, it
                            makes the frame count
    mesh/part.obj           the mesh file of a part that is one (or .stl, .glb), so that nothing lies elsewhere
    annotations.json        COCO instances, when the run ends

Every file appears under its name only when it is complete. Names of files are made from frame numbers, never read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from procgen.errors import BlemishError
from procgen.surface.layer import Family, Instance
from scenes.geometry.meshes import digest_of, portable
from scenes.parts.mesh import MeshPart, MeshRecipe
from scenes.pictures import png
from scenes.quantities.distribution import shown
from scenes.recipes.recipe import Recipe, recipe_from
from scenes.scene import Scene

SCHEMA: Final = 1
CLASSES: Final = 16  # bits of a class mask
HEADER, ANNOTATIONS, SCENES = "dataset.json", "annotations.json", "scenes"
PICTURES = ("images", "classes", "defects", "impurities")
MESH = "mesh"
FAMILY_FOLDERS: dict[Family, str] = {"defect": "defects", "impurity": "impurities"}

_SCENE_FILE = re.compile(r"(\d{6,})\.json")
_MESH_FILE = re.compile(r"mesh/part\.(obj|stl|glb)")
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


class DatasetError(BlemishError):
    """A dataset that cannot be written or read; the message names the file and what to do."""


class ClassEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    bit: int = Field(ge=0, le=15)
    family: Family


class Header(BaseModel):
    """What dataset.json holds. `settings`: whatever else the frames depend on, such as samples per pixel."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    generator: dict[str, str]
    recipe: dict[str, Any]
    seed: int = Field(ge=0)
    frames: int = Field(ge=1)
    classes: dict[str, ClassEntry]
    without: tuple[str, ...] = ()
    settings: dict[str, Any] = {}


class DatasetWriter:
    """Writes the frames of one dataset, in any order, from one process or several.

    recipe: as given; where its part is a mesh, one of the dataset's own copy of the file: draw scenes from this one.
    classes: defect classes and their families beyond the recipe's, which get the next bits.
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
            settings=settings,
        )
        self._open(header, mesh)

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
        with _explained(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise DatasetError(f"{self.path}: found a file; expected a folder to write the dataset into")
            self._made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(self.path)
            if (self.path / HEADER).exists():
                self._resume(header)
            elif any(not _TEMPORARY.fullmatch(entry.name) for entry in self.path.iterdir()):
                raise DatasetError(
                    f"{self.path}: found other files and no {HEADER}; expected a new or empty folder, or a dataset"
                )
            else:
                self._write(HEADER, _json(header.model_dump(mode="json", by_alias=True)))
                self._began = True
            for name in (*PICTURES, SCENES):
                folder = self.path / name
                if folder.is_symlink():
                    raise DatasetError(f"{folder}: found a link; expected a folder of the dataset's own")
                folder.mkdir(exist_ok=True)
                _remove_leftovers(folder)
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
        _remove_leftovers(own.parent)
        if not own.exists() or own.stat().st_size != len(mesh) or digest_of(str(own)) != part.sha256:
            write_atomically(own, mesh)

    def _resume(self, header: Header) -> None:
        begun = read_header(self.path)
        ours, theirs = (entry.model_dump(mode="json", by_alias=True) for entry in (header, begun))
        frames_before = theirs.pop("frames")
        ours.pop("frames")
        difference = next(_differences(theirs, ours, ""), None)
        if difference:
            raise DatasetError(
                f"{self.path}: the dataset there was begun differently: {difference}; expected the same recipe, seed, "
                "settings and version, or another folder"
            )
        if header.frames < frames_before:
            raise DatasetError(
                f"{self.path}: the dataset there has {frames_before} frames, more than the {header.frames} asked for; "
                f"ask for {frames_before} or more, or write into another folder"
            )
        if header.frames > frames_before:
            (self.path / ANNOTATIONS).unlink(missing_ok=True)
            self._write(HEADER, _json(header.model_dump(mode="json", by_alias=True)))

    def missing(self) -> tuple[int, ...]:
        """Numbers of the frames that are still to be written, in order."""
        written = set(committed(self.path, self.frames))
        return tuple(index for index in range(self.frames) if index not in written)

    def discard(self) -> None:
        """Take the dataset back where this writer began it and no frame came of it; else it stays as it is."""
        if not self._began or len(self.missing()) < self.frames:
            return
        for name in (*PICTURES, SCENES, MESH):
            folder = self.path / name
            for entry in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
                if _TEMPORARY.fullmatch(entry.name) or name != SCENES:  # pictures of a frame that is not there
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
    ) -> None:
        """Write one frame; it counts once its scene file is there, which is last.

        image: (H, W, 3) or (H, W), uint8 or uint16. The masks: (H, W) uint16. instances: of both families, as
        `surface_maps` gives them. refinement: what was done to the picture after the scene was shown, JSON values.
        Raises ValueError for arrays of other shapes and types, DatasetError where the disk does not take the files.
        """
        if not 0 <= index < self.frames:
            raise ValueError(f"frame {index} of a dataset of {self.frames}")
        width, height = scene.camera.width, scene.camera.height
        arrays = dict(zip(PICTURES, (image, classes, defects, impurities), strict=True))
        for name, array in arrays.items():
            if array.shape[:2] != (height, width):
                raise ValueError(f"{name} of shape {array.shape}; expected {height} rows and {width} columns")
            if name != "images" and (array.dtype != np.uint16 or array.ndim != 2):
                raise ValueError(f"{name} of type {array.dtype} and shape {array.shape}; expected (H, W) uint16")
        for name, array in arrays.items():
            self._write(f"{name}/{index:06d}.png", png.encode(array))
        drawn = {
            "schema": SCHEMA,
            "scene": self._portable(scene).model_dump(mode="json"),
            "instances": [
                {"id": instance.id, "family": instance.family, "class": instance.class_name} for instance in instances
            ],
        }
        if refinement is not None:
            drawn["refinement"] = dict(refinement)
        self._write(f"{SCENES}/{index:06d}.json", _json(drawn))

    def _portable(self, scene: Scene) -> Scene:
        """The scene with the path of its mesh as it is from the dataset's folder."""
        if not isinstance(scene.part, MeshPart):
            return scene
        own = self.recipe.part
        if not isinstance(own, MeshRecipe) or scene.part.digest != own.sha256:
            raise ValueError("a scene of another mesh; expected one that was drawn from this writer's own recipe")
        return scene.model_copy(update={"part": scene.part.model_copy(update={"path": _from_dataset(own)})})

    def finish(self) -> None:
        """Write annotations.json from the maps, one frame in memory at a time. Raises DatasetError if frames miss."""
        missing = self.missing()
        if missing:
            raise DatasetError(
                f"{self.path}: {len(missing)} of {self.frames} frames are missing, the first is {missing[0]}; "
                "render them before finishing"
            )
        with _explained(self.path):
            for folder in (self.path, *(self.path / name for name in (*PICTURES, SCENES))):
                _remove_leftovers(folder, even_of_the_living=True)
            if not (self.path / ANNOTATIONS).exists():
                self._write(ANNOTATIONS, coco_annotations(Dataset(self.path)))

    def _write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        write_atomically(self.path / name, content)


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Make a file appear under its name complete and on the disk, or not at all; chunks are written as they come.

    Raises DatasetError where the disk does not take it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _explained(path):
        try:
            with temporary.open("wb") as file:
                for chunk in [content] if isinstance(content, bytes) else content:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)  # the new name is on the disk only when its folder is
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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
    def _record(self) -> _FrameRecord:
        path = self._path(SCENES)
        written = _read_json(path)
        _check_mesh(self.folder, path, written)
        try:
            return _FrameRecord.model_validate(written, context={"folder": self.folder})
        except ValidationError as error:
            raise DatasetError(f"{path}: {_first(error)}; {self._mend}") from None
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


class _InstanceRecord(BaseModel):
    id: int = Field(ge=1, le=65535)
    family: Family
    class_name: str = Field(alias="class")


class _Parent(BaseModel):
    model_config = ConfigDict(extra="allow")

    frame: int = Field(ge=0)


class _Refinement(BaseModel):
    """What a frame's maker says of it; only where it began is read here."""

    model_config = ConfigDict(extra="allow")

    parents: list[_Parent] = Field(min_length=1)


class _FrameRecord(BaseModel):
    schema_version: Literal[1] = Field(alias="schema")
    scene: Scene
    instances: tuple[_InstanceRecord, ...]
    refinement: _Refinement | None = None


def read_header(folder: Path) -> Header:
    """What dataset.json of a dataset says. Raises DatasetError where there is none that this Blemish can read."""
    path = folder / HEADER
    if not path.is_file():
        raise DatasetError(f"{folder}: holds no {HEADER}; expected a folder that `blemish render` wrote")
    written = _read_json(path)
    schema = written.get("schema") if isinstance(written, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise DatasetError(
            f"{path}: written by a newer Blemish (schema {schema}; this one reads up to {SCHEMA}); update Blemish"
        )
    try:
        return Header.model_validate(written)
    except ValidationError as error:
        raise DatasetError(f"{path}: {_first(error)}; expected the file as Blemish wrote it") from None


def recipe_in(folder: Path) -> Recipe:
    """The recipe of a dataset, be there frames or not. Raises RecipeError where this Blemish cannot use it."""
    written = read_header(folder).recipe
    _check_mesh(folder, folder / HEADER, written)
    return recipe_from(written, str(folder / HEADER))


def coco_annotations(dataset: Dataset) -> Iterator[bytes]:
    """annotations.json in pieces: COCO instances with compressed run lengths of every instance that is in sight."""
    from pycocotools import mask as run_length

    images = [
        {"id": frame.index, "file_name": f"images/{frame.index:06d}.png", "height": height, "width": width}
        for frame in dataset
        for height, width in [frame.size]
    ]
    categories = [
        {"id": entry.bit + 1, "name": name, "supercategory": entry.family}
        for name, entry in dataset.header.classes.items()
    ]
    yield b'{"categories": ' + json.dumps(categories).encode() + b',\n"images": ' + json.dumps(images).encode()
    yield b',\n"annotations": ['
    number = 0
    for frame in dataset:
        maps = {family: getattr(frame, folder) for family, folder in FAMILY_FOLDERS.items()}
        for instance in frame.instances:
            mask = maps[instance.family] == instance.id
            if not mask.any():
                continue
            encoded = run_length.encode(np.asfortranarray(mask.astype(np.uint8)))
            number += 1
            annotation = {
                "id": number,
                "image_id": frame.index,
                "category_id": dataset.classes[instance.class_name] + 1,
                "instance": instance.id,
                "bbox": [float(edge) for edge in run_length.toBbox(encoded)],
                "area": int(run_length.area(encoded)),
                "iscrowd": 0,
                "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
            }
            yield (b",\n" if number > 1 else b"\n") + json.dumps(annotation).encode()
    yield b"\n]}\n"


def committed(folder: Path, frames: int) -> tuple[int, ...]:
    """Numbers, below `frames`, of the frames whose scene file is there."""
    scenes = folder / SCENES
    if not scenes.is_dir():
        return ()
    matches = filter(None, map(_SCENE_FILE.fullmatch, os.listdir(scenes)))
    indices = (int(match[1]) for match in matches if match[1] == f"{int(match[1]):06d}")
    return tuple(sorted(index for index in indices if index < frames))


def _portable(recipe: Recipe) -> dict[str, Any]:
    """What dataset.json says of a recipe: the path of its mesh is from the dataset's folder."""
    if isinstance(recipe.part, MeshRecipe):
        own = recipe.part.model_copy(update={"path": _from_dataset(recipe.part)})
        recipe = recipe.model_copy(update={"part": own})
    return recipe.model_dump(mode="json")


def _from_dataset(part: MeshRecipe) -> str:
    return f"{MESH}/{Path(part.path).name}"


def _check_mesh(folder: Path, path: Path, written: object) -> None:
    """Raise DatasetError where a file of a dataset names a mesh that is not the dataset's own."""
    holder = written.get("scene", written) if isinstance(written, dict) else None
    part = holder.get("part") if isinstance(holder, dict) else None
    if not isinstance(part, dict) or part.get("kind") != "mesh":
        return
    name = part.get("path")
    if not isinstance(name, str) or not _MESH_FILE.fullmatch(name):
        raise DatasetError(f"{path}: found the mesh {shown(name)}; expected mesh/part.obj, .stl or .glb of the dataset")
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{folder / name}: found a link that leads out of the dataset; expected a file")


def _remove_leftovers(folder: Path, even_of_the_living: bool = False) -> None:
    """Remove the temporary files of writers that were killed; of other processes at work only if told to."""
    for entry in folder.iterdir():
        match = _TEMPORARY.fullmatch(entry.name)
        if match and (even_of_the_living or int(match[1]) == os.getpid() or not _is_running(int(match[1]))):
            entry.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it runs, as somebody else
    return True


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DatasetError(f"{path}: truncated or damaged, not JSON; restore it or write the dataset anew") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None


def _first(error: ValidationError) -> str:
    """The first problem of a file that the project itself wrote; people do not edit these."""
    details = error.errors()[0]
    return f"{'.'.join(map(str, details['loc']))}: found {shown(details['input'])}; {details['msg']}"


def _differences(theirs: object, ours: object, path: str) -> Iterator[str]:
    """Where two JSON values part, as "path is X there, Y here"."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            yield from _differences(theirs.get(key), ours.get(key), f"{path}.{key}" if path else key)
    elif theirs != ours:
        there, now = ("not given" if value is None else shown(value) for value in (theirs, ours))
        yield f"{path} is {there} there and {now} now"


def blemish_version() -> str:
    """The distribution's version, which datasets and inspectors carry; "unknown" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("blemish")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


_ERRNO_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again, whole frames are kept",
    errno.EDQUOT: "your disk quota is used up; free some space and run the same command again, whole frames are kept",
    errno.EACCES: "not allowed to write here; choose a folder that you may write to",
    errno.EPERM: "not allowed to write here; choose a folder that you may write to",
    errno.EROFS: "this file system can only be read; choose a folder that you may write to",
    errno.ENOENT: "the folder it belongs in does not exist; make that first",
    errno.ENOTDIR: "part of this path is a file; choose another folder",
}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing into DatasetError."""
    try:
        yield
    except OSError as error:
        refused = f"cannot be written ({error.strerror or error}); choose another folder"
        reason = _ERRNO_ADVICE.get(error.errno or 0, refused)
        raise DatasetError(f"{path}: {reason}") from None
