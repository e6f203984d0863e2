"""Every kind of finish, defect and impurity that a recipe can name.

One module a kind. It holds the recipe's section, with `drawn` that turns it into concrete layers (or the finish), and
the concrete layer, with `grown` that turns it into a field over the surface. To add a kind, write its module and name
its two classes here.
"""

from typing import Annotated

from pydantic import Field

from procgen.finish import (
    AnodisedFinish,
    AsphaltFinish,
    CastFinish,
    CeramicFinish,
    GroundFinish,
    LaminateFinish,
    MilledFinish,
    PaintedFinish,
    RolledFinish,
    SandBlastedFinish,
    TurnedFinish,
)
from scenes.kinds.anodised import AnodisedFinishRecipe
from scenes.kinds.asphalt import AsphaltFinishRecipe
from scenes.kinds.blowhole import BlowholeRecipe, VoidsLayer
from scenes.kinds.branching_crack import BranchingCrackLayer, BranchingCrackRecipe
from scenes.kinds.bump import BumpLayer, BumpRecipe
from scenes.kinds.cast import CastFinishRecipe
from scenes.kinds.ceramic import CeramicFinishRecipe
from scenes.kinds.chalk import ChalkLayer, ChalkRecipe
from scenes.kinds.chipped_edge import ChippedEdgeLayer, ChippedEdgeRecipe
from scenes.kinds.copper import (
    CopperLayer,
    MissingHoleRecipe,
    MouseBiteRecipe,
    OpenCircuitRecipe,
    ShortRecipe,
    SpuriousCopperRecipe,
    SpurRecipe,
)
from scenes.kinds.crack import CrackLayer, CrackRecipe
from scenes.kinds.crazing import CrazingLayer, CrazingRecipe
from scenes.kinds.dent import DentLayer, DentRecipe
from scenes.kinds.dust import DustLayer, DustRecipe
from scenes.kinds.fibre import FibreLayer, FibreRecipe
from scenes.kinds.filiform_corrosion import FiliformLayer, FiliformRecipe
from scenes.kinds.fingerprint import FingerprintLayer, FingerprintRecipe
from scenes.kinds.gouge import GougeLayer, GougeRecipe
from scenes.kinds.ground import GroundFinishRecipe
from scenes.kinds.laminate import LaminateFinishRecipe
from scenes.kinds.marker import MarkerLayer, MarkerRecipe
from scenes.kinds.milled import MilledFinishRecipe
from scenes.kinds.oil_film import OilFilmLayer, OilFilmRecipe
from scenes.kinds.painted import PaintedFinishRecipe
from scenes.kinds.phase_field_crack import PhaseFieldCrackLayer, PhaseFieldCrackRecipe
from scenes.kinds.pitting import PittingLayer, PittingRecipe
from scenes.kinds.pore import PoreRecipe
from scenes.kinds.rolled import RolledFinishRecipe
from scenes.kinds.rust import RustLayer, RustRecipe
from scenes.kinds.sand_blasted import SandBlastedFinishRecipe
from scenes.kinds.scratch import ScratchLayer, ScratchRecipe
from scenes.kinds.sticker import StickerLayer, StickerRecipe
from scenes.kinds.turned import TurnedFinishRecipe
from scenes.kinds.water_stains import WaterStainLayer, WaterStainsRecipe
from scenes.kinds.wear import WearLayer, WearRecipe

FinishRecipe = Annotated[
    AnodisedFinishRecipe
    | AsphaltFinishRecipe
    | CastFinishRecipe
    | CeramicFinishRecipe
    | GroundFinishRecipe
    | LaminateFinishRecipe
    | MilledFinishRecipe
    | PaintedFinishRecipe
    | RolledFinishRecipe
    | SandBlastedFinishRecipe
    | TurnedFinishRecipe,
    Field(discriminator="kind"),
]
DefectRecipe = Annotated[
    BlowholeRecipe
    | BranchingCrackRecipe
    | BumpRecipe
    | ChippedEdgeRecipe
    | CrackRecipe
    | CrazingRecipe
    | DentRecipe
    | FiliformRecipe
    | GougeRecipe
    | MissingHoleRecipe
    | MouseBiteRecipe
    | OpenCircuitRecipe
    | PhaseFieldCrackRecipe
    | PittingRecipe
    | PoreRecipe
    | RustRecipe
    | ScratchRecipe
    | ShortRecipe
    | SpurRecipe
    | SpuriousCopperRecipe
    | WearRecipe,
    Field(discriminator="kind"),
]
ImpurityRecipe = Annotated[
    ChalkRecipe
    | DustRecipe
    | FibreRecipe
    | FingerprintRecipe
    | MarkerRecipe
    | OilFilmRecipe
    | StickerRecipe
    | WaterStainsRecipe,
    Field(discriminator="kind"),
]

SceneFinish = Annotated[
    AnodisedFinish
    | AsphaltFinish
    | CastFinish
    | CeramicFinish
    | GroundFinish
    | LaminateFinish
    | MilledFinish
    | PaintedFinish
    | RolledFinish
    | SandBlastedFinish
    | TurnedFinish,
    Field(discriminator="kind"),
]
SceneLayer = Annotated[
    BranchingCrackLayer
    | BumpLayer
    | ChalkLayer
    | ChippedEdgeLayer
    | CopperLayer
    | CrackLayer
    | CrazingLayer
    | DentLayer
    | DustLayer
    | FibreLayer
    | FiliformLayer
    | FingerprintLayer
    | GougeLayer
    | MarkerLayer
    | OilFilmLayer
    | PhaseFieldCrackLayer
    | PittingLayer
    | RustLayer
    | ScratchLayer
    | StickerLayer
    | VoidsLayer
    | WaterStainLayer
    | WearLayer,
    Field(discriminator="kind"),
]
