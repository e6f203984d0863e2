"""Every kind of finish, defect and impurity that a recipe can name.

One module a kind. It holds the recipe's section, with `sample` that turns it into concrete layers (or the finish), and
the concrete layer, with `to_layer` that turns it into a field over the surface. To add a kind, write its module and
name its two classes here.
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
from scenes.catalogue.defects.blowhole import BlowholeRecipe, VoidsLayer
from scenes.catalogue.defects.branching_crack import BranchingCrackLayer, BranchingCrackRecipe
from scenes.catalogue.defects.bump import BumpLayer, BumpRecipe
from scenes.catalogue.defects.chipped_edge import ChippedEdgeLayer, ChippedEdgeRecipe
from scenes.catalogue.defects.crack import CrackLayer, CrackRecipe
from scenes.catalogue.defects.crazing import CrazingLayer, CrazingRecipe
from scenes.catalogue.defects.dent import DentLayer, DentRecipe
from scenes.catalogue.defects.filiform_corrosion import FiliformLayer, FiliformRecipe
from scenes.catalogue.defects.gouge import GougeLayer, GougeRecipe
from scenes.catalogue.defects.pcb_defects import (
    CopperLayer,
    MissingHoleRecipe,
    MouseBiteRecipe,
    OpenCircuitRecipe,
    ShortRecipe,
    SpuriousCopperRecipe,
    SpurRecipe,
)
from scenes.catalogue.defects.phase_field_crack import PhaseFieldCrackLayer, PhaseFieldCrackRecipe
from scenes.catalogue.defects.pitting import PittingLayer, PittingRecipe
from scenes.catalogue.defects.pore import PoreRecipe
from scenes.catalogue.defects.rust import RustLayer, RustRecipe
from scenes.catalogue.defects.scratch import ScratchLayer, ScratchRecipe
from scenes.catalogue.defects.wear import WearLayer, WearRecipe
from scenes.catalogue.finishes.anodised import AnodisedFinishRecipe
from scenes.catalogue.finishes.asphalt import AsphaltFinishRecipe
from scenes.catalogue.finishes.cast import CastFinishRecipe
from scenes.catalogue.finishes.ceramic import CeramicFinishRecipe
from scenes.catalogue.finishes.ground import GroundFinishRecipe
from scenes.catalogue.finishes.laminate import LaminateFinishRecipe
from scenes.catalogue.finishes.milled import MilledFinishRecipe
from scenes.catalogue.finishes.painted import PaintedFinishRecipe
from scenes.catalogue.finishes.rolled import RolledFinishRecipe
from scenes.catalogue.finishes.sand_blasted import SandBlastedFinishRecipe
from scenes.catalogue.finishes.turned import TurnedFinishRecipe
from scenes.catalogue.impurities.chalk import ChalkLayer, ChalkRecipe
from scenes.catalogue.impurities.dust import DustLayer, DustRecipe
from scenes.catalogue.impurities.fibre import FibreLayer, FibreRecipe
from scenes.catalogue.impurities.fingerprint import FingerprintLayer, FingerprintRecipe
from scenes.catalogue.impurities.marker import MarkerLayer, MarkerRecipe
from scenes.catalogue.impurities.oil_film import OilFilmLayer, OilFilmRecipe
from scenes.catalogue.impurities.sticker import StickerLayer, StickerRecipe
from scenes.catalogue.impurities.water_stains import WaterStainLayer, WaterStainsRecipe

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
