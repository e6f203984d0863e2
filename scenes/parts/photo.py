"""The rectangle that a photograph shows, in the place of a part that would be rendered."""

from typing import Annotated, Literal

from pydantic import Field

from scenes.catalogue.entry import PartEntry
from scenes.geometry.atlas import Part
from scenes.parts.part_model import DrawnPart
from scenes.parts.plate import plate
from scenes.quantities.scene_model import Positive

SHEET_THICKNESS = 1e-3  # m; of the plate that stands for the photograph where someone asks for its mesh


class Photo(DrawnPart):
    """A photograph of a good surface: its size in metres, and which file it was: its name and the SHA-256 of its bytes.

    No recipe names this kind; `blemish synthesize` writes it into the scenes of its frames.
    """

    kind: Literal["photo"] = "photo"
    width: Positive
    height: Positive
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def framed_width(self) -> float:
        """What the camera's picture holds, left to right."""
        return self.width

    @property
    def framed_height(self) -> float:
        """And top to bottom."""
        return self.height

    def build(self) -> Part:
        """A plate of the photograph's size: its chart is the photograph's rectangle."""
        return plate(self.width, self.height, SHEET_THICKNESS)


ENTRIES = (
    PartEntry(
        kind="photo",
        recipe=None,
        drawn=Photo,
        title="Photograph",
        tooltip="A flat photograph whose surface is all that is known",
        noun="surface",
    ),
)
