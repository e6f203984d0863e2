"""A small .blend as a user might have one: parts one before the other, materials, clutter and two cameras."""

import math
from pathlib import Path
from typing import Any

import bpy

CHECKS = 400  # of the pattern on the block, in its units


def material(name: str, colour: tuple[float, float, float], metallic: float, scale: float) -> bpy.types.Material:
    """A pattern of nodes that depends on the object's own coordinates."""
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    checks, coordinates = tree.nodes.new("ShaderNodeTexChecker"), tree.nodes.new("ShaderNodeTexCoord")
    checks.inputs["Scale"].default_value = scale
    checks.inputs["Color1"].default_value = (*colour, 1)
    checks.inputs["Color2"].default_value = (*(0.5 * channel for channel in colour), 1)
    tree.links.new(coordinates.outputs["Object"], checks.inputs["Vector"])
    tree.links.new(checks.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Metallic"].default_value = metallic
    return made


def begin() -> bpy.types.Scene:
    """An empty scene with a floor, lamp, world and a small picture."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 200, 150, 50
    bpy.ops.mesh.primitive_plane_add(size=1)
    bpy.context.object.name = "Floor"
    bpy.context.object.data.materials.append(material("wood", (0.4, 0.25, 0.12), 0.0, 40))
    bpy.ops.object.light_add(type="AREA", location=(0.2, -0.2, 0.4), rotation=(0.6, 0.5, 0))
    bpy.context.object.data.energy, bpy.context.object.data.size = 6, 0.3
    scene.world = bpy.data.worlds.new("world")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    return scene


def add_camera(name: str, location: tuple[float, float, float], tilt: float, lens: float) -> bpy.types.Object:
    bpy.ops.object.camera_add(location=location, rotation=(math.radians(tilt), 0, 0))
    camera = bpy.context.object
    camera.name, camera.data.lens = name, lens
    return camera


def two_parts(path: Path) -> Path:
    """A bevelled block half behind a pin, another pin that is scaled, and a ball before them all."""
    scene = begin()
    bpy.ops.mesh.primitive_cube_add(size=0.04, location=(0, 0, 0.02), rotation=(0, 0, 0.4))
    block = bpy.context.object
    block.name = "Block"
    bevel = block.modifiers.new("bevel", "BEVEL")
    bevel.width, bevel.segments = 0.003, 3
    block.data.materials.append(material("paint", (0.1, 0.3, 0.6), 0.0, CHECKS))
    bpy.ops.mesh.primitive_cylinder_add(radius=0.02, depth=0.05, location=(0.03, -0.035, 0.025), vertices=24)
    pin = bpy.context.object
    pin.name = "Pin.001"
    pin.data.materials.append(material("steel", (0.6, 0.58, 0.55), 1.0, CHECKS))
    other = pin.copy()
    other.name, other.location, other.scale, other.rotation_euler = (
        "Pin.002",
        (-0.045, 0.02, 0.02),
        (1, 1, 0.7),
        (0, 0, 1),
    )
    scene.collection.objects.link(other)
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.008, location=(0, -0.045, 0.06), segments=16, ring_count=8)
    bpy.context.object.name = "Ball"
    scene.camera = add_camera("Front", (0, -0.25, 0.2), 52, 60)
    add_camera("Top", (0, 0, 0.35), 0, 70)
    return saved(path)


def saved(path: Path) -> Path:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def fields(**scene: Any) -> dict[str, Any]:
    """A recipe for these files, whose scratches and dents are wide enough for a small picture."""
    return {
        "name": "mine",
        "scene": {"inspect": ["Block", "Pin*"], **scene},
        "defects": [
            {"kind": "scratch", "count": 3, "length_mm": 20, "width_um": 2500, "depth_um": 60,
             "angle_degrees": {"uniform": [0, 360]}},
            {"kind": "dent", "count": 2, "diameter_mm": 9, "depth_um": 500},
        ],
    }  # fmt: skip
