"""The lights of a drawn scene as Blender's: panels, domes, and the room's even light."""

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.material import new_material
from blender_addon.workers import compat
from scenes.camera.light import AreaPanel, Dome, Light

DOME, GLOW = "dome", "glow"
SEEN, BACKDROP = "seen by the camera", "backdrop"
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
    """Light the room evenly, and show the camera a backdrop of another brightness where there is one."""
    background = world.node_tree.nodes.get("Background") or world.node_tree.nodes.new("ShaderNodeBackground")
    output = world.node_tree.nodes.get("World Output") or world.node_tree.nodes.new("ShaderNodeOutputWorld")
    world.node_tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    strength = background.inputs["Strength"]
    strength.default_value = light.ambient
    nodes = [world.node_tree.nodes.get(name) for name in (SEEN, BACKDROP)]
    if light.backdrop is None:
        for node in filter(None, nodes):
            world.node_tree.nodes.remove(node)
        return
    seen = nodes[0] or world.node_tree.nodes.new("ShaderNodeLightPath")
    mixed = nodes[1] or world.node_tree.nodes.new("ShaderNodeMath")
    seen.name, mixed.name, mixed.operation = SEEN, BACKDROP, "MULTIPLY_ADD"
    mixed.inputs[1].default_value, mixed.inputs[2].default_value = light.backdrop - light.ambient, light.ambient
    world.node_tree.links.new(seen.outputs["Is Camera Ray"], mixed.inputs[0])
    world.node_tree.links.new(mixed.outputs["Value"], strength)


def frame(position: object, x: object, z: object) -> mathutils.Matrix:
    """Give the 4 × 4 pose at `position` with the local axes `x` and `z`, which must be unit and perpendicular."""
    x_axis, z_axis = mathutils.Vector(x), mathutils.Vector(z)
    rotation = mathutils.Matrix((x_axis, z_axis.cross(x_axis), z_axis)).transposed()
    return mathutils.Matrix.Translation(mathutils.Vector(position)) @ rotation.to_4x4()
