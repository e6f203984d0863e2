"""Sand-blasted metal."""

from typing import Literal

from pydantic import Field

from procgen.finish import SandBlastedFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine


class SandBlastedFinishRecipe(ProfiledFinishRecipe):
    """Round craters beside and over each other, dull and even; see `procgen.finish.SandBlastedFinish`."""

    kind: Literal["sand_blasted"]
    crater_size_mm: Fine = Field(description="About the diameter of the dent of one grain of grit")

    def sample(self, stream: RandomStream) -> SandBlastedFinish:
        """The finish of one frame."""
        return SandBlastedFinish(**self.parameters(stream))


ENTRIES = (
    FinishEntry(
        kind="sand_blasted",
        recipe=SandBlastedFinishRecipe,
        drawn=SandBlastedFinish,
        title="Sand-Blasted",
        tooltip="Round craters beside and over each other, dull and even",
        noun="sandblasted",
        material="metal",
    ),
)
