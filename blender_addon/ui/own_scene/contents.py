"""What there is in this scene that a recipe's fields can name."""

from __future__ import annotations

from fnmatch import fnmatchcase

import bpy

from blender_addon.ui.recipe.names import names_in

COLLECTIONS, OBJECTS = "collections", "objects"
SORTS = ("lights", "cameras", "inspect", COLLECTIONS)  # fields that name something in particular; others any objects
WITHIN = "/"  # between the name of what shows an instance and that of an object within it


def sort_of(field: str) -> str:
    """What a field of a recipe names: lights, cameras, collections, what has a surface, or any objects."""
    return field if field in SORTS else OBJECTS


def all_names(scene: bpy.types.Scene, field: str) -> list[str]:
    """Names of all in the scene that a field can name, alphabetical."""
    if sort_of(field) == COLLECTIONS:
        return sorted(collection.name for collection in scene.collection.children_recursive)
    return sorted(thing.name for thing in scene.objects if fits(thing, field))


def selected_names(context: bpy.types.Context, field: str) -> list[str]:
    """Names of those of the selected objects that a field can name."""
    return [thing.name for thing in context.selected_objects if fits(thing, field)]


def fits(thing: bpy.types.Object, field: str) -> bool:
    """Whether a field can name an object."""
    match sort_of(field):
        case "lights":
            from blender_addon.own_scene.lights import is_light

            return is_light(thing)
        case "cameras":
            return bool(thing.type == "CAMERA")
        case "inspect":
            from blender_addon.rendering.mesh_export import SOLID

            return thing.type in SOLID or thing.instance_type != "NONE"
        case sort:
            return sort == OBJECTS


def unmatched(scene: bpy.types.Scene, field: str, text: str) -> list[str]:
    """The names and patterns of a line that nothing in the scene has; objects within instances are not looked up."""
    named: dict[str, object] = dict(scene.objects.items())
    if sort_of(field) == COLLECTIONS:
        named = {collection.name: collection for collection in scene.collection.children_recursive}
    return [
        pattern
        for pattern in names_in(text)
        if WITHIN not in pattern and pattern not in named and not any(fnmatchcase(name, pattern) for name in named)
    ]
