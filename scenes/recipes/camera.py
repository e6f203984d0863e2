"""The section `camera` of a recipe: the lens, where it stands, and the positions that each surface is seen from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StrictBool, model_validator

from scenes.parts import PartRecipe
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.recipe_model import Degrees, Offset, RecipeModel, together
from scenes.scene import SIDES, Side

PIXEL_SIDE_LIMIT = 4096  # so that two texels a pixel stay within TEXTURE_SIDE_LIMIT
MOST_POSITIONS = 32  # side by side

Pixels = Annotated[int, Field(strict=True, ge=16, le=PIXEL_SIDE_LIMIT)]
Positions = Annotated[int, Field(strict=True, ge=1, le=MOST_POSITIONS)]
Pitch = Annotated[float, Field(strict=True, ge=0, le=1000)]


class CameraRecipe(RecipeModel):
    """See `scenes.camera.imaging.camera_above`."""

    resolution: tuple[Pixels, Pixels] = Field(description="Pixels of the picture")
    focal_length_mm: Annotated[Distribution, Within(0.1, 1000)] = Field(description="Focal length of the lens")
    sensor_width_mm: Annotated[float, Field(strict=True, gt=0.01, le=1000)] = Field(
        description="Width of the camera's chip"
    )
    margin: Annotated[Distribution, Within(-0.49, 4)] = Field(
        Constant(0.0), description="Free space at the left and right as a share of the part's width; negative is closer"
    )
    working_distance_mm: Annotated[Distribution, Within(1, 100_000)] | None = Field(
        None, title="Distance", description="From the lens to the part; off frames the part by the margin instead"
    )
    offset_x_mm: Offset = Field(Constant(0.0), description="How far camera and light stand off to the right")
    offset_y_mm: Offset = Field(Constant(0.0), description="How far camera and light stand off upwards")
    roll_degrees: Degrees = Field(Constant(0.0), description="Turn of the camera about its axis")
    f_number: Annotated[Distribution, Within(0.5, 1000)] | None = Field(
        None, title="F-Stop", description="Focal length over aperture, to blur what is out of focus"
    )
    tilt_degrees: Annotated[Distribution, Within(0, 80)] = Field(
        Constant(0.0), description="By how much the camera looks aslant, about the middle of its picture"
    )
    tilt_azimuth_degrees: Degrees = Field(
        Constant(0.0), description="Where a tilted camera stands: 0° is to the right, 90° above"
    )
    telecentric: StrictBool = Field(
        False, description="A telecentric lens: everything has the same size in the picture, however far it is"
    )
    magnification: Annotated[Distribution, Within(0.001, 100)] | None = Field(
        None,
        description="Size on the chip over size of the part, of a telecentric lens; off frames the part by the margin",
    )
    grid_columns: Positions = Field(
        1,
        description="Positions side by side that each surface is seen from, a picture each, camera and light together",
    )
    grid_rows: Positions = Field(1, description="Rows of such positions")
    grid_pitch_x_mm: Pitch = Field(0.0, description="From one position to the next on its right")
    grid_pitch_y_mm: Pitch = Field(0.0, description="From one row of positions to the next")
    both_sides: StrictBool = Field(False, description="The part is turned over and seen from all positions once more")

    @property
    def views(self) -> int:
        """How many pictures are taken of one surface."""
        return self.grid_columns * self.grid_rows * (2 if self.both_sides else 1)

    def position_mm(self, view: int) -> tuple[float, float, Side]:
        """How far right and up of the middle a view is taken, row by row from the top left, and of which side."""
        side, place = divmod(view, self.grid_columns * self.grid_rows)
        row, column = divmod(place, self.grid_columns)
        x = (column - (self.grid_columns - 1) / 2) * self.grid_pitch_x_mm
        y = ((self.grid_rows - 1) / 2 - row) * self.grid_pitch_y_mm
        return x, y, SIDES[side]

    def finest_pixel_mm(self, part: PartRecipe) -> float:
        """The least that a pixel may cover of the part's uppermost plane, in the middle of the picture."""
        if self.magnification is not None:
            field_mm = self.sensor_width_mm / self.magnification.high
        elif self.working_distance_mm is None:
            field_mm = part.framed_mm * (1 + 2 * self.margin.low)
        else:
            field_mm = self.working_distance_mm.low * self.sensor_width_mm / self.focal_length_mm.high
        return field_mm / self.resolution[0]

    @model_validator(mode="after")
    def _lens_has_one_scale(self) -> Self:
        if self.magnification is not None and not self.telecentric:
            raise together("found magnification without telecentric; expected telecentric: true, or no magnification")
        if self.telecentric and self.working_distance_mm is not None:
            raise together(
                "found working_distance_mm with telecentric, whose picture is the same from any distance; expected "
                "magnification or margin"
            )
        return self
