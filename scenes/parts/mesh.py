"""A mesh of the user as the inspected part: OBJ, STL or glTF."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from scenes.atlas import Part
from scenes.concrete import Concrete, Positive
from scenes.lot import MM, Lot
from scenes.meshes import Up, digest_of, read_surface, unwrapped
from scenes.sections import Section

LEAST_FRAMED_MM = 0.1  # nothing is known of the mesh before its file is read


class MeshRecipe(Section):
    """A mesh file, its path relative to the recipe's; all of its surface is inspected.

    unit_mm: millimetres in one unit of the file, 1000 for glTF. up: the file's axis that is to face the camera.
    """

    kind: Literal["mesh"]
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    unit_mm: Annotated[float, Field(strict=True, ge=1e-3, le=1e5)] = 1.0
    up: Up = "z"

    @field_validator("path")
    @classmethod
    def _beside_the_recipe(cls, path: str, info: ValidationInfo) -> str:
        folder = (info.context or {}).get("folder")
        return path if folder is None else str((Path(folder) / path).resolve())

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return LEAST_FRAMED_MM

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have, as far as is known: the atlas sees to the rest."""
        return LEAST_FRAMED_MM

    def drawn(self, lot: Lot) -> "MeshPart":
        """The same mesh in every frame."""
        return MeshPart(path=self.path, digest=digest_of(self.path), unit=MM * self.unit_mm, up=self.up)


class MeshPart(Concrete):
    """A mesh file, known by its digest (SHA-256); unit: metres in one unit of the file."""

    kind: Literal["mesh"] = "mesh"
    path: str
    digest: str
    unit: Positive
    up: Up

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

    def built(self) -> Part:
        """The mesh and its charts."""
        return unwrapped(read_surface(self.path, self.digest, self.unit, self.up))
