"""Materials that write out their base colour, whatever light falls on them."""

import bpy

from blender_addon.workers import compat

BASE_COLOUR = "base colour"  # an AOV pass: the colour plus one, 0 where a material writes none
SHADERS = {  # whose colour is the share of light that they reflect
    "ShaderNodeBsdfPrincipled": "Base Color",
    "ShaderNodeBsdfDiffuse": "Color",
    "ShaderNodeBsdfGlossy": "Color",
    "ShaderNodeBsdfAnisotropic": "Color",
    "ShaderNodeBsdfMetallic": "Base Color",
    "ShaderNodeBsdfSheen": "Color",
    "ShaderNodeBsdfVelvet": "Color",
    "ShaderNodeBsdfToon": "Color",
    "ShaderNodeSubsurfaceScattering": "Color",
}
MIX = "ShaderNodeMixShader"


def expose_base_colour(material: bpy.types.Material) -> None:
    """Have a material write its base colour out, mixed as its shaders are; once, however often this is called.

    Materials of other shaders than SHADERS and mixes of them are left alone.
    """
    tree = material.node_tree
    if tree is None or BASE_COLOUR in tree.nodes:
        return
    output = tree.get_output_node("CYCLES")
    surface = output.inputs["Surface"] if output is not None else None
    if surface is None or not surface.links or not _has_colour(surface.links[0].from_node):
        return
    plus_one = tree.nodes.new("ShaderNodeVectorMath")
    plus_one.name = BASE_COLOUR  # the output node's own name is the pass's in Blender 3.4
    plus_one.operation = "ADD"
    plus_one.inputs[1].default_value = (1.0, 1.0, 1.0)
    _put(tree, _colour(tree, surface.links[0].from_node), plus_one.inputs[0])
    written = tree.nodes.new("ShaderNodeOutputAOV")
    compat.name_aov_output(written, BASE_COLOUR)
    tree.links.new(plus_one.outputs["Vector"], written.inputs["Color"])


def _has_colour(shader: bpy.types.Node) -> bool:
    if shader.bl_idname in SHADERS:
        return True
    mixed = [socket.links[0].from_node for socket in shader.inputs[1:] if socket.links]
    return shader.bl_idname == MIX and len(mixed) == 2 and all(map(_has_colour, mixed))


def _colour(tree: bpy.types.NodeTree, shader: bpy.types.Node) -> bpy.types.NodeSocket:
    """The socket that gives a shader's colour, or holds it."""
    if shader.bl_idname in SHADERS:
        return shader.inputs[SHADERS[shader.bl_idname]]
    one, other = (_colour(tree, socket.links[0].from_node) for socket in shader.inputs[1:])
    difference, sum_of_both = (tree.nodes.new("ShaderNodeVectorMath") for _ in range(2))
    difference.operation, sum_of_both.operation = "SUBTRACT", "MULTIPLY_ADD"
    _put(tree, other, difference.inputs[0])
    _put(tree, one, difference.inputs[1])
    tree.links.new(difference.outputs["Vector"], sum_of_both.inputs[0])
    _put(tree, shader.inputs[0], sum_of_both.inputs[1])
    _put(tree, one, sum_of_both.inputs[2])
    return sum_of_both.outputs["Vector"]


def _put(tree: bpy.types.NodeTree, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
    """Have a socket of vectors give what another does, which may hold a value of its own."""
    if source.is_output or source.links:
        tree.links.new(source if source.is_output else source.links[0].from_socket, target)
    elif hasattr(source.default_value, "__len__"):
        target.default_value = tuple(source.default_value)[:3]
    else:
        target.default_value = (source.default_value,) * 3
