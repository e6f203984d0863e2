"""Every kind of finish, defect and impurity that a recipe can name.

One module a kind. It holds the recipe's section, with `drawn` that turns it into concrete layers (or the finish), and
the concrete layer, with `grown` that turns it into a field over the surface. To add a kind, write its module and name
its two classes here.
"""

from typing import Annotated

from pydantic import Field

from procgen.finish import GroundFinish
from scenes.kinds.bump import BumpLayer, BumpRecipe
from scenes.kinds.crack import CrackLayer, CrackRecipe
from scenes.kinds.dent import DentLayer, DentRecipe
from scenes.kinds.ground import GroundFinishRecipe
from scenes.kinds.pitting import PittingLayer, PittingRecipe
from scenes.kinds.sticker import StickerLayer, StickerRecipe
from scenes.kinds.water_stains import WaterStainLayer, WaterStainsRecipe

FinishRecipe = GroundFinishRecipe
DefectRecipe = Annotated[BumpRecipe | CrackRecipe | DentRecipe | PittingRecipe, Field(discriminator="kind")]
ImpurityRecipe = Annotated[StickerRecipe | WaterStainsRecipe, Field(discriminator="kind")]

SceneFinish = GroundFinish
SceneLayer = Annotated[
    BumpLayer | CrackLayer | DentLayer | PittingLayer | StickerLayer | WaterStainLayer, Field(discriminator="kind")
]
