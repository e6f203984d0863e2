"""Sand-cast metal."""

from typing import Literal

from pydantic import Field

from procgen.finish import CastFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Ratio


class CastFinishRecipe(ProfiledFinishRecipe):
    """The skin of a sand casting: round bumps of the mould's grains on waves; see `procgen.finish.CastFinish`."""

    kind: Literal["cast"]
    sand_size_mm: Fine = Field(description="Size of a grain of the mould's sand")
    waviness: Ratio = Field(Constant(0.5), description="Height of the mould's slow waves, over that of the bumps")
    wave_length_mm: Fine = Field(Constant(5.0), title="Wavelength", description="Length of the mould's slow waves")
    scorch: Ratio = Field(Constant(0.1), description="Contrast of the burnt spots of the casting's skin")

    def sample(self, stream: RandomStream) -> CastFinish:
        """The finish of one frame."""
        return CastFinish(**self.parameters(stream))


ENTRIES = (
    FinishEntry(
        kind="cast",
        recipe=CastFinishRecipe,
        drawn=CastFinish,
        title="Cast",
        tooltip="The skin of a sand casting: round bumps on waves",
        noun="cast",
        material="cast",
    ),
)
