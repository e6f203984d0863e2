"""The ways of training that the paper compares, and what each is made of.

They are the nineteen of [Mao 2025], Tables I and II, and melding into banks of half and double the size, which its
section V.C tried without seeing a benefit and gives no figures of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

REAL, STAINS = "Real", "WS"
MELDED = ("Synth", "Synth_DR", "Synth_DA")  # with the real bank; [Mao 2025], section V.B
MELDED_STAINED = ("Synth_WS", "Synth_WS+DR", "Synth_WS+DA")


@dataclass(frozen=True)
class Scenario:
    """One way of training an inspector.

    stained: renders with the impurity, twins of those without; randomised: renders under the other lights as well;
    augmented: pictures changed at random, epoch by epoch; fine_tuned: the bank is then updated with real pictures;
    size: rows of the bank as a share of what the study says.
    """

    kind: Literal["real", "synthetic", "melding"]
    stained: bool = False
    randomised: bool = False
    augmented: bool = False
    fine_tuned: bool = False
    size: float = 1.0

    @property
    def name(self) -> str:
        """As the tables have it, in plain text: `Synth_WS+DR+DA (ft)`."""
        first, index = self.subscripted
        return first + (f"_{index}" if index else "") + self.suffix

    @property
    def suffix(self) -> str:
        """What stands behind the name, in brackets."""
        return " (ft)" if self.fine_tuned else _SIZES[self.size]

    @property
    def subscripted(self) -> tuple[str, str]:
        """The name without its suffix, in two: what stands on the line and what below it."""
        if self.kind == "real":
            return REAL, ""
        marks = [(self.stained, STAINS), (self.randomised, "DR"), (self.augmented, "DA")]
        return ("Synth" if self.kind == "synthetic" else "Melding"), "+".join(mark for has, mark in marks if has)

    @property
    def parents(self) -> tuple[str, ...]:
        """Scenarios whose banks this one is made from."""
        if self.kind == "melding":
            return (REAL, *(MELDED_STAINED if self.stained else MELDED))
        return (replace(self, fine_tuned=False).name,) if self.fine_tuned else ()


_SIZES = {1.0: "", 0.5: " (half)", 2.0: " (double)"}
_VARIANTS = ((False, False), (False, True), (True, False), (True, True))  # randomised, augmented
_SYNTHETIC = tuple(
    Scenario("synthetic", stained, randomised, augmented)
    for stained in (False, True)
    for randomised, augmented in _VARIANTS
)
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("real"),
        *_SYNTHETIC,
        *(replace(scenario, fine_tuned=True) for scenario in _SYNTHETIC),
        *(Scenario("melding", stained, size=size) for size in _SIZES for stained in (False, True)),
    )
}
"""In the order of Table II, and the other sizes."""


def with_parents(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names and all that they are made from, parents first, otherwise in the order of Table II."""
    needed = {*names, *(parent for name in names for parent in SCENARIOS[name].parents)}
    return tuple(name for name in SCENARIOS if name in needed)
