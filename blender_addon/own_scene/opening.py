"""A scene of the user opened for rendering: complete, shown as it renders, and settled for pictures of it alone."""

from collections.abc import Iterator
from pathlib import Path

import bpy

from blender_addon.errors import RenderError
from blender_addon.rendering.blend_file import check_linked, listed, open_blend
from blender_addon.ui.preview.ownership import LIGHT, PART, is_own
from blender_addon.workers import compat
from scenes.datasets.files import sha256_of

SUBDIVISION = ("SUBSURF", "MULTIRES")
FROM_FILES = ("FILE", "SEQUENCE", "MOVIE", "TILED")  # images whose pixels lie in files of their own
MOVING = (  # nodes of compositing after which a pixel shows another place
    "CornerPin", "Crop", "Displace", "Flip", "Lensdist", "MapUV", "MovieDistortion", "PlaneTrackDeform", "Rotate",
    "Scale", "Stabilize", "Transform", "Translate",
)  # fmt: skip


def open_scene(blend: str, digest: str) -> tuple[bpy.types.Scene, bpy.types.ViewLayer]:
    """Open a .blend of this SHA-256 and give the scene that it shows, with the layer that is rendered of it.

    Raises RenderError where the file is another, cannot be opened, or lacks files that it links to.
    """
    if sha256_of(Path(blend)) != digest:
        raise RenderError(
            f"{blend}: has changed since this dataset was begun; expected the file as it was: put it back, or render "
            "into another folder"
        )
    open_blend(blend)
    check_linked(blend)
    scene = bpy.context.scene
    layer = next((layer for layer in scene.view_layers if layer.use), scene.view_layers[0])
    _show_as_rendered(scene, layer)
    check_pictures(blend, scene)
    return scene, layer


def settle(scene: bpy.types.Scene, samples: int, threads: int, *, on_card: bool) -> None:
    """Have Cycles render the scene itself: no region, strips, stamps or files beside, and the same in every frame.

    Raises RenderError where its compositing moves pixels.
    """
    render, cycles = scene.render, scene.cycles
    share = render.resolution_percentage / 100
    render.resolution_x, render.resolution_y = (
        max(1, int(side * share)) for side in (render.resolution_x, render.resolution_y)
    )
    render.resolution_percentage = 100
    render.engine = "CYCLES"
    render.threads_mode = "FIXED" if threads else "AUTO"
    if threads:
        render.threads = threads
    render.use_border = render.use_multiview = render.use_stamp = render.use_sequencer = False
    render.use_persistent_data = render.use_simplify = render.use_freestyle = False
    cycles.device = "GPU" if on_card else "CPU"
    cycles.samples = samples
    cycles.time_limit = 0.0
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = cycles.use_denoising and compat.can_denoise()
    cycles.use_animated_seed = False
    tree = compat.compositing_tree(scene) if render.use_compositing else None
    for node in tree.nodes if tree else ():
        if node.bl_idname == "CompositorNodeOutputFile":
            node.mute = True
        elif node.bl_idname.removeprefix("CompositorNode") in MOVING and not node.mute:
            raise RenderError(
                f"{bpy.data.filepath}: found the node {node.name} in its compositing, which moves what pictures show "
                "and not their masks; expected none such: mute it, or switch compositing off"
            )


def check_pictures(blend: str, scene: bpy.types.Scene) -> None:
    """Raise RenderError where pictures that the scene's materials, lights and world show are not there."""
    missing = sorted(
        {
            image.filepath
            for image in _images(scene)
            if image.source in FROM_FILES and not image.packed_file and not image.packed_files and not _is_there(image)
        }
    )
    if missing:
        raise RenderError(
            f"{blend}: found no file {listed(missing)}, which its materials or its world show; expected the pictures "
            "where it names them: put them there, or pack them into the file"
        )


def _is_there(image: bpy.types.Image) -> bool:
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    if image.source == "TILED":  # its name holds a place for the tile's number
        return any(path.parent.glob(path.name.replace("<UDIM>", "*").replace("<UVTILE>", "*")))
    return path.is_file()


def _images(scene: bpy.types.Scene) -> Iterator[bpy.types.Image]:
    trees = [scene.world.node_tree if scene.world else None]
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        thing = instance.object.original
        trees += [slot.material.node_tree for slot in thing.material_slots if slot.material]
        if thing.type == "LIGHT":
            trees.append(thing.data.node_tree)
    known = set()
    while trees:
        tree = trees.pop()
        if tree is None or tree in known:
            continue
        known.add(tree)
        for node in tree.nodes:
            if getattr(node, "image", None):
                yield node.image
            trees.append(getattr(node, "node_tree", None))


def _show_as_rendered(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> None:
    """Have Python see of every object, collection and modifier what a render shows, not what the window does."""
    scene.render.use_simplify = False
    for collection in bpy.data.collections:
        collection.hide_viewport = collection.hide_render
    waiting = [layer.layer_collection]
    while waiting:
        shown = waiting.pop()
        shown.hide_viewport = False
        waiting += shown.children
    for thing in bpy.data.objects:
        if is_own(thing, PART) or is_own(thing, LIGHT):  # the panel's preview, which is no part of the user's scene
            thing.hide_render = True
        thing.hide_viewport = thing.hide_render
        for modifier in thing.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type in SUBDIVISION:
                modifier.levels = modifier.render_levels
    for thing in layer.objects:
        thing.hide_set(False, view_layer=layer)
    layer.update()
