"""The part in the viewport with its layers, drawn anew as settings change.

What is shown follows from the settings alone: the same recipe, seed and frame that a render would draw, evaluated by
`scenes.surface_maps` on coarser texels. A change costs only what it changes; see `scenes.cache`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent

from blender_addon.ui.recipe import properties

if TYPE_CHECKING:
    from scenes.cache import SceneCache
    from scenes.geometry.atlas import Part
    from scenes.scene import Scene

DELAY = 0.02  # s after a change, so that several at once are one
OBJECT_NAME, MATERIAL_NAME, STAGE_NAME = "Inspected Part", "Inspected Surface", "Inspection Stage"
CAMERA_NAME, WORLD_NAME = "Inspection Camera", "Inspection Room"
SHAPE_KEY = "blemish_shape"  # of a mesh: what it was built from
IMAGE_NODES = ("albedo", "relief", "labels", "lay")


@dataclass(frozen=True)
class Report:
    """How the preview of a scene stands: what is wrong with the settings, or what is to be seen."""

    problem: str = ""
    seconds: float = 0.0
    counts: tuple[tuple[str, int], ...] = ()


reports: dict[str, Report] = {}  # by the name of Blender's scene
_cache: SceneCache | None = None


def report_of(blender_scene: bpy.types.Scene) -> Report:
    """How the preview stands."""
    return reports.get(blender_scene.name, Report())


def shown_object(blender_scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The object that shows the part, where it is in the scene."""
    shown = blender_scene.blemish.preview.object
    return shown if shown is not None and blender_scene.objects.get(shown.name) == shown else None


def schedule() -> None:
    """Have the preview drawn anew soon; many changes at once come to one."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=DELAY)


def _tick() -> None:
    for blender_scene in bpy.data.scenes:
        if blender_scene.blemish.preview.live and shown_object(blender_scene) is not None:
            update(blender_scene)


def update(blender_scene: bpy.types.Scene) -> Report:
    """Draw the preview anew, and tell how that went; it raises nothing."""
    from procgen.errors import BlemishError

    begun = perf_counter()
    try:
        counts = refresh(blender_scene)
    except BlemishError as error:  # a recipe's problems without its name before each
        report = Report(problem="\n".join(getattr(error, "problems", ())) or str(error))
    except Exception as error:  # numbers that no part can be made of; whatever it is, Blender goes on
        report = Report(problem=f"This cannot be drawn: {error}")
    else:
        report = Report(seconds=perf_counter() - begun, counts=tuple(counts.items()))
    reports[blender_scene.name] = report
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
    return report


def refresh(blender_scene: bpy.types.Scene) -> dict[str, int]:
    """Bring the shown object to what the settings say; gives the number of things of each class that are to be seen.

    Raises BlemishError where the settings contradict each other.
    """
    from blender_addon.rendering.stage import lay_along_v
    from blender_addon.ui.preview.overlay import show_overlay
    from scenes import build_part, surface_maps
    from scenes.cache import SceneCache

    global _cache
    _cache = _cache or SceneCache()
    settings = blender_scene.blemish
    scene = drawn(settings, _cache)
    part = build_part(scene.part)
    coarse = scene.model_copy(update={"texel_size": texel_size(part, int(settings.preview.size))})
    maps = surface_maps(coarse, _cache)
    place_part(blender_scene, part, coarse)
    surface = surface_of(settings.preview.object)
    surface.show(maps, labels=False)
    surface.brush(scene.finish.anisotropy, lay_along_v(scene, part) if maps.lay is None else None, scene.finish.coat)
    if settings.preview.overlay:
        _upload_overlay(surface.material, maps.classes)
    show_overlay(surface.material, settings.preview.overlay_opacity if settings.preview.overlay else 0.0)
    if settings.preview.stage:
        place_stage(blender_scene, scene)
    else:
        remove_stage(blender_scene)
    counts: dict[str, int] = {}
    for instance in maps.instances:
        counts[instance.class_name] = counts.get(instance.class_name, 0) + 1
    return counts


def drawn(settings: Any, cache: SceneCache | None = None) -> Scene:
    """The scene that the settings' recipe, seed and frame make; what a render of that frame shows."""
    from blender_addon.ui.recipe.exchange import to_recipe
    from scenes import draw

    return draw(to_recipe(settings), settings.seed, settings.frame, cache)


def texel_size(part: Part, side: int) -> float:
    """Metres of a texel so that the part's charts have about `side` squared."""
    return math.sqrt(sum(chart.size[0] * chart.size[1] for chart in part.charts)) / side


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


def _upload_overlay(material: bpy.types.Material, classes: Any) -> None:
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


@persistent
def _show_again(*_: Any) -> None:
    """After a file was opened, and after an undo: images are not among what Blender brings back."""
    schedule()


@persistent
def _pack(*_: Any) -> None:
    """Before a file is saved: keep the previews' images in it."""
    for blender_scene in bpy.data.scenes:
        shown = shown_object(blender_scene)
        for material in shown.data.materials if shown is not None else ():
            for node in material.node_tree.nodes if material is not None and material.node_tree is not None else ():
                if node.type == "TEX_IMAGE" and node.image is not None and node.image.is_dirty:
                    node.image.pack()


def register() -> None:
    properties.on_change(schedule)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_show_again)
    bpy.app.handlers.save_pre.append(_pack)


def unregister() -> None:
    global _cache
    properties.off_change(schedule)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_show_again)
    bpy.app.handlers.save_pre.remove(_pack)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    reports.clear()
    _cache = None
