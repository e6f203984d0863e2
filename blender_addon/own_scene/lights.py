"""The user's lights, varied: strength, colour, and turn about what is inspected. Objects that glow are lights too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import bpy

from blender_addon.own_scene import placing
from scenes.own_scene.variation import VariedLight
from scenes.quantities.random_stream import Colour

WHITE: Colour = (1.0, 1.0, 1.0)
COLOURS = ("Emission Color", "Emission", "Color")  # of Principled since 4.0, until then, and of the shader Emission
STRENGTHS = ("Emission Strength", "Strength")


class Shining(Protocol):
    """What makes an object a light."""

    def shine(self, strength: float, tint: Colour) -> None:
        """Shine so much stronger than in the file, and through a filter."""


@dataclass(frozen=True)
class Lamp:
    """The data of a light, its energy and colour in the file."""

    data: bpy.types.Light
    energy: float
    colour: Colour

    def shine(self, strength: float, tint: Colour) -> None:
        red, green, blue = (own * factor for own, factor in zip(self.colour, tint, strict=True))
        self.data.energy, self.data.color = self.energy * strength, (red, green, blue)


@dataclass(frozen=True)
class Glow:
    """Factors on strength and colour of what an object's materials emit, put between by `_factors`."""

    factors: tuple[tuple[bpy.types.NodeSocket, bpy.types.NodeSocket], ...]

    def shine(self, strength: float, tint: Colour) -> None:
        for on_strength, on_colour in self.factors:
            on_strength.default_value, on_colour.default_value = strength, tint


@dataclass(frozen=True)
class OriginalLight:
    """A light as the file has it; pose: None for one that is never turned, and so may hang on what moves."""

    thing: bpy.types.Object
    shining: Shining
    pose: placing.Matrix | None

    def restore(self) -> None:
        """Bring it back to how the file has it."""
        self.shining.shine(1.0, WHITE)
        if self.pose is not None:
            placing.put(self.thing, self.pose)

    def vary(self, varied: VariedLight, axis: tuple[float, float]) -> None:
        """Bring it to what a record says, after it was restored; axis: x and y of the upright one it turns about."""
        self.shining.shine(varied.strength, varied.tint)
        if self.pose is not None:
            placing.put(self.thing, placing.turned_about(self.pose, axis, varied.turn))


def is_light(thing: bpy.types.Object) -> bool:
    """Whether an object is a light, or has a material that glows."""
    return thing.type == "LIGHT" or any(
        _emitters(slot.material.node_tree) for slot in thing.material_slots if slot.material
    )


def original_light(thing: bpy.types.Object, anchor: bpy.types.Object, *, turns: bool) -> OriginalLight:
    """A light with data or materials of its own that no animation changes any more."""
    shining: Shining
    if thing.type == "LIGHT":
        thing.data = thing.data.copy()
        thing.data.animation_data_clear()
        red, green, blue = thing.data.color
        shining = Lamp(thing.data, thing.data.energy, (red, green, blue))
    else:
        shining = Glow(tuple(factor for slot in thing.material_slots for factor in _own_glow(slot)))
    return OriginalLight(thing, shining, placing.detach(thing, anchor) if turns else None)


def _emitters(tree: bpy.types.NodeTree | None) -> list[tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]]:
    """Sockets of strength and colour of each node that emits light."""
    found = []
    for node in tree.nodes if tree else ():
        if node.bl_idname in ("ShaderNodeEmission", "ShaderNodeBsdfPrincipled"):
            strength, colour = (
                next(node.inputs[name] for name in names if name in node.inputs) for names in (STRENGTHS, COLOURS)
            )
            dark = not strength.is_linked and strength.default_value == 0
            black = not colour.is_linked and not any(colour.default_value[:3])
            if not dark and not black:
                found.append((strength, colour))
    return found


def _own_glow(slot: bpy.types.MaterialSlot) -> list[tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]]:
    """Give a slot a material of its own, with factors between what its emission was made of and the emission."""
    if slot.material is None or not _emitters(slot.material.node_tree):
        return []
    own = slot.material.copy()
    slot.link = "OBJECT"  # the mesh may be that of other objects
    slot.material = own
    own.node_tree.animation_data_clear()
    return [_factors(own.node_tree, *sockets) for sockets in _emitters(own.node_tree)]


def _factors(
    tree: bpy.types.NodeTree, strength: bpy.types.NodeSocket, colour: bpy.types.NodeSocket
) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
    times, filtered = tree.nodes.new("ShaderNodeMath"), tree.nodes.new("ShaderNodeVectorMath")
    times.operation = filtered.operation = "MULTIPLY"
    for socket, node in ((strength, times), (colour, filtered)):
        if socket.is_linked:
            tree.links.new(socket.links[0].from_socket, node.inputs[0])
        elif node is times:
            node.inputs[0].default_value = socket.default_value
        else:
            node.inputs[0].default_value = socket.default_value[:3]
        tree.links.new(node.outputs[0], socket)
    times.inputs[1].default_value, filtered.inputs[1].default_value = 1.0, WHITE
    return times.inputs[1], filtered.inputs[1]
