"""The nineteen ways of training that the paper compares ([Mao 2025], Tables I and II), and what each is made of."""

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
    augmented: pictures changed at random, epoch by epoch; fine_tuned: the bank is then updated with real pictures.
    """

    kind: Literal["real", "synthetic", "melding"]
    stained: bool = False
    randomised: bool = False
    augmented: bool = False
    fine_tuned: bool = False

    @property
    def name(self) -> str:
        """As the tables have it, in plain text: `Synth_WS+DR+DA (ft)`."""
        first, index = self.subscripted
        return first + (f"_{index}" if index else "") + (" (ft)" if self.fine_tuned else "")

    @property
    def subscripted(self) -> tuple[str, str]:
        """The name without "(ft)", in two: what stands on the line and what below it."""
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
        Scenario("melding"),
        Scenario("melding", stained=True),
    )
}
"""In the order of Table II."""


def with_parents(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names and all that they are made from, parents first, otherwise in the order of Table II."""
    needed = {*names, *(parent for name in names for parent in SCENARIOS[name].parents)}
    return tuple(name for name in SCENARIOS if name in needed)
