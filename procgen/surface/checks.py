"""Parameters checked where they enter, with errors that a user can act on."""

import math
from collections.abc import Callable

from procgen.errors import BlemishError


def require(owner: str, **conditions: tuple[float, str]) -> None:
    """Raise BlemishError for the first number that is not finite or breaks its condition.

    conditions: name=(value, condition), where the condition is one of "finite", "positive", "not negative", "0 to 1".
    """
    holds: dict[str, Callable[[float], bool]] = {
        "finite": lambda value: True,
        "positive": lambda value: value > 0,
        "not negative": lambda value: value >= 0,
        "0 to 1": lambda value: 0 <= value <= 1,
    }
    for name, (value, condition) in conditions.items():
        if not (math.isfinite(value) and holds[condition](value)):
            expected = "between 0 and 1" if condition == "0 to 1" else condition
            raise BlemishError(f"{owner}: found {name} = {value:g}; expected a finite number, {expected}")
