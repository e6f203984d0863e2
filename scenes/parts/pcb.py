"""A printed circuit board with a layout of its own: pads, tracks at multiples of 45°, white print."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StrictBool

from procgen.boards.layout import Board, BoardFinish
from procgen.boards.routing import lay_out
from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Part, extruded
from scenes.parts.part_model import DrawnPart, PartRecipeModel
from scenes.parts.plate import PlaneChart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Extent
from scenes.quantities.scene_model import Positive

Side = Annotated[Distribution, Within(8, 120)]  # mm; a board of more takes minutes to route


class PcbRecipe(PartRecipeModel):
    """A board; every layout_seed has a layout of its own: one number for a product, a distribution for many.

    track_mm: width of most tracks. density: components over what such a board comfortably holds. The finish is that of
    the solder mask, or of the laminate where there is none.
    """

    kind: Literal["pcb"]
    width_mm: Side = Field(description="Left to right")
    height_mm: Side = Field(description="Top to bottom in the picture")
    thickness_mm: Extent = Field(Constant(1.6), description="Thickness of the part")
    density: Annotated[Distribution, Within(0.1, 2)] = Field(
        Constant(1.0), description="How densely tracks and parts are laid: 1 is common"
    )
    track_mm: Annotated[Distribution, Within(0.1, 1.0)] = Field(
        Constant(0.25), title="Track Width", description="Width of the copper tracks"
    )
    layout_seed: Annotated[Distribution, Within(0, 1_000_000, whole=True)] = Field(
        Constant(0), description="The number of the layout; one number for all frames is one product"
    )
    pours: Annotated[Distribution, Within(0, 30, whole=True)] = Field(
        Constant(0.0), description="How many areas are filled with copper"
    )
    masked: StrictBool = Field(True, description="Under solder mask and print; off is copper bare on its laminate")

    @property
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""
        return self.width_mm.low

    @property
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""
        return max(self.width_mm.high, self.height_mm.high)

    def sample(self, stream: RandomStream) -> "Pcb":
        """The board of one frame."""
        quantities = stream.quantities(self, omit=("layout_seed", "pours"))
        layout_seed, pours = stream.whole("layout_seed", self.layout_seed), stream.whole("pours", self.pours)
        return Pcb(layout_seed=layout_seed, pours=pours, masked=self.masked, **quantities)


class Pcb(DrawnPart):
    """The dimensions of one board, metres, and the seed of its layout."""

    kind: Literal["pcb"] = "pcb"
    width: Positive
    height: Positive
    thickness: Positive
    density: Positive
    track: Positive
    layout_seed: Annotated[int, Field(ge=0)]
    pours: Annotated[int, Field(ge=0)] = Field(0, exclude_if=lambda pours: pours == 0)
    masked: bool = Field(True, exclude_if=bool)

    @property
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""
        return self.width

    @property
    def framed_height(self) -> float:
        """And top to bottom: 0, so that the picture is filled from side to side."""
        return 0.0

    def build(self) -> Part:
        """The board's mesh and its chart, which knows the layout."""
        board = _board(self)
        x = np.array([-self.width / 2, self.width / 2])
        profile = np.stack([np.column_stack([x, np.full(2, z)]) for z in (0.0, -self.thickness)])
        chart = BoardChart(self.width, self.height, board)
        return Part(extruded(profile, self.height), (chart,), lambda mask: BoardFinish(mask, board))


ENTRIES = (
    PartEntry(
        kind="pcb",
        recipe=PcbRecipe,
        drawn=Pcb,
        title="Circuit Board",
        tooltip="A printed circuit board with tracks, pads and holes",
        noun="board",
        provides=frozenset({"border", "copper"}),
    ),
)


@dataclass(frozen=True)
class BoardChart(PlaneChart):
    """The upper side of a board, and what is laid out on it."""

    board: Board


@lru_cache(maxsize=4)
def _board(drawn: Pcb) -> Board:
    rng = np.random.default_rng(drawn.layout_seed)
    return lay_out(drawn.width, drawn.height, drawn.density, drawn.track, rng, pours=drawn.pours, masked=drawn.masked)
