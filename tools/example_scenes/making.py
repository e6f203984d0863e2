"""What the example scenes share: meshes from arrays, materials of a few nodes, cameras that look somewhere."""

from __future__ import annotations

import importlib
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import mathutils
import numpy as np

EXAMPLES = ("nuts_in_a_bin", "parts_on_a_conveyor", "own_gear")


def write(name: str, folder: Path) -> Path:
    """Write an example's .blend into a folder, with its recipe and what it needs beside it; gives the .blend."""
    folder.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1024, 768, 100
    scene.cycles.samples = 128
    importlib.import_module(f"tools.example_scenes.{name}").build(scene, folder)
    shutil.copyfile(Path(__file__).with_name(f"{name}.yaml"), folder / f"{name}.yaml")
    path = folder / f"{name}.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()), compress=True)
    return path


def thing_of(
    name: str,
    vertices: Any,
    faces: Sequence[Sequence[int]],
    materials: Sequence[bpy.types.Material] = (),
    slots: Sequence[int] | None = None,
    *,
    smooth: float | None = None,
) -> bpy.types.Object:
    """An object of the open scene with a mesh of its own; smooth: up to how many degrees edges are shaded round."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices, dtype=float).tolist(), [], [list(map(int, face)) for face in faces])
    for material in materials:
        mesh.materials.append(material)
    if slots is not None:
        mesh.polygons.foreach_set("material_index", np.asarray(slots, dtype=np.int32))
    mesh.update()
    if smooth is not None:
        mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), dtype=bool))
        if hasattr(mesh, "set_sharp_from_angle"):
            mesh.set_sharp_from_angle(angle=math.radians(smooth))
        else:  # until 4.0
            mesh.use_auto_smooth, mesh.auto_smooth_angle = True, math.radians(smooth)
    return link(bpy.data.objects.new(name, mesh))


def link(thing: bpy.types.Object) -> bpy.types.Object:
    bpy.context.scene.collection.objects.link(thing)
    return thing


def box(low: Sequence[float], high: Sequence[float]) -> tuple[list[tuple[float, ...]], list[tuple[int, ...]]]:
    """Corners and outward faces of a box."""
    corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    return corners, [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def rings(rows: Sequence[Any], *, closed: bool = False) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Vertices and quads of a surface through rings of equally many points; closed: from the last back to the first."""
    count = len(rows[0])
    faces = []
    for row in range(len(rows) if closed else len(rows) - 1):
        this, following = row * count, (row + 1) % len(rows) * count
        faces += [(this + k, this + (k + 1) % count, following + (k + 1) % count, following + k) for k in range(count)]
    return np.concatenate([np.asarray(row, dtype=float) for row in rows]), faces


def circle(radius: float, height: float, count: int) -> np.ndarray:
    """(count, 3) points of a horizontal circle, counter-clockwise."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.column_stack([radius * np.cos(angles), radius * np.sin(angles), np.full(count, height)])


def material(name: str, **inputs: Any) -> bpy.types.Material:
    """A Principled material; inputs by the names of Principled, with _ for blanks."""
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        socket = shader.inputs[key.replace("_", " ")]
        socket.default_value = (*value, 1.0) if isinstance(value, tuple) else value
    return made


def noisy(
    made: bpy.types.Material,
    *,
    scale: float,
    roughness: tuple[float, float],
    bump: float = 0.0,
    stretch: Any = (1, 1, 1),
) -> bpy.types.Material:
    """Let a material's roughness, and its height by `bump` m, follow noise of so many waves a metre."""
    tree, nodes = made.node_tree, made.node_tree.nodes
    shader = nodes["Principled BSDF"]
    noise, spread, coordinates, mapping = (
        nodes.new(f"ShaderNode{kind}") for kind in ("TexNoise", "MapRange", "TexCoord", "Mapping")
    )
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 5.0
    mapping.inputs["Scale"].default_value = stretch
    spread.inputs["To Min"].default_value, spread.inputs["To Max"].default_value = roughness
    tree.links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac"], spread.inputs["Value"])
    tree.links.new(spread.outputs["Result"], shader.inputs["Roughness"])
    if bump:
        relief = nodes.new("ShaderNodeBump")
        relief.inputs["Distance"].default_value = bump
        tree.links.new(noise.outputs["Fac"], relief.inputs["Height"])
        tree.links.new(relief.outputs["Normal"], shader.inputs["Normal"])
    return made


def area_light(
    name: str, place: Sequence[float], target: Sequence[float], size: float, power: float
) -> bpy.types.Object:
    """A square light that shines on a target."""
    data = bpy.data.lights.new(name, "AREA")
    data.size, data.energy = size, power
    return aimed(link(bpy.data.objects.new(name, data)), place, target)


def camera(name: str, place: Sequence[float], target: Sequence[float], lens: float) -> bpy.types.Object:
    """A camera that looks at a target; the first is the scene's."""
    data = bpy.data.cameras.new(name)
    data.lens, data.clip_start, data.clip_end = lens, 0.001, 100.0
    thing = aimed(link(bpy.data.objects.new(name, data)), place, target)
    scene = bpy.context.scene
    scene.camera = scene.camera or thing
    return thing


def aimed(thing: bpy.types.Object, place: Sequence[float], target: Sequence[float]) -> bpy.types.Object:
    thing.location = place
    thing.rotation_euler = (mathutils.Vector(target) - mathutils.Vector(place)).to_track_quat("-Z", "Y").to_euler()
    return thing


def ambient(scene: bpy.types.Scene, radiance: float) -> bpy.types.World:
    """An even grey world."""
    scene.world = bpy.data.worlds.new("World")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = radiance
    return scene.world
