"""The camera, the lights and the room of a drawn scene in Blender's, and what was there in their place before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from blender_addon.ui.preview.ownership import (
    CAMERA,
    LIGHT,
    ROOM,
    STAGE,
    discard,
    discard_object,
    is_in,
    is_own,
    mark,
    own,
)

if TYPE_CHECKING:
    from scenes.scene import Scene

STAGE_NAME, CAMERA_NAME, WORLD_NAME = "Inspection Stage", "Inspection Camera", "Inspection Room"
RESOLUTION = ("resolution_x", "resolution_y", "resolution_percentage")


def place_stage(blender_scene: bpy.types.Scene, scene: Scene) -> None:
    """Put the camera, the lights and the room's light of a drawn scene into Blender's, over the shown object.

    What the user chose since in place of our camera, room or resolution stays; `take_over` puts ours back.
    """
    from blender_addon.rendering.lights import place_domes, place_panels, set_room
    from blender_addon.rendering.stage import aim_camera

    preview = blender_scene.blemish.preview
    collection = _collection(blender_scene)
    camera, room = _camera(blender_scene, collection), _room(preview)
    lights = own(collection.objects, LIGHT)
    panels, domes = ([light for light in lights if light.type == kind] for kind in ("LIGHT", "MESH"))
    place_panels(panels, scene.light.panels, collection)
    place_domes(domes, scene.light.domes, collection)
    for light in (*panels, *domes):
        mark(mark(light, LIGHT).data, LIGHT)
    for dome in domes:
        mark(dome.data.materials[0], LIGHT)
    aim_camera(camera, scene.camera, depth_of_field=True)
    for thing in (camera, *panels, *domes):
        thing.matrix_world = preview.object.matrix_world @ thing.matrix_world
    set_room(room, scene.light)
    if not any(preview.resolution_set):
        take_over(blender_scene)
    blender_scene.camera, blender_scene.world = blender_scene.camera or camera, blender_scene.world or room
    wanted = (scene.camera.width, scene.camera.height, 100)
    for number, name in enumerate(RESOLUTION):
        if getattr(blender_scene.render, name) == preview.resolution_set[number]:
            setattr(blender_scene.render, name, wanted[number])
            preview.resolution_set[number] = getattr(blender_scene.render, name)


def take_over(blender_scene: bpy.types.Scene) -> None:
    """Have the scene use our camera, room and resolution, and remember those that it had."""
    preview = blender_scene.blemish.preview
    if blender_scene.camera is not None and not is_own(blender_scene.camera):
        preview.camera_before = blender_scene.camera
    if blender_scene.world is not None and not is_own(blender_scene.world):
        preview.world_before = blender_scene.world
    blender_scene.camera, blender_scene.world = _camera(blender_scene, _collection(blender_scene)), _room(preview)
    for number, name in enumerate(RESOLUTION):
        has = getattr(blender_scene.render, name)
        if has != preview.resolution_set[number]:
            preview.resolution_before[number] = preview.resolution_set[number] = has


def remove_stage(blender_scene: bpy.types.Scene) -> None:
    """Take the camera and the lights out again, if they are there, and give the scene back what it had."""
    preview = blender_scene.blemish.preview
    if not any(preview.resolution_set):
        return
    collection, room = preview.collection, preview.room
    if blender_scene.camera is None or is_own(blender_scene.camera):
        before = preview.camera_before
        blender_scene.camera = before if is_in(blender_scene, before) else None
    if blender_scene.world is None or is_own(blender_scene.world):
        blender_scene.world = preview.world_before
    for number, name in enumerate(RESOLUTION):
        if getattr(blender_scene.render, name) == preview.resolution_set[number]:
            setattr(blender_scene.render, name, preview.resolution_before[number])
    preview.collection = preview.room = preview.camera_before = preview.world_before = None
    preview.resolution_before = preview.resolution_set = (0, 0, 0)
    if room is not None:
        discard(room)
    if is_own(collection, STAGE):
        _dissolve(blender_scene, collection)


def _dissolve(blender_scene: bpy.types.Scene, collection: bpy.types.Collection) -> None:
    """Take a stage out of a scene; what the user put into it stays, and so does all of it that another scene shows."""
    for parent in (blender_scene.collection, *blender_scene.collection.children_recursive):
        if collection.name in parent.children and parent.children[collection.name] == collection:
            parent.children.unlink(collection)
    if any(collection in other.collection.children_recursive for other in bpy.data.scenes):
        return
    for thing in list(collection.objects):
        if is_own(thing, CAMERA) or is_own(thing, LIGHT):
            discard_object(thing)
        elif not is_in(blender_scene, thing):
            blender_scene.collection.objects.link(thing)
    for child in collection.children:
        if child not in blender_scene.collection.children_recursive:
            blender_scene.collection.children.link(child)
    bpy.data.collections.remove(collection)


def _collection(blender_scene: bpy.types.Scene) -> bpy.types.Collection:
    preview = blender_scene.blemish.preview
    if not is_own(preview.collection, STAGE):
        preview.collection = mark(bpy.data.collections.new(STAGE_NAME), STAGE)
    if preview.collection not in blender_scene.collection.children_recursive:
        blender_scene.collection.children.link(preview.collection)
    return preview.collection


def _camera(blender_scene: bpy.types.Scene, collection: bpy.types.Collection) -> bpy.types.Object:
    for camera in own(collection.objects, CAMERA):
        return camera
    camera = blender_scene.camera
    if not is_own(camera, CAMERA):
        camera = mark(bpy.data.objects.new(CAMERA_NAME, mark(bpy.data.cameras.new(CAMERA_NAME), CAMERA)), CAMERA)
    collection.objects.link(camera)
    return camera


def _room(preview: Any) -> bpy.types.World:
    if not is_own(preview.room, ROOM):
        preview.room = mark(bpy.data.worlds.new(WORLD_NAME), ROOM)
        if preview.room.node_tree is None:
            preview.room.use_nodes = True
    return preview.room
