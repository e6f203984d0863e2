"""The numbers that were drawn anew for a frame: by their names in the recipe, or else as its scene holds them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from procgen.errors import BlemishError
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw
from scenes.scene import Scene

SECTIONS = ("light", "camera", "sensor", "finish", "part")
IN_A_SCENE = ("camera", "sensor")  # what of these a scene of the user shows
SEVERITY = "severity"
_OF_ENTRY = re.compile(r"(defects|impurities)\.(\d+)\.(?:\d+\.)?(.+)")


def parameters(scene: Scene, recipe: Recipe | None) -> dict[str, float]:
    """What was drawn for a frame, by the quantity's name.

    Where the recipe draws this very scene again, in its own words and units: `light.power_w`, `crack: width_um`, of
    several cracks of a frame the largest. Else, as of photographs, the numbers of the scene, in SI units.
    """
    heard: dict[str, float] = {}
    if recipe is not None and scene.own is None:
        try:
            again = draw(recipe, scene.seed, scene.index, heard=heard)
        except BlemishError:
            again = None
        if again is not None and drawn_alike(again, scene):
            return named(heard, recipe)
    written = scene.model_dump(mode="json")
    sections = SECTIONS if scene.own is None else IN_A_SCENE
    return {name: value for section in sections for name, value in numbers(written[section], section)}


def drawn_alike(again: Scene, scene: Scene) -> bool:
    """Whether two scenes show the same, wherever the file of a mesh lies."""
    return again.light == scene.light and again.sensor == scene.sensor and again.layers == scene.layers


def named(heard: Mapping[str, float], recipe: Recipe) -> dict[str, float]:
    """What was drawn, by names that people know: entries of the recipe by their class, those switched off left out."""
    found: dict[str, float] = {}
    for path, value in heard.items():
        match = _OF_ENTRY.fullmatch(path)
        if not match:
            found[path] = value
            continue
        family, position, rest = match[1], int(match[2]), match[3]
        if recipe.is_off(family, position):
            continue
        name = f"{getattr(recipe, family)[position].class_name}: {rest}"
        found[name] = max(found.get(name, -math.inf), value)
    return found


def severity(found: Mapping[str, float], visible: set[str]) -> float:
    """The largest severity that was drawn of the classes that are to be seen; NaN where none was."""
    return max((found[f"{name}: {SEVERITY}"] for name in visible if f"{name}: {SEVERITY}" in found), default=math.nan)


def numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """The numbers of a scene's section by dotted name; a ring of light panels as a whole, seeds left out."""
    if name.endswith("seed"):
        return
    if name == "light.panels" and value:
        first = value[0]
        yield f"{name}: power in all", sum(panel["power"] for panel in value)
        yield f"{name}: width", first["width"]
        yield f"{name}: length", first["length"]
        yield f"{name}: height", first["position"][2]
        centre = np.mean([panel["position"] for panel in value], axis=0)
        x, y = np.subtract(first["position"], centre)[:2]
        yield f"{name}: distance from the axis", math.hypot(x, y)
        yield f"{name}: azimuth of the first, degrees", math.degrees(math.atan2(y, x)) % 360
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from numbers(part, f"{name}.{key}")
    elif isinstance(value, list):
        axes = "rgb" if name.endswith("colour") else "xyz"
        for axis, part in zip(axes, value, strict=False):
            yield from numbers(part, f"{name}.{axis}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)
