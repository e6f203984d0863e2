"""Sand-blasted metal."""

from typing import Literal

from procgen.finish import SandBlastedFinish
from scenes.catalogue.finish_model import FinishRecipeModel
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine


class SandBlastedFinishRecipe(FinishRecipeModel):
    """Round craters beside and over each other, dull and even; see `procgen.finish.SandBlastedFinish`."""

    kind: Literal["sand_blasted"]
    crater_size_mm: Fine

    def sample(self, stream: RandomStream) -> SandBlastedFinish:
        """The finish of one frame."""
        return SandBlastedFinish(**self.parameters(stream))
