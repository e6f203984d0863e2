"""A mesh of the user as the inspected part: OBJ, STL or glTF."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from procgen.errors import BlemishError
from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Part
from scenes.geometry.mesh_files import digest_of
from scenes.geometry.meshes import unwrapped
from scenes.geometry.surfaces import Surface, Up, doubtful_unit, read_surface
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.quantities.distribution import shown
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.scene_model import Positive
from scenes.quantities.units import MM

LEAST_FRAMED_MM = 0.1  # nothing is known of the mesh before its file is read


class MeshRecipe(PartRecipeModel):
    """A mesh file, its path relative to the recipe's; all of its surface is inspected.

    unit_mm: millimetres in one unit of the file, 1000 for glTF. up: the file's axis that is to face the camera.
    sha256: of the file, where no other will do; a dataset says it of the copy that it carries.
    """

    kind: Literal["mesh"]
    path: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        title="File", description="The mesh: .obj, .stl, .gltf or .glb"
    )
    unit_mm: Annotated[float, Field(strict=True, ge=1e-3, le=1e5)] = Field(
        1.0, title="Unit", description="Millimetres in one unit of the file: 1000 for glTF, which is in metres"
    )
    up: Up = Field("z", title="Up Axis", description="Axis of the file that faces the camera")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, title="SHA-256", description="Digest of the file, where no other will do"
    )

    @field_validator("path")
    @classmethod
    def _beside_the_recipe(cls, path: str, info: ValidationInfo) -> str:
        return _resolved(path, info)

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return LEAST_FRAMED_MM

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have, as far as is known: the atlas sees to the rest."""
        return LEAST_FRAMED_MM

    def check(self) -> str:
        """The digest of the file. Raises BlemishError where it is not the one that `sha256` names."""
        digest = digest_of(self.path)
        if self.sha256 not in (None, digest):
            raise BlemishError(
                f"mesh {self.path}: found a file of SHA-256 {digest[:12]}…; expected {str(self.sha256)[:12]}…: "
                "put the file back that the recipe names"
            )
        return digest

    def read(self) -> Surface:
        """The mesh itself. Raises BlemishError where the file holds none that can be a part."""
        return read_surface(self.path, self.check(), MM * self.unit_mm, self.up)

    def sample(self, stream: RandomStream) -> "MeshPart":
        """The same mesh in every frame."""
        return MeshPart(path=self.path, digest=self.check(), unit=MM * self.unit_mm, up=self.up)


class MeshPart(DrawnPart):
    """A mesh file, known by its digest (SHA-256); unit: metres in one unit of the file.

    path: in a dataset, from its folder.
    """

    kind: Literal["mesh"] = "mesh"
    path: str
    digest: str
    unit: Positive
    up: Up

    @field_validator("path")
    @classmethod
    def _in_the_dataset(cls, path: str, info: ValidationInfo) -> str:
        return _resolved(path, info)

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self._extents[0]

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self._extents[1]

    @property
    def _extents(self) -> tuple[float, float]:
        x, y, _ = np.ptp(read_surface(self.path, self.digest, self.unit, self.up).vertices, axis=0).tolist()
        return x, y

    def doubtful_unit(self) -> str:
        """A question about the unit of the file where its extent is a most unusual one; else nothing."""
        extent = float(np.ptp(read_surface(self.path, self.digest, self.unit, self.up).vertices, axis=0).max())
        return doubtful_unit(extent, self.unit)

    def build(self) -> Part:
        """The mesh and its charts."""
        return unwrapped(read_surface(self.path, self.digest, self.unit, self.up))


def _resolved(path: str, info: ValidationInfo) -> str:
    """The whole path of one that begins at the folder in the context, if there is one. Raises ValueError."""
    folder = (info.context or {}).get("folder")
    try:
        return path if folder is None else str((Path(folder) / path).resolve())
    except (RuntimeError, ValueError, OSError):  # links in a circle, a zero character
        raise ValueError(f"found {shown(path)}, which leads to no file; expected the path of a mesh") from None


ENTRIES = (
    PartEntry(
        kind="mesh",
        recipe=MeshRecipe,
        drawn=MeshPart,
        title="Own Mesh",
        tooltip="A mesh of your own: all of its surface is inspected",
        noun="part",
        requires=frozenset({"file"}),
    ),
)
