"""Surfaces as they were made, before anything happened to them: one module a process.

Every finish is a solid texture, a function of the position alone, so that curved parts show no seam. To add one, write
its module by the example of the shortest, `sand_blasted`, and name it here.
"""

from procgen.finish.anodised import AnodisedFinish
from procgen.finish.asphalt import AsphaltFinish
from procgen.finish.cast import CastFinish
from procgen.finish.ceramic import CeramicFinish
from procgen.finish.ground import GroundFinish
from procgen.finish.laminate import LaminateFinish
from procgen.finish.milled import MilledFinish
from procgen.finish.painted import PaintedFinish
from procgen.finish.rolled import RolledFinish
from procgen.finish.sand_blasted import SandBlastedFinish
from procgen.finish.turned import TurnedFinish

__all__ = [
    "AnodisedFinish",
    "AsphaltFinish",
    "CastFinish",
    "CeramicFinish",
    "GroundFinish",
    "LaminateFinish",
    "MilledFinish",
    "PaintedFinish",
    "RolledFinish",
    "SandBlastedFinish",
    "TurnedFinish",
]
