"""The objects by which the preview shows a scene: the part with its materials, and the stage about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from scenes.geometry.atlas import Part
    from scenes.scene import Scene

OBJECT_NAME, MATERIAL_NAME, STAGE_NAME = "Inspected Part", "Inspected Surface", "Inspection Stage"
CAMERA_NAME, WORLD_NAME = "Inspection Camera", "Inspection Room"
SHAPE_KEY = "blemish_shape"  # of a mesh: what it was built from
IMAGE_NODES = ("albedo", "relief", "labels", "lay")


def place_part(blender_scene: bpy.types.Scene, part: Part, scene: Scene) -> bpy.types.Object:
    """Give the shown object the part's mesh; made anew only where the shape is another.

    Raises BlemishError while it is being edited.
    """
    from blender_addon.rendering.material import build_body_material
    from blender_addon.rendering.stage import build_mesh
    from procgen.errors import BlemishError
    from scenes.geometry.atlas import texture

    preview = blender_scene.blemish.preview
    shown = preview.object
    key = json.dumps([scene.part.model_dump_json(), None if part.is_rectangle else scene.texel_size])
    if shown is not None and shown.data.get(SHAPE_KEY) == key:
        return shown
    if shown is not None and shown.mode != "OBJECT":
        raise BlemishError(f"{shown.name} is being edited; leave Edit Mode, then the part can take its new shape")
    mesh = build_mesh(part.mesh, texture(part, scene.texel_size).uvs)
    mesh.name, mesh[SHAPE_KEY] = OBJECT_NAME, key
    if shown is None:
        surface = _new_surface().material
        shown = preview.object = bpy.data.objects.new(OBJECT_NAME, mesh)
        body = build_body_material()
    else:
        surface, body = surface_of(shown).material, _body_of(shown)
        before = shown.data
        shown.data = mesh
        if before.users == 0:
            bpy.data.meshes.remove(before)
    mesh.materials.append(surface)
    mesh.materials.append(body)
    if blender_scene.objects.get(shown.name) != shown:
        blender_scene.collection.objects.link(shown)
    return shown


def surface_of(shown: bpy.types.Object) -> Any:
    """The material of the shown object, with what `SurfaceMaterial` knows of it; made anew where someone took it away.

    Nodes are found by their names, for after an undo Blender has others.
    """
    from blender_addon.rendering.material import SurfaceMaterial

    material = shown.data.materials[0] if shown.data.materials else None
    if material is None or material.node_tree is None or not set(IMAGE_NODES) <= set(material.node_tree.nodes.keys()):
        surface = _new_surface()
        if shown.data.materials:
            shown.data.materials[0] = surface.material
        else:
            shown.data.materials.append(surface.material)
        return surface
    nodes = material.node_tree.nodes
    albedo, relief, labels, lay = (nodes[name] for name in IMAGE_NODES)
    return SurfaceMaterial(material, albedo, relief, labels, lay, nodes["Principled BSDF"])


def _body_of(shown: bpy.types.Object) -> bpy.types.Material:
    from blender_addon.rendering.material import build_body_material

    materials = shown.data.materials
    return materials[1] if len(materials) > 1 and materials[1] is not None else build_body_material()


def _new_surface() -> Any:
    from blender_addon.rendering.material import build_surface_material
    from blender_addon.ui.preview.overlay import add_overlay

    surface = build_surface_material()
    surface.material.name = MATERIAL_NAME
    for name in IMAGE_NODES:
        getattr(surface, name).name = name
    add_overlay(surface.material)
    surface.material.node_tree.nodes.active = surface.albedo  # what the viewport's Solid mode shows as texture
    return surface


def upload_overlay(material: bpy.types.Material, classes: Any) -> None:
    from blender_addon.rendering.material import upload
    from blender_addon.ui.preview.overlay import IMAGE, overlay_pixels

    upload(material.node_tree.nodes[IMAGE], overlay_pixels(classes))


def place_stage(blender_scene: bpy.types.Scene, scene: Scene) -> None:
    """Put the camera, the ring light and the room's light of a drawn scene into Blender's, over the shown object."""
    from blender_addon.rendering.stage import place_camera, place_panels, set_ambient

    preview = blender_scene.blemish.preview
    collection = bpy.data.collections.get(STAGE_NAME)
    if collection is None:
        collection = bpy.data.collections.new(STAGE_NAME)
        preview.camera_before, preview.world_before = blender_scene.camera, blender_scene.world
    if collection.name not in blender_scene.collection.children:
        blender_scene.collection.children.link(collection)
    camera = next((thing for thing in collection.objects if thing.type == "CAMERA"), None)
    if camera is None:
        camera = bpy.data.objects.new(CAMERA_NAME, bpy.data.cameras.new(CAMERA_NAME))
        collection.objects.link(camera)
    blender_scene.camera = camera
    panels = [thing for thing in collection.objects if thing.type == "LIGHT"]
    place_panels(panels, scene.light.panels, collection)
    place_camera(blender_scene, scene.camera, depth_of_field=True)
    for thing in (camera, *panels):
        thing.matrix_world = preview.object.matrix_world @ thing.matrix_world
    room = bpy.data.worlds.get(WORLD_NAME)
    if room is None:
        room = bpy.data.worlds.new(WORLD_NAME)
        if room.node_tree is None:
            room.use_nodes = True
    set_ambient(room, scene.light.ambient)
    blender_scene.world = room


def remove_stage(blender_scene: bpy.types.Scene) -> None:
    """Take the camera and the lights out again, if they are there."""
    collection = bpy.data.collections.get(STAGE_NAME)
    if collection is None or collection.name not in blender_scene.collection.children:
        return
    preview = blender_scene.blemish.preview
    for thing in list(collection.objects):
        data = thing.data
        bpy.data.objects.remove(thing)
        (bpy.data.cameras if isinstance(data, bpy.types.Camera) else bpy.data.lights).remove(data)
    bpy.data.collections.remove(collection)
    blender_scene.camera, blender_scene.world = preview.camera_before, preview.world_before
