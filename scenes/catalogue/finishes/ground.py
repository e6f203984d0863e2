"""The ground or brushed finish."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from procgen.finish import GroundFinish
from procgen.finish.solid import rod_density
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import Brightness, FinishRecipeModel, dimmed, heading, require_apart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Microns, Ratio, together

MOST_COVERED = 2 * rod_density(0.5)  # grooves from end to end in the width of the widest; half bright and half dark


class GroundFinishRecipe(FinishRecipeModel):
    """See `procgen.finish.GroundFinish`; to grind and to brush leave marks of one sort."""

    kind: Literal["ground", "brushed"]
    lay_degrees: Degrees = Field(description="Direction of the marks: 0° is along the width, 90° upright")
    correlation_along_mm: Fine = Field(title="Mark Length", description="How long a mark stays recognisable")
    correlation_across_mm: Fine = Field(title="Mark Width", description="How wide a mark is")
    height_rms_um: Microns = Field(title="Height RMS", description="Root mean square height of the marks")
    base_colour: tuple[Fraction, Fraction, Fraction] = Field(
        description="Colour of the bare surface, linear red, green and blue"
    )
    brightness: Brightness = Field(Constant(1.0), description="Multiplies the base colour")
    roughness: Fraction = Field(description="Of the reflection: 0 is a mirror, 1 is chalk")
    roughness_streaks: Fraction = Field(
        Constant(0.0), title="Rough Streaks", description="How much the roughness differs from mark to mark"
    )
    streaks: Ratio = Field(Constant(0.0), description="Contrast of single bright and dark marks")
    grain: Ratio = Field(Constant(0.0), description="Contrast of the fine grain without direction")
    grain_size_mm: Fine = Field(Constant(0.1), description="Size of a grain")
    grooves: Ratio = Field(Constant(0.0), description="How much the sparse long grooves stand out")
    groove_depth_um: Microns = Field(Constant(0.0), description="Depth of the single long grooves")
    lines: Ratio = Field(Constant(0.0), description="How much the sharp lines from end to end stand out")
    line_width_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(50.0), description="Width of the sharp lines"
    )
    through_grooves: Ratio = Field(
        Constant(0.0), description="How much brighter or darker than the surface single grooves from end to end are"
    )
    through_groove_density_per_mm: Annotated[Distribution, Within(0, 100)] = Field(
        Constant(0.0),
        title="Through Density",
        description="How many grooves from end to end a millimetre across them has",
    )
    through_groove_width_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(100.0),
        title="Through Width",
        description="Width of the widest grooves from end to end; two thirds of it on average",
    )
    through_groove_depth_um: Microns = Field(
        Constant(0.0), title="Through Depth", description="Depth of the grooves from end to end"
    )
    smudges: Ratio = Field(Constant(0.0), description="How dark soft smudges are")
    smudge_roughness: Fraction = Field(
        Constant(0.0), title="Smudge Gloss", description="How much less rough the surface is under smudges"
    )
    smudge_size_mm: Fine = Field(Constant(2.0), description="Size of a smudge")
    film: Ratio = Field(Constant(0.0), description="How thick a brown film oil, heat and time have left in streaks")
    film_size_mm: Fine = Field(Constant(2.0), description="Width of the film's streaks")
    mottle: Ratio = Field(Constant(0.0), description="Contrast of large soft clouds")
    mottle_size_mm: Fine = Field(Constant(10.0), description="Size of a cloud")
    pit_density_per_cm2: Annotated[Distribution, Within(0, 10_000)] = Field(
        Constant(0.0), description="Fine dark pits in a square centimetre"
    )
    pit_radius_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(100.0), description="Radius of the fine pits"
    )
    pit_depth_um: Microns = Field(Constant(0.0), description="Depth of the fine pits")
    pit_darkening: Fraction = Field(
        Constant(0.6), title="Pit Darkness", description="Share of the light that a pit takes at its bottom"
    )
    metallic: Fraction = Field(Constant(1.0), description="Metal or not: 1 reflects as a metal does")
    anisotropy: Fraction = Field(
        Constant(0.0), description="How much reflections are drawn out across the machining marks"
    )
    axis_degrees: Degrees = Field(
        Constant(0.0), description="Direction of the axis about which the part turned while it was ground"
    )
    axis_depth_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(0.0),
        description="How far that axis lies below the highest point: marks run round it; 0 is ground flat",
    )

    @model_validator(mode="after")
    def _pits_apart(self) -> Self:
        require_apart("pit", self.pit_density_per_cm2, self.pit_radius_um)
        return self

    @model_validator(mode="after")
    def _grooves_apart(self) -> Self:
        density, width_mm = self.through_groove_density_per_mm.high, self.through_groove_width_um.high / 1000
        if density * width_mm >= MOST_COVERED:
            raise together(
                f"found through_groove_density_per_mm up to {density:g} of through_groove_width_um up to "
                f"{width_mm * 1000:g}; expected fewer than {MOST_COVERED / width_mm:.3g}, or they merge"
            )
        return self

    def sample(self, stream: RandomStream) -> GroundFinish:
        """The finish of one frame."""
        quantities = stream.quantities(self)
        return GroundFinish(
            lay_direction=heading(quantities.pop("lay")),
            axis_direction=heading(quantities.pop("axis")),
            base_colour=dimmed(stream.colour("base_colour", self.base_colour), quantities.pop("brightness")),
            seed=stream.layer_seed(),
            kind=self.kind,
            **quantities,
        )


ENTRIES = (
    FinishEntry(
        kind="brushed",
        recipe=GroundFinishRecipe,
        drawn=GroundFinish,
        title="Brushed",
        tooltip="Long fine hairlines of an abrasive belt",
        noun="brushed",
        material="metal",
        directional=True,
    ),
    FinishEntry(
        kind="ground",
        recipe=GroundFinishRecipe,
        drawn=GroundFinish,
        title="Ground",
        tooltip="The fine parallel marks of a grinding wheel",
        noun="ground",
        material="metal",
        directional=True,
    ),
)
