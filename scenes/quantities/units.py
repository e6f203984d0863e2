"""Units: what the end of a quantity's name says of it, its factor to SI, its symbol, and the title that it leaves."""

import math

MM = 1e-3
UM = 1e-6
NM = 1e-9
CM2 = 1e-4
HOUR = 3600.0
# In which quantities are drawn, in SI; the longest end that fits counts.
UNITS = {
    "_per_mm": 1 / MM,
    "_per_cm2": 1 / CM2,
    "_mm": MM,
    "_um": UM,
    "_nm": NM,
    "_degrees": math.pi / 180,
    "_hours": HOUR,
}
SYMBOLS = {
    "_mm_per_day": "mm/day",
    "_w_per_m2_sr": "W/m²/sr",
    "_per_mm": "1/mm",
    "_per_cm2": "1/cm²",
    "_mm": "mm",
    "_um": "µm",
    "_nm": "nm",
    "_degrees": "°",
    "_hours": "h",
    "_px": "px",
    "_w": "W",
    "_electrons": "e⁻",
    "_kelvin": "K",
}


def symbol_of(field: str) -> str:
    """The symbol of the unit that a field's name ends in; nothing for a bare number."""
    return SYMBOLS.get(_end_of(f"_{field}"), "")


def title_of(field: str) -> str:
    """A field's name as a title, without its unit."""
    return " ".join(word.capitalize() for word in field.removesuffix(_end_of(field)).split("_"))


def _end_of(field: str) -> str:
    return max((end for end in SYMBOLS if field.endswith(end)), key=len, default="")
