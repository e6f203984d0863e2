"""Everything in the .blend that is open as plain values: all properties of all data-blocks, to see what has changed.

Left out is what belongs to the window rather than the file (LEFT_OUT), and what Blender counts or caches for itself
(VOLATILE), such as numbers of users: a pointer's change is seen where the pointer is.
"""

from typing import Any

import bpy

LEFT_OUT = {"window_managers", "screens", "all_ids"}  # the last is all the others once more
VOLATILE = {
    "rna_type", "bl_rna", "is_updated", "is_updated_data", "is_dirty", "is_saved", "session_uid", "original", "users",
    "is_evaluated", "is_runtime_data", "id_data", "filepath", "version", "tag", "library_weak_reference", "preview",
    "frame_current_final", "update_tag", "is_icon_custom", "name_full", "has_data", "bindcode", "total_users",
    "depsgraph", "particle_edit", "use_extra_user", "gi_cache_info",
    "vertex_normals", "polygon_normals", "normal", "uv_layer_clone", "uv_layer_stencil",
    "storage_type",  # how 5.2 stores an attribute's values, which changes as they are read
    "uv_sculpt",  # whose brush crashes Blender 4.2
}  # fmt: skip


def everything() -> dict[str, Any]:
    """path -> value of every property of every data-block."""
    found: dict[str, Any] = {}
    for collection in bpy.data.bl_rna.properties:
        if collection.type != "COLLECTION" or collection.identifier in LEFT_OUT:
            continue
        for block in getattr(bpy.data, collection.identifier):
            path = f"{collection.identifier}[{block.name!r}]"
            found[path] = "is there"
            _walk(block, path, found, set())
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is not the same, as "path: before -> after"."""
    missing = "(nothing)"
    return [
        f"{path}: {before.get(path, missing)} -> {after.get(path, missing)}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path, missing) != after.get(path, missing)
    ]


def _walk(owner: Any, path: str, found: dict[str, Any], seen: set[tuple[int, str]]) -> None:
    """Note the properties of a data-block or of something in it, once however many ways lead there."""
    this = (owner.as_pointer(), owner.bl_rna.identifier)
    if this in seen:
        return
    seen.add(this)
    for key, value in _custom(owner):
        found[f"{path}[{key!r}]"] = value.name_full if isinstance(value, bpy.types.ID) else str(value)
    for described in owner.bl_rna.properties:
        name = described.identifier
        if name in VOLATILE:
            continue
        try:
            value = getattr(owner, name)
        except (AttributeError, RuntimeError, TypeError):  # where Blender says that this one has none just now
            continue
        here = f"{path}.{name}"
        if described.type == "COLLECTION":
            entries = list(value)
            found[f"{here}#"] = len(entries)
            for number, entry in enumerate(entries):
                _note(entry, f"{here}[{number}]", found, seen)
        elif described.type == "POINTER":
            _note(value, here, found, seen)
        else:
            found[here] = _plain(value) if getattr(described, "is_array", False) else value


def _note(value: Any, path: str, found: dict[str, Any], seen: set[tuple[int, str]]) -> None:
    if value is None or not isinstance(value, bpy.types.bpy_struct):
        found[path] = value
    elif isinstance(value, bpy.types.ID) and not value.is_embedded_data:
        found[path] = (value.bl_rna.identifier, value.name_full)
    else:
        _walk(value, path, found, seen)


def _plain(value: Any) -> Any:
    """Arrays as tuples."""
    return tuple(map(_plain, value)) if hasattr(value, "__len__") else value


def _custom(owner: Any) -> list[tuple[str, Any]]:
    """Custom properties, but for those that are properties of their own too."""
    try:
        keys = list(owner.keys())
    except TypeError:  # where there can be none
        return []
    return [(key, owner[key]) for key in keys if key not in owner.bl_rna.properties]
