"""The masks over the picture, each class in a colour of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from blender_addon.ui.class_colours import CLASS_COLOURS

if TYPE_CHECKING:
    import bpy
    import numpy as np
    from numpy.typing import NDArray

IMAGE, COLOUR, MIX, STRENGTH = "overlay image", "overlay colour", "overlay mix", "overlay strength"


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.float32]:
    """(65536, 4) colour of every class mask: the mean of its classes' colours, opaque where there is any."""
    import numpy as np

    masks = np.arange(1 << len(CLASS_COLOURS))
    total = np.zeros((len(masks), 4), dtype=np.float32)
    for bit, colour in enumerate(CLASS_COLOURS):
        total[masks >> bit & 1 == 1] += (*colour, 1.0)
    total[:, :3] /= np.maximum(total[:, 3:], 1.0)
    total[:, 3] = total[:, 3] > 0
    return total


def overlay_pixels(classes: NDArray[np.uint16]) -> NDArray[np.float32]:
    """(rows, columns, 4) colours of class masks (rows, columns), alpha 0 where there is none."""
    return _colours()[classes]


def add_overlay(material: bpy.types.Material) -> None:
    """Give the surface's material the nodes that lay an image over it; `show_overlay` switches them."""
    tree = material.node_tree
    image = tree.nodes.new("ShaderNodeTexImage")
    image.name, image.interpolation, image.extension = IMAGE, "Closest", "EXTEND"
    colour = tree.nodes.new("ShaderNodeEmission")
    colour.name = COLOUR
    strength = tree.nodes.new("ShaderNodeMath")
    strength.name, strength.operation = STRENGTH, "MULTIPLY"
    mix = tree.nodes.new("ShaderNodeMixShader")
    mix.name = MIX
    tree.links.new(image.outputs["Color"], colour.inputs["Color"])
    tree.links.new(image.outputs["Alpha"], strength.inputs[0])
    tree.links.new(strength.outputs["Value"], mix.inputs["Fac"])
    tree.links.new(tree.nodes["Principled BSDF"].outputs["BSDF"], mix.inputs[1])
    tree.links.new(colour.outputs["Emission"], mix.inputs[2])


def show_overlay(material: bpy.types.Material, opacity: float) -> None:
    """Lay the overlay's image over the surface; 0 takes it off, so that renders know nothing of it."""
    tree = material.node_tree
    tree.nodes[STRENGTH].inputs[1].default_value = opacity
    source = tree.nodes[MIX].outputs["Shader"] if opacity > 0 else tree.nodes["Principled BSDF"].outputs["BSDF"]
    surface = tree.nodes["Material Output"].inputs["Surface"]
    if not surface.links or surface.links[0].from_socket != source:
        tree.links.new(source, surface)
