"""The lights of a drawn scene as Blender's: panels, domes, and the room's even light."""

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.material import new_material
from blender_addon.workers import compat
from scenes.camera.light import AreaPanel, Dome, Light

DOME, GLOW = "dome", "glow"
ROOM = "room"  # how names of the nodes begin that make its light uneven, or another where the camera looks at it
AROUND, DOWN = 64, 24  # faces of a dome; its light follows from what is seen of it, not from how round it is

Floats = NDArray[np.float64]


def place_panels(
    panels: list[bpy.types.Object], wanted: tuple[AreaPanel, ...], collection: bpy.types.Collection
) -> None:
    """Bring a list of area lights to those that are wanted; new ones are linked to the collection."""
    while len(panels) > len(wanted):
        spare = panels.pop()
        light = spare.data
        bpy.data.objects.remove(spare)
        bpy.data.lights.remove(light)
    while len(panels) < len(wanted):
        panel = bpy.data.objects.new("panel", bpy.data.lights.new("panel", "AREA"))
        panel.data.shape = "RECTANGLE"
        collection.objects.link(panel)
        panels.append(panel)
    for panel, light in zip(panels, wanted, strict=True):
        panel.data.size, panel.data.size_y = light.width, light.length
        panel.visible_camera = light.seen
        panel.data.energy = compat.area_energy(light.power)
        panel.matrix_world = frame(light.position, x=light.along, z=-np.asarray(light.direction))


def place_domes(domes: list[bpy.types.Object], wanted: tuple[Dome, ...], collection: bpy.types.Collection) -> None:
    """Bring a list of luminous meshes to the domes that are wanted; new ones are linked to the collection."""
    while len(domes) > len(wanted):
        spare = domes.pop()
        mesh, glow = spare.data, spare.data.materials[0]
        bpy.data.objects.remove(spare)
        bpy.data.meshes.remove(mesh)
        bpy.data.materials.remove(glow)
    while len(domes) < len(wanted):
        dome = bpy.data.objects.new(DOME, bpy.data.meshes.new(DOME))
        dome.data.materials.append(_glowing())
        dome.visible_camera = False
        dome.display_type = "WIRE"  # so that one sees what it lights
        collection.objects.link(dome)
        domes.append(dome)
    for dome, light in zip(domes, wanted, strict=True):
        vertices, faces = dome_faces(light)
        dome.data.clear_geometry()
        dome.data.from_pydata(vertices.tolist(), [], faces.tolist())
        dome.data.update()
        dome.data.materials[0].node_tree.nodes[GLOW].inputs["Strength"].default_value = light.radiance
        dome.matrix_world = mathutils.Matrix.Translation(mathutils.Vector(light.centre))


def dome_faces(dome: Dome) -> tuple[Floats, NDArray[np.int64]]:
    """Vertices (V, 3), from the dome's centre, and faces (F, 4), from its opening to its rim."""
    down = np.linspace(dome.hole, dome.rim, DOWN + 1)
    azimuth = 2 * np.pi * np.arange(AROUND) / AROUND
    circle = np.column_stack([np.cos(azimuth), np.sin(azimuth)])
    vertices = np.concatenate(
        [np.column_stack([np.sin(angle) * circle, np.full(AROUND, np.cos(angle))]) for angle in down]
    )
    ring, here = np.divmod(np.arange(DOWN * AROUND), AROUND)
    upper, after = ring * AROUND, (here + 1) % AROUND
    faces = np.column_stack([upper + here, upper + after, upper + AROUND + after, upper + AROUND + here])
    return dome.radius * vertices, faces


def _glowing() -> bpy.types.Material:
    material = new_material(DOME)
    tree = material.node_tree
    tree.nodes.clear()
    output, glow = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeEmission")
    glow.name = GLOW
    tree.links.new(glow.outputs["Emission"], output.inputs["Surface"])
    return material


def set_room(world: bpy.types.World, light: Light) -> None:
    """Light the room, brighter from one side where the light leans, and show the camera a backdrop of its own."""
    tree = world.node_tree
    background = tree.nodes.get("Background") or tree.nodes.new("ShaderNodeBackground")
    output = tree.nodes.get("World Output") or tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    strength = background.inputs["Strength"]
    strength.default_value = light.ambient
    for node in [node for node in tree.nodes if node.name.startswith(ROOM)]:
        tree.nodes.remove(node)
    ambient = None
    if light.lean is not None:
        towards, along = _room_node(tree, "ShaderNodeTexCoord"), _room_node(tree, "ShaderNodeVectorMath")
        along.operation = "DOT_PRODUCT"
        along.inputs[1].default_value = (*light.lean, 0.0)
        tree.links.new(towards.outputs["Generated"], along.inputs[0])
        ambient = _sum(tree, along.outputs["Value"], light.ambient, light.ambient)
        tree.links.new(ambient, strength)
    if light.backdrop is None:
        return
    seen = _room_node(tree, "ShaderNodeLightPath").outputs["Is Camera Ray"]
    difference = light.backdrop - light.ambient if ambient is None else _sum(tree, ambient, -1.0, light.backdrop)
    tree.links.new(_sum(tree, seen, difference, light.ambient if ambient is None else ambient), strength)


def _room_node(tree: bpy.types.NodeTree, kind: str) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    node.name = ROOM
    return node


def _sum(
    tree: bpy.types.NodeTree,
    value: bpy.types.NodeSocket,
    factor: float | bpy.types.NodeSocket,
    summand: float | bpy.types.NodeSocket,
) -> bpy.types.NodeSocket:
    """The socket of value * factor + summand."""
    node = _room_node(tree, "ShaderNodeMath")
    node.operation = "MULTIPLY_ADD"
    for given, socket in zip((value, factor, summand), node.inputs, strict=False):
        if isinstance(given, float):
            socket.default_value = given
        else:
            tree.links.new(given, socket)
    return node.outputs["Value"]


def frame(position: object, x: object, z: object) -> mathutils.Matrix:
    """Give the 4 × 4 pose at `position` with the local axes `x` and `z`, which must be unit and perpendicular."""
    x_axis, z_axis = mathutils.Vector(x), mathutils.Vector(z)
    rotation = mathutils.Matrix((x_axis, z_axis.cross(x_axis), z_axis)).transposed()
    return mathutils.Matrix.Translation(mathutils.Vector(position)) @ rotation.to_4x4()
