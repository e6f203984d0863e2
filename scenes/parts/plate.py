"""A flat rectangular plate."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import LOCATE_TOLERANCE, Chart, Floats, Part, extruded
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent
from scenes.quantities.scene_model import Positive


class PlateRecipe(PartRecipeModel):
    """A plate; see `plate`."""

    kind: Literal["plate"]
    width_mm: Extent = Field(description="Left to right")
    height_mm: Extent = Field(description="Top to bottom in the picture")
    thickness_mm: Extent = Field(description="Thickness of the part")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.width_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.width_mm.high, self.height_mm.high)

    def sample(self, stream: RandomStream) -> "Plate":
        """The plate of one frame."""
        return Plate(**stream.quantities(self))


class Plate(DrawnPart):
    """The dimensions of one plate, metres."""

    kind: Literal["plate"] = "plate"
    width: Positive
    height: Positive
    thickness: Positive

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.width

    @property
    def framed_height(self) -> float:
        """And top to bottom: 0, so that the picture is filled from side to side."""
        return 0.0

    def build(self) -> Part:
        """The plate's mesh and chart."""
        return plate(self.width, self.height, self.thickness)


ENTRIES = (
    PartEntry(
        kind="plate",
        recipe=PlateRecipe,
        drawn=Plate,
        title="Plate",
        tooltip="A flat rectangular plate",
        noun="plate",
        provides=frozenset({"back", "border"}),
    ),
)


@dataclass(frozen=True)
class PlaneChart(Chart):
    """The rectangle x in ±width/2, y in ±height/2 at z = 0, seen from +z; u runs along +x, v along +y. Metres."""

    width: float
    height: float

    @property
    def size(self) -> tuple[float, float]:
        return self.width, self.height

    def embed(self, uv: Floats) -> Floats:
        return np.column_stack([uv[:, 0] - self.width / 2, uv[:, 1] - self.height / 2, np.zeros(len(uv))])

    def locate(self, positions: Floats) -> Floats:
        uv = positions[:, :2] + [self.width / 2, self.height / 2]
        off = np.abs(positions[:, 2]) > LOCATE_TOLERANCE * max(self.size)
        return np.where(off[:, None], np.nan, uv)

    def normals(self, uv: Floats) -> Floats:
        return np.broadcast_to(np.array([0.0, 0.0, 1.0]), (len(uv), 3))

    def tangents(self, uv: Floats) -> Floats:
        return np.broadcast_to(np.array([1.0, 0.0, 0.0]), (len(uv), 3))


def plate(width: float, height: float, thickness: float) -> Part:
    """A plate whose inspected upper face is a PlaneChart; all extents in metres."""
    x = np.array([-width / 2, width / 2])
    profile = np.stack([np.column_stack([x, np.full(2, z)]) for z in (0.0, -thickness)])
    return Part(extruded(profile, height), (PlaneChart(width, height),))
