"""The objects that a scene shows, by names, and those that are inspected made objects of their own."""

from dataclasses import dataclass

import bpy
import mathutils
import numpy as np

from blender_addon.errors import RenderError
from blender_addon.own_scene import placing
from blender_addon.own_scene.geometry import baked
from blender_addon.rendering.mesh_export import SOLID
from scenes.own_scene.contents import Contents, found_in, matching

SAVED = "%s (as saved)"  # what an object is called whose place Blemish's copy has taken


@dataclass(frozen=True)
class Shown:
    """An object as the scene shows it, once for each instance.

    name: its own, or of an instance INSTANCER/OBJECT, with #2 and so on where that comes again. thing: of the file.
    instancer: the object that shows it, None where it stands there itself. pose: local to world. scatters: whether its
    Geometry Nodes show instances of what is no object.
    """

    name: str
    thing: bpy.types.Object
    instancer: bpy.types.Object | None
    pose: mathutils.Matrix
    scatters: bool = False


def everything_shown() -> list[Shown]:
    """Everything in the open scene, in order of the names."""
    counts: dict[str, int] = {}
    found = []
    entries, scattering = [], set()
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if not (instance.show_self or instance.is_instance):
            continue
        thing, instancer = instance.object.original, instance.parent.original if instance.is_instance else None
        if thing == instancer:  # as the mesh of a text comes beside it
            if thing.type == "MESH":
                scattering.add(thing)
            continue
        entries.append((thing, instancer, instance.matrix_world.copy(), tuple(instance.persistent_id)))
    entries.sort(key=lambda entry: (entry[1].name if entry[1] else "", entry[0].name, entry[3]))
    for thing, instancer, pose, _ in entries:
        name = thing.name if instancer is None else f"{instancer.name}/{thing.name}"
        counts[name] = number = counts.get(name, 0) + 1
        unique = name if number == 1 else f"{name}#{number}"
        found.append(Shown(unique, thing, instancer, pose, thing in scattering))
    return sorted(found, key=lambda shown: shown.name)


def inspected(shown: list[Shown], patterns: tuple[str, ...], blend: str) -> list[Shown]:
    """Those whose name matches one of the patterns, or that of their object or of what shows them.

    Raises BlemishError for a pattern that matches none, and where what matches has no surface.
    """
    aliases = {alias for one in shown for alias in _names(one)}
    contents = Contents(blend=blend, objects=tuple(sorted(aliases)), inspected=())
    found_in(contents, "scene.inspect", patterns, contents.objects)
    for pattern in patterns:
        of_pattern = [one for one in shown if matching([pattern], _names(one))]
        if not any(one.thing.type in SOLID for one in of_pattern):
            kinds = ", ".join(sorted({one.thing.type for one in of_pattern}))
            raise RenderError(
                f"{blend}: found the type {kinds} for {pattern} of the recipe's scene.inspect; expected an object with "
                "a surface, as a mesh"
            )
    found = [one for one in shown if one.thing.type in SOLID and matching(patterns, _names(one))]
    if scatters := next((one for one in found if one.scatters), None):
        raise RenderError(
            f"object {scatters.name}: found instances of geometry that is no object; expected Realize Instances at "
            "the end of its Geometry Nodes"
        )
    return found


def _names(one: Shown) -> tuple[str, ...]:
    return (one.name, one.thing.name, *([one.instancer.name] if one.instancer else ()))


def made_real(scene: bpy.types.Scene, shown: list[Shown], wanted: list[Shown]) -> dict[str, bpy.types.Object]:
    """Put an object of its own in the place of each that is wanted; gives them by name.

    Each has a mesh of its own, as it renders, and stands where the file has it, with no modifier, parent or animation
    left. What it stands for is hidden. So is whatever shows instances among the wanted, the others of which are made
    objects likewise.
    """
    names = {one.name for one in wanted}
    instancers = {one.instancer for one in wanted if one.instancer}
    taken = [
        one
        for one in shown
        if one.name in names or one.instancer in instancers or (one.instancer is None and one.thing in instancers)
    ]
    depsgraph = bpy.context.evaluated_depsgraph_get()
    meshes: dict[bpy.types.Object, bpy.types.Mesh] = {}
    for one in taken:
        if one.thing.type in SOLID and one.thing not in meshes:
            meshes[one.thing] = baked(one.thing.evaluated_get(depsgraph), depsgraph)
    result, anchor = {}, placing.anchor_in(scene)
    for one in taken:
        if one.thing.type == "EMPTY":
            continue
        mesh = meshes.get(one.thing)
        if mesh is not None and one.name in names:
            mesh = mesh.copy()
        thing = _twin(one.thing, mesh)
        if one.name in names:
            if one.instancer is None:
                one.thing.name = SAVED % one.thing.name  # drivers and modifiers know it by itself, not by its name
            thing.name = one.name
            result[one.name] = thing
        for collection in _collections(one.instancer or one.thing, scene):
            collection.objects.link(thing)
        placing.detach(thing, anchor)
        placing.put(thing, np.array(one.pose, dtype=np.float64))
        if one.name in names and one.instancer is None:
            for child in one.thing.children:
                child.parent = thing  # which stands where the other does, so that the child does too
    for one in taken:
        hidden = one.instancer or one.thing
        hidden.hide_render = hidden.hide_viewport = True
    return {name: result[name] for name in sorted(result)}


def _collections(thing: bpy.types.Object, scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """Those of the scene that hold an object."""
    holding = [held for held in thing.users_collection if held in scene.collection.children_recursive]
    return holding or [scene.collection]


def is_hidden(thing: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    """Whether a render shows an object neither by itself nor by a collection that is shown."""
    if thing.hide_render:
        return True
    waiting, shown = [scene.collection], set()
    while waiting:
        collection = waiting.pop()
        if not collection.hide_render:
            shown.add(collection)
            waiting += collection.children
    return not any(collection in shown for collection in thing.users_collection)


def _twin(thing: bpy.types.Object, mesh: bpy.types.Mesh | None) -> bpy.types.Object:
    """A copy of an object by itself, with this mesh where it has a surface."""
    if mesh is None or thing.type == "MESH":
        twin = thing.copy()
        if mesh is not None:
            twin.data = mesh
            for slot in twin.material_slots:
                slot.link = "DATA"
    else:
        twin = bpy.data.objects.new(thing.name, mesh)
        twin.pass_index, twin.color = thing.pass_index, thing.color
        for sight in ("camera", "diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
            setattr(twin, f"visible_{sight}", getattr(thing, f"visible_{sight}"))
    twin.modifiers.clear()
    twin.instance_type = "NONE"
    return twin
