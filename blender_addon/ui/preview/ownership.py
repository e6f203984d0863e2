"""What in a .blend is Blemish's own: data-blocks that carry its mark, by which they are known and taken away.

A name says nothing: users have collections called "Inspection Stage" of their own, and rename ours. Everything that the
preview adds is marked here; which of the marked a scene shows, the pointers of its `BlemishPreview` say, because a copy
that the user makes carries the mark as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

MARK = "blemish"  # custom property of a data-block: the part that it plays
PART, SURFACE, BODY, MAP = "part", "surface", "body", "map"
STAGE, CAMERA, LIGHT, ROOM = "stage", "camera", "light", "room"


def mark(block: Any, role: str) -> Any:
    """Note that Blemish made this data-block, and for what."""
    block[MARK] = role
    return block


def call(block: Any, name: str, others: Any) -> None:
    """Give a data-block a name that none of the others of its kind has: Blender 3.4 would rename the other."""
    numbered = (name, *(f"{name}.{number:03d}" for number in range(1, 1000)))
    block.name = next((free for free in numbered if free not in others), name)


def is_own(block: Any, role: str = "") -> bool:
    """Whether Blemish made this data-block, for this if a role is given."""
    found = block.get(MARK) if block is not None else None
    return isinstance(found, str) and role in ("", found)


def own(blocks: Iterable[Any], role: str) -> list[Any]:
    """Those that Blemish made for this."""
    return [block for block in blocks if is_own(block, role)]


def own_scenes() -> list[bpy.types.Scene]:
    """The scenes of this file, without those that it links from others, which are not to be changed."""
    return [blender_scene for blender_scene in bpy.data.scenes if blender_scene.library is None]


def is_in(blender_scene: bpy.types.Scene, thing: bpy.types.Object | None) -> bool:
    """Whether this very object is in the scene."""
    if thing is None:
        return False
    found = blender_scene.objects.get(thing.name)
    return found == thing or (found is not None and thing in blender_scene.objects.values())  # of a library, say


def discard_object(thing: bpy.types.Object) -> None:
    """Remove an object of ours, and of what it is made of all that is ours and shows nowhere else."""
    data = thing.data
    materials = [slot.material for slot in thing.material_slots] + list(getattr(data, "materials", ()))
    bpy.data.objects.remove(thing)
    discard(data)
    for material in dict.fromkeys(filter(None, materials)):
        discard_material(material)


def discard_material(material: bpy.types.Material) -> None:
    """Remove a material of ours that nothing wears any more, and its images."""
    if not is_own(material) or material.users:
        return
    nodes = material.node_tree.nodes if material.node_tree is not None else ()
    images = [node.image for node in nodes if node.type == "TEX_IMAGE"]
    discard(material)
    for image in dict.fromkeys(filter(None, images)):
        discard(image)


def discard(block: Any) -> None:
    """Remove a data-block if it is ours and nothing uses it any more."""
    if is_own(block) and not block.users:
        bpy.data.batch_remove([block])
