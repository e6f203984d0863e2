"""The mechanisms that the energy tells apart (P2), and which of them makes a defect. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Mechanism(StrEnum):
    """How a defect comes about."""

    crack = "crack"
    corrosion = "corrosion"
    deformation = "deformation"


# By the class of the defect; what is neither torn nor eaten away is pressed, rubbed or cast.
MECHANISMS: Mapping[str, Mechanism] = {
    "crack": Mechanism.crack,
    "chipped_edge": Mechanism.crack,
    "filiform_corrosion": Mechanism.corrosion,
    "pitting": Mechanism.corrosion,
    "rust": Mechanism.corrosion,
}


def mechanism_of(class_name: str) -> Mechanism:
    """What makes a defect of a class."""
    return MECHANISMS.get(class_name, Mechanism.deformation)


@dataclass(frozen=True)
class Terms:
    """What the terms of P2 weigh; lengths are cells of the half grid.

    stiffness: of |∇u|². bending: of |Δu|². spring: of u². growth: of Fisher's and KPP's u³/3 − u²/2. drive: of the
    source f, over s.
    """

    stiffness: float = 0.0
    bending: float = 0.0
    spring: float = 0.0
    growth: float = 0.0
    drive: float = 0.0


FIDELITY = 4.0  # γ
WIDTH = 1.0  # l of AT2, whose u²/2l + l/2 |∇u|² is driven by f = s/l, so that u is s smoothed over l
TERMS: Mapping[Mechanism, Terms] = {
    Mechanism.crack: Terms(stiffness=WIDTH, spring=1.0 / WIDTH, drive=1.0 / WIDTH),
    Mechanism.corrosion: Terms(stiffness=1.0, growth=2.0),
    Mechanism.deformation: Terms(bending=2.0),
}
