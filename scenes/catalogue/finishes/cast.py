"""Sand-cast metal."""

from typing import Literal

from procgen.finish import CastFinish
from scenes.catalogue.finish_model import FinishRecipeModel
from scenes.quantities.distribution import Constant
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, Ratio


class CastFinishRecipe(FinishRecipeModel):
    """The skin of a sand casting: round bumps of the mould's grains on waves; see `procgen.finish.CastFinish`."""

    kind: Literal["cast"]
    sand_size_mm: Fine
    waviness: Ratio = Constant(0.5)
    wave_length_mm: Fine = Constant(5.0)
    scorch: Ratio = Constant(0.1)

    def sample(self, stream: RandomStream) -> CastFinish:
        """The finish of one frame."""
        return CastFinish(**self.parameters(stream))
