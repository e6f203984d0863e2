"""Cracks: each way of breaking is simulated once into a graph, which is evaluated as a groove wherever it is asked for.

`graph` holds what they all give, `opening` how wide it gapes, `layer` what it looks like. `path` follows the least
fracture energy, `walk` the largest hoop stress, `phase_field` the energy of fracture in a regularised form, `crazing`
the shrinkage of a skin.
"""

from procgen.defects.cracks.crazing import MOST_CELLS, CrazingParameters, cells_on, simulate_crazing, smallest_cell
from procgen.defects.cracks.graph import CrackGraph, round_grains
from procgen.defects.cracks.layer import Crack
from procgen.defects.cracks.path import CrackParameters, simulate_minimum_energy_path
from procgen.defects.cracks.phase_field import PhaseFieldParameters, simulate_phase_field_crack
from procgen.defects.cracks.walk import WalkParameters, simulate_fracture_walk

__all__ = [
    "MOST_CELLS",
    "Crack",
    "CrackGraph",
    "CrackParameters",
    "CrazingParameters",
    "PhaseFieldParameters",
    "WalkParameters",
    "cells_on",
    "round_grains",
    "simulate_crazing",
    "simulate_fracture_walk",
    "simulate_minimum_energy_path",
    "simulate_phase_field_crack",
    "smallest_cell",
]
