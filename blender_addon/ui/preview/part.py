"""The object by which the preview shows the part, with its materials."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bpy

from blender_addon.ui.preview import places
from blender_addon.ui.preview.ownership import (
    BODY,
    MAP,
    PART,
    SURFACE,
    call,
    discard,
    discard_material,
    is_in,
    is_own,
    mark,
    own,
)

if TYPE_CHECKING:
    from scenes.geometry.atlas import Part
    from scenes.scene import Scene

OBJECT_NAME, MATERIAL_NAME = "Inspected Part", "Inspected Surface"
SHAPE_KEY = "blemish_shape"  # of a mesh: what it was built from
IMAGE_NODES = ("albedo", "relief", "labels", "lay")


def place_part(blender_scene: bpy.types.Scene, part: Part, scene: Scene) -> bpy.types.Object:
    """Give the shown object the part's mesh; made anew only where the shape is another.

    What the user did to the object and its slots of materials stays. Raises BlemishError while it is being edited.
    """
    from blender_addon.rendering.stage import build_mesh
    from procgen.errors import BlemishError
    from scenes.geometry.atlas import texture

    preview = blender_scene.blemish.preview
    shown = preview.object
    if not is_own(shown, PART):
        shown = preview.object = None
    drawn = scene.part.model_dump(mode="json", exclude={"path"})
    key = json.dumps([drawn, None if part.is_rectangle else scene.texel_size])
    if shown is not None and shown.data.get(SHAPE_KEY) == key:
        return shown
    if shown is not None and shown.mode != "OBJECT":
        raise BlemishError(f"{shown.name} is being edited; leave Edit Mode, then the part can take its new shape")
    mesh = mark(build_mesh(part.mesh, texture(part, scene.texel_size).uvs), PART)
    call(mesh, OBJECT_NAME, bpy.data.meshes)
    mesh[SHAPE_KEY] = key
    if shown is None:
        shown = preview.object = mark(bpy.data.objects.new(OBJECT_NAME, mesh), PART)
        for material in (_new_surface().material, _new_body()):
            mesh.materials.append(material)
        blender_scene.collection.objects.link(shown)
        places.begin(blender_scene, shown, scene.part.kind)
        return shown
    before = shown.data
    for material in before.materials:
        mesh.materials.append(material)
    shown.data = mesh
    discard(before)
    places.change(blender_scene, shown, scene.part.kind)
    if not is_in(blender_scene, shown):
        blender_scene.collection.objects.link(shown)
    return shown


def shows_own_mesh(mesh: bpy.types.Mesh) -> bool:
    """Whether the part's mesh was built from one of the user's."""
    return SHAPE_KEY in mesh and json.loads(mesh[SHAPE_KEY])[0]["kind"] == "mesh"


def surface_of(blender_scene: bpy.types.Scene) -> Any:
    """The material of the shown object, with what `SurfaceMaterial` knows of it; None where it wears one of the user's.

    It is made anew where someone took it away, or where another scene's part wears the very same. Nodes are found by
    their names, for after an undo Blender has others.
    """
    from blender_addon.rendering.material import SurfaceMaterial

    shown = blender_scene.blemish.preview.object
    material = shown.material_slots[0].material if shown.material_slots else None
    if material is not None and not is_own(material, SURFACE):
        return None
    nodes = material.node_tree.nodes if material is not None and material.node_tree is not None else {}
    if material is None or not set(IMAGE_NODES) <= set(nodes.keys()) or _is_shared(blender_scene, material):
        surface = _new_surface()
        if not shown.data.materials:
            shown.data.materials.append(surface.material)
        else:
            shown.material_slots[0].material = surface.material
        if len(shown.data.materials) == 1:
            shown.data.materials.append(_new_body())
        if material is not None:
            discard_material(material)
        return surface
    albedo, relief, labels, lay = (nodes[name] for name in IMAGE_NODES)
    return SurfaceMaterial(material, albedo, relief, labels, lay, nodes["Principled BSDF"])


def show_maps(surface: Any, maps: Any) -> None:
    """Upload surface maps into the material's images."""
    _free_images(surface.material, IMAGE_NODES)
    surface.show(maps, labels=False)
    _mark_images(surface.material, IMAGE_NODES)


def show_classes(material: bpy.types.Material, classes: Any) -> None:
    """Upload class masks into the image of the overlay."""
    from blender_addon.rendering.material import upload
    from blender_addon.ui.preview.overlay import IMAGE, overlay_pixels

    _free_images(material, (IMAGE,))
    upload(material.node_tree.nodes[IMAGE], overlay_pixels(classes))
    _mark_images(material, (IMAGE,))


def images_of(shown: bpy.types.Object | None) -> list[bpy.types.Image]:
    """The images of ours that the part wears."""
    materials = [slot.material for slot in shown.material_slots] if shown is not None else []
    trees = [material.node_tree for material in own(materials, SURFACE) if material.node_tree is not None]
    nodes = [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE"]
    return own((node.image for node in nodes), MAP)


def _is_shared(blender_scene: bpy.types.Scene, material: bpy.types.Material) -> bool:
    """Whether the part of another scene wears this material, as in a copy of a scene."""
    shown = blender_scene.blemish.preview.object
    parts = [other.blemish.preview.object for other in bpy.data.scenes]
    others = [part for part in parts if part != shown and is_own(part, PART)]
    return any(slot.material == material for part in others for slot in part.material_slots)


def _free_images(material: bpy.types.Material, names: Iterable[str]) -> None:
    """Let go of images that are the user's, or that a copy of the material shows too: they are not to be drawn over."""
    for name in names:
        node = material.node_tree.nodes[name]
        if node.image is not None and (not is_own(node.image, MAP) or node.image.users > 1):
            node.image = None


def _mark_images(material: bpy.types.Material, names: Iterable[str]) -> None:
    for name in names:
        if material.node_tree.nodes[name].image is not None:
            mark(material.node_tree.nodes[name].image, MAP)


def _new_body() -> bpy.types.Material:
    from blender_addon.rendering.material import build_body_material

    return mark(build_body_material(), BODY)


def _new_surface() -> Any:
    from blender_addon.rendering.material import build_surface_material
    from blender_addon.ui.preview.overlay import add_overlay

    surface = build_surface_material()
    call(mark(surface.material, SURFACE), MATERIAL_NAME, bpy.data.materials)
    for name in IMAGE_NODES:
        getattr(surface, name).name = name
    add_overlay(surface.material)
    surface.material.node_tree.nodes.active = surface.albedo  # what the viewport's Solid mode shows as texture
    return surface
