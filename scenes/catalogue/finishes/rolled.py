"""Rolled sheet, bright or under scale."""

from typing import Literal

from pydantic import Field

from procgen.finish import RolledFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, heading
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Ratio


class RolledFinishRecipe(ProfiledFinishRecipe):
    """Sheet with marks along the rolling direction, bright or under oxide scale; see `procgen.finish.RolledFinish`."""

    kind: Literal["rolled"]
    lay_degrees: Degrees = Field(description="Direction of the marks: 0° is along the width, 90° upright")
    mark_length_mm: Fine = Field(description="Length of the single marks")
    mark_width_mm: Fine = Field(description="Width of the single marks")
    grain: Fraction = Field(
        Constant(0.5),
        description="Share of the profile without direction: nearly 1 for hot-rolled, nearly 0 for bright strip",
    )
    grain_size_mm: Fine = Field(Constant(0.1), description="Size of a grain")
    scale_cover: Fraction = Field(Constant(0.0), description="Share of the surface under oxide scale")
    scale_size_mm: Fine = Field(Constant(5.0), description="Size of a patch of scale")
    scale_darkening: Ratio = Field(Constant(0.5), title="Scale Darkness", description="How much darker the scale is")
    scale_roughness: Fraction = Field(
        Constant(0.1), title="Scale Rough.", description="What the scale adds to the roughness"
    )
    anisotropy: Fraction = Field(
        Constant(0.0), description="How much reflections are drawn out across the machining marks"
    )

    def sample(self, stream: RandomStream) -> RolledFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        return RolledFinish(lay_direction=heading(parameters.pop("lay")), **parameters)


ENTRIES = (
    FinishEntry(
        kind="rolled",
        recipe=RolledFinishRecipe,
        drawn=RolledFinish,
        title="Rolled",
        tooltip="Sheet with marks along the rolling direction, bright or under scale",
        noun="rolled",
        material="metal",
        directional=True,
    ),
)
