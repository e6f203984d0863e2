"""Roads."""

from typing import Annotated, Literal

from procgen.finish import AsphaltFinish
from scenes.catalogue.finish_model import FinishRecipeModel
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fraction, Ratio

Stone = Annotated[Distribution, Within(0.01, 100)]  # mm


class AsphaltFinishRecipe(FinishRecipeModel):
    """A road's surface course: stones of two sizes in a dark binder, worn bare; see `procgen.finish.AsphaltFinish`."""

    kind: Literal["asphalt"]
    stone_size_mm: Stone
    bare: Ratio = Constant(0.35)
    variety: Ratio = Constant(0.3)
    metallic: Fraction = Constant(0.0)

    def sample(self, stream: RandomStream) -> AsphaltFinish:
        """The finish of one frame."""
        return AsphaltFinish(**self.parameters(stream))
