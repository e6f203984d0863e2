"""The world of the user's scene, varied: turned, brighter or darker, with another HDRI, or a picture behind all."""

from __future__ import annotations

from pathlib import Path

import bpy

from scenes.own_scene.variation import VariedWorld

TURNING = {"TEX_ENVIRONMENT", "TEX_SKY"}  # nodes whose directions turn with the surroundings


def world_with_nodes(original: bpy.types.World | None) -> bpy.types.World:
    """A copy of a world, or a black one, that is shown by nodes."""
    world = bpy.data.worlds.new("blemish world") if original is None else original.copy()
    world.animation_data_clear()
    shows_nodes = world.node_tree is not None and (bpy.app.version >= (5, 0) or world.use_nodes)
    if original is None or not shows_nodes:
        colour = (0.0, 0.0, 0.0, 1.0) if original is None else (*world.color, 1.0)
        if not shows_nodes:
            world.use_nodes = True
        tree = world.node_tree
        tree.nodes.clear()
        background, output = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("Background", "OutputWorld"))
        background.inputs["Color"].default_value = colour
        tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def vary(world: bpy.types.World, varied: VariedWorld, hdri: Path | None) -> None:
    """Bring a copy of a world to what a record says; hdri: the file of its picture."""
    tree = world.node_tree
    if hdri is not None:
        _show(tree, bpy.data.images.load(str(hdri)))
    for node in [node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground"]:
        _multiply(tree, node.inputs["Strength"], varied.strength)
    if varied.turn:
        for node in [node for node in tree.nodes if node.type in TURNING]:
            _turn(tree, node, varied.turn)


def _show(tree: bpy.types.NodeTree, image: bpy.types.Image) -> None:
    """Have every environment texture show this image; where there is none, every background."""
    textures = [node for node in tree.nodes if node.type == "TEX_ENVIRONMENT"]
    if not textures:
        textures = [tree.nodes.new("ShaderNodeTexEnvironment")]
        for node in [node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground"]:
            tree.links.new(textures[0].outputs["Color"], node.inputs["Color"])
    for node in textures:
        node.image = image


def _multiply(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, factor: float) -> None:
    if not socket.is_linked:
        socket.default_value *= factor
        return
    times = tree.nodes.new("ShaderNodeMath")
    times.operation = "MULTIPLY"
    times.inputs[1].default_value = factor
    tree.links.new(socket.links[0].from_socket, times.inputs[0])
    tree.links.new(times.outputs["Value"], socket)


def _turn(tree: bpy.types.NodeTree, texture: bpy.types.Node, angle: float) -> None:
    """Turn what a texture shows about the upright axis: directions are looked up turned back."""
    rotate = tree.nodes.new("ShaderNodeVectorRotate")
    rotate.rotation_type = "Z_AXIS"
    rotate.inputs["Angle"].default_value = -angle
    socket = texture.inputs["Vector"]
    if socket.is_linked:
        source = socket.links[0].from_socket
    else:
        source = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    tree.links.new(source, rotate.inputs["Vector"])
    tree.links.new(rotate.outputs["Vector"], socket)


def put_behind(world: bpy.types.World, picture: Path, aspect: float) -> None:
    """Show a picture to the camera where it sees nothing else; it fills the frame, and lights nothing.

    aspect: of the frame, width over height.
    """
    tree, image = world.node_tree, bpy.data.images.load(str(picture))
    output = tree.get_output_node("CYCLES")
    path, mix, background, texture, mapping, coordinates = (
        tree.nodes.new(f"ShaderNode{kind}")
        for kind in ("LightPath", "MixShader", "Background", "TexImage", "Mapping", "TexCoord")
    )
    texture.image, texture.extension = image, "EXTEND"
    width, height = image.size
    own = width / max(height, 1)
    across, upwards = min(1.0, aspect / own), min(1.0, own / aspect)  # what of the picture the frame shows
    mapping.inputs["Scale"].default_value = (across, upwards, 1.0)
    mapping.inputs["Location"].default_value = ((1 - across) / 2, (1 - upwards) / 2, 0.0)
    tree.links.new(coordinates.outputs["Window"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    if output.inputs["Surface"].is_linked:
        tree.links.new(output.inputs["Surface"].links[0].from_socket, mix.inputs[1])
    tree.links.new(background.outputs["Background"], mix.inputs[2])
    tree.links.new(path.outputs["Is Camera Ray"], mix.inputs["Fac"])
    tree.links.new(mix.outputs["Shader"], output.inputs["Surface"])


def remove(world: bpy.types.World) -> None:
    """Remove a copy of a world with the pictures that only it shows."""
    images = {node.image for node in world.node_tree.nodes if getattr(node, "image", None) is not None}
    bpy.data.worlds.remove(world)
    for image in images:
        if image.users == 0:
            bpy.data.images.remove(image)
