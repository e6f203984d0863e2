"""The user's lights, varied: strength, colour, and turn about what is inspected."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from blender_addon.own_scene import placing
from scenes.own_scene.variation import VariedLight


@dataclass(frozen=True)
class OriginalLight:
    """A light as the file has it; pose: None for one that is never turned, and so may hang on what moves."""

    thing: bpy.types.Object
    energy: float
    colour: tuple[float, float, float]
    pose: placing.Matrix | None

    def restore(self) -> None:
        self.thing.data.energy, self.thing.data.color = self.energy, self.colour
        if self.pose is not None:
            placing.put(self.thing, self.pose)

    def vary(self, varied: VariedLight, axis: tuple[float, float]) -> None:
        """Bring it to what a record says, after it was restored; axis: x and y of the upright one it turns about."""
        red, green, blue = (own * factor for own, factor in zip(self.colour, varied.tint, strict=True))
        self.thing.data.energy, self.thing.data.color = self.energy * varied.strength, (red, green, blue)
        if self.pose is not None:
            placing.put(self.thing, placing.turned_about(self.pose, axis, varied.turn))


def original_light(thing: bpy.types.Object, anchor: bpy.types.Object, *, turns: bool) -> OriginalLight:
    """A light with data of its own that no animation changes any more."""
    thing.data = thing.data.copy()
    thing.data.animation_data_clear()
    pose = placing.detach(thing, anchor) if turns else None
    red, green, blue = thing.data.color
    return OriginalLight(thing, thing.data.energy, (red, green, blue), pose)
