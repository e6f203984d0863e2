"""One random quantity as several properties: its form, and the numbers that each form needs.

A field `radius_mm` becomes `radius_mm`, its fixed value, and beside it `radius_mm_form` and what FORMS name. Blender
keeps single precision; so a group remembers in `written` what it was set from, which stands as long as nobody has
changed the property that it became.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from blender_addon.ui.schema import Field

FIXED, UNIFORM, LOG_UNIFORM, NORMAL, CHOICE, POISSON = "FIXED", "UNIFORM", "LOG_UNIFORM", "NORMAL", "CHOICE", "POISSON"
FORMS = (  # as Blender's enumerations have them
    (FIXED, "Fixed", "The same in every frame", "DECORATE", 0),
    (UNIFORM, "Uniform", "Anything between two ends, all equally likely", "ARROW_LEFTRIGHT", 1),
    (LOG_UNIFORM, "Log-Uniform", "Between two ends, as often from 1 to 2 as from 10 to 20", "IPO_EXPO", 2),
    (NORMAL, "Normal", "About a mean, the rarer the further off", "SMOOTHCURVE", 3),
    (CHOICE, "Choice", "One of a list; what stands there twice comes twice as often", "PRESET", 4),
    (POISSON, "Poisson", "A random number of independent events", "PARTICLES", 5),
)
MOST_DIGITS = 17  # that a double needs
SPREAD = 0.2  # share by which a fixed value is spread when it becomes random


def factor(name: str) -> float:
    """The property's number for 1 of the recipe's unit: Blender keeps angles in radians, all else stays as it is."""
    return math.pi / 180 if name.endswith("_degrees") else 1.0


def single(value: float) -> float:
    """The single-precision number that Blender keeps."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def kept(field: Field, value: float, *, whole: bool | None = None) -> float:
    """What a property holds once a number of the recipe is put there."""
    if field.whole if whole is None else whole:
        return round(value)
    return single(value * factor(field.name))


def read(field: Field, value: float) -> float:
    """The shortest number, in the recipe's unit, that a property's number can stand for."""
    scale = factor(field.name)
    plain = float(value) / scale
    for digits in range(1, MOST_DIGITS):
        candidate = float(f"{plain:.{digits}g}")
        if single(candidate * scale) == value:
            return candidate
    return plain


def state_of(field: Field, written: Any) -> dict[str, Any]:
    """Properties, by the ending of their name ("" for the fixed value), of a quantity as a recipe writes it."""
    if not isinstance(written, dict):
        return {"form": FIXED, "": kept(field, written)}
    if "uniform" in written or "log_uniform" in written:
        form = UNIFORM if "uniform" in written else LOG_UNIFORM
        low, high = written[form.lower()]
        return {"form": form, "low": kept(field, low), "high": kept(field, high)}
    if "normal" in written:
        mean, deviation = (kept(field, number, whole=False) for number in written["normal"])
        state = {"form": NORMAL, "mean": mean, "deviation": deviation, "clipped": "clip" in written}
        if "clip" in written:
            state |= {"low": kept(field, written["clip"][0]), "high": kept(field, written["clip"][1])}
        return state
    if "choice" in written:
        return {"form": CHOICE, "values": ", ".join(text(value) for value in written["choice"])}
    return {"form": POISSON, "mean": kept(field, written["poisson"], whole=False)}


def written_of(field: Field, state: dict[str, Any]) -> Any:
    """What a recipe writes of a quantity with these properties. Raises ValueError for a list that holds no numbers."""
    form = state["form"]
    if form == FIXED:
        return state[""] if field.whole else read(field, state[""])
    if form in (UNIFORM, LOG_UNIFORM):
        return {form.lower(): [_end(field, state["low"]), _end(field, state["high"])]}
    if form == NORMAL:
        written: dict[str, Any] = {"normal": [read(field, state["mean"]), read(field, state["deviation"])]}
        if state["clipped"]:
            written["clip"] = [_end(field, state["low"]), _end(field, state["high"])]
        return written
    if form == CHOICE:
        return {"choice": numbers(state["values"])}
    return {"poisson": read(field, state["mean"])}


def used_parts(form: str, *, clipped: bool) -> tuple[str, ...]:
    """Endings of the properties that a form reads."""
    return {
        FIXED: ("",),
        UNIFORM: ("low", "high"),
        LOG_UNIFORM: ("low", "high"),
        NORMAL: ("mean", "deviation", "clipped", *(("low", "high") if clipped else ())),
        CHOICE: ("values",),
        POISSON: ("mean",),
    }[form]


def numbers(listed: str) -> list[float]:
    """The numbers of a list as people write it, with commas. Raises ValueError for anything else."""
    entries = [entry.strip() for entry in listed.replace(";", ",").split(",") if entry.strip()]
    try:
        return [float(entry) for entry in entries]
    except ValueError:
        raise ValueError(f"found {listed[:60]!r}; expected numbers with commas between them, such as 0, 0, 1") from None


def text(value: float) -> str:
    """A number as briefly as it can be written without loss."""
    return repr(float(value)).removesuffix(".0")


def middle(field: Field, written: Any) -> float:
    """A property's number for a fixed value in the middle of what a recipe writes."""
    if not isinstance(written, dict):
        return kept(field, written)
    if "poisson" in written:
        value = max(1.0, written["poisson"])
    elif "normal" in written:
        value = written["normal"][0]
    else:
        (listed,) = written.values()
        value = (min(listed) + max(listed)) / 2
    if field.low is not None and field.high is not None:
        value = min(max(value, field.low), field.high)
    return kept(field, value)


def spread_about(field: Field, value: float) -> dict[str, float]:
    """Ends, mean and deviation round a fixed value, for when it becomes random; properties' numbers."""
    room = SPREAD * abs(value) or SPREAD * (single((field.soft_high or 1.0) * factor(field.name)))
    low, high = value - room, value + room
    if field.low is not None and field.high is not None:
        scale = factor(field.name)
        low, high = max(low, field.low * scale), min(high, field.high * scale)
    if field.whole:
        low, high = math.floor(low), math.ceil(high)
    return {"low": low, "high": high, "mean": value, "deviation": room / 2}


def _end(field: Field, value: float) -> float:
    return value if field.whole else read(field, value)
