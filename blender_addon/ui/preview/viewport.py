"""The part in the viewport with its layers, drawn anew as settings change.

What is shown follows from the settings alone: the same recipe, seed and frame that a render would draw, evaluated by
`scenes.surface_maps` on coarser texels. A change costs only what it changes; see `scenes.cache`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent

from blender_addon.ui import changes
from blender_addon.ui.preview import leaving, snapshots
from blender_addon.ui.preview.ownership import PART, SURFACE, is_in, is_own, own_scenes
from blender_addon.ui.preview.part import images_of, place_part, show_classes, show_maps, surface_of
from blender_addon.ui.preview.stage import place_stage, remove_stage
from blender_addon.ui.words import say

if TYPE_CHECKING:
    from scenes.cache import SceneCache
    from scenes.geometry.atlas import Part
    from scenes.scene import Scene

DELAY = 0.02  # s after a change, so that several at once are one


@dataclass(frozen=True)
class Report:
    """How the preview of a scene stands: what is wrong with the settings, or what is to be seen and what is not."""

    problem: str = ""
    note: str = ""
    seconds: float = 0.0
    counts: tuple[tuple[str, int], ...] = ()


reports: dict[str, Report] = {}  # by the name of Blender's scene
_cache: SceneCache | None = None
_stale = False  # whether a file was opened whose images are still to be drawn


def report_of(blender_scene: bpy.types.Scene) -> Report:
    """How the preview stands."""
    return reports.get(blender_scene.name, Report())


def shown_object(blender_scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The object that shows the part, where it is in the scene."""
    shown = blender_scene.blemish.preview.object
    return shown if is_own(shown, PART) and is_in(blender_scene, shown) else None


def schedule() -> None:
    """Have the preview drawn anew soon; many changes at once come to one."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=DELAY)


def _tick() -> None:
    leaving.settle()
    update_all()


def update_all() -> None:
    """Draw the previews of all scenes anew; of those that share a part, as linked copies do, the one in a window."""
    in_windows = [window.scene for window in bpy.context.window_manager.windows]
    done = set()
    for blender_scene in dict.fromkeys([*in_windows, *own_scenes()]):
        shown = shown_object(blender_scene)
        if shown is not None and shown not in done and blender_scene.blemish.preview.live:
            done.add(shown)
            update(blender_scene)


def update(blender_scene: bpy.types.Scene) -> Report:
    """Draw the preview anew, and tell how that went; it raises nothing."""
    from procgen.errors import BlemishError

    start = perf_counter()
    try:
        counts = refresh(blender_scene)
        note = note_on(blender_scene)
    except BlemishError as error:  # a recipe's problems without its name before each
        report = Report(problem="\n".join(getattr(error, "problems", ())) or str(error))
    except Exception as error:  # numbers that no part can be made of; whatever it is, Blender goes on
        report = Report(problem=f"This cannot be drawn: {error}")
    else:
        report = Report(note=note, seconds=perf_counter() - start, counts=tuple(counts.items()))
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
    snapshots.bring_back(settings)
    scene = sample_scene(settings, _cache)
    part = build_part(scene.part)
    coarse = scene.model_copy(update={"texel_size": texel_size(part, int(settings.preview.size))})
    maps = surface_maps(coarse, _cache)
    place_part(blender_scene, part, coarse)
    surface = surface_of(blender_scene)
    if surface is not None:
        show_maps(surface, maps)
        lay = lay_along_v(scene.finish.lay_direction, part) if maps.lay is None else None
        surface.brush(scene.finish.anisotropy, lay, scene.finish.coat)
        if settings.preview.overlay:
            show_classes(surface.material, maps.classes)
        show_overlay(surface.material, settings.preview.overlay_opacity if settings.preview.overlay else 0.0)
    if settings.preview.stage:
        place_stage(blender_scene, scene)
    else:
        remove_stage(blender_scene)
    counts: dict[str, int] = {}
    for instance in maps.instances:
        counts[instance.class_name] = counts.get(instance.class_name, 0) + 1
    return counts


def sample_scene(settings: Any, cache: SceneCache | None = None) -> Scene:
    """The scene that the settings' recipe, seed and frame make on Blemish's stage; a render of that frame shows it."""
    from blender_addon.ui.recipe.exchange import to_recipe
    from scenes import draw

    return draw(to_recipe(settings, scene=None), settings.seed, settings.frame, cache)


def texel_size(part: Part, side: int) -> float:
    """Metres of a texel so that the part's charts have about `side` squared."""
    return math.sqrt(sum(chart.size[0] * chart.size[1] for chart in part.charts)) / side


def note_on(blender_scene: bpy.types.Scene) -> str:
    """What keeps the layers from being seen, as a sentence."""
    shown = blender_scene.blemish.preview.object
    worn = shown.material_slots[0].material if shown is not None and shown.material_slots else None
    if worn is None or is_own(worn, SURFACE):
        return ""
    return say("The part wears your material {name}: empty its slot to see the layers", name=worn.name)


@persistent
def _after_opening(*_: Any) -> None:
    """The images are not in the file: they are drawn anew, without a window once something is rendered."""
    global _stale
    _stale = True
    leaving.settle_after_opening()
    schedule()


@persistent
def _before_rendering(*_: Any) -> None:
    global _stale
    if _stale and bpy.app.background:
        update_all()
    _stale = False


@persistent
def _after_undo(*_: Any) -> None:
    """Images are not among what Blender brings back."""
    leaving.settle_after_undo()
    schedule()


@persistent
def _after_change(*_: Any) -> None:
    """Whatever the user does in Blender: where it was the part that is deleted, Blemish leaves the scene."""
    if any(leaving.is_deserted(blender_scene) for blender_scene in own_scenes()):
        schedule()


@persistent
def _before_saving(*_: Any) -> None:
    """Leave the images out of the file, and have Blender not ask about them when it is closed.

    That they have changed since they were saved, it forgets only as it packs them.
    """
    for blender_scene in own_scenes():
        for image in images_of(shown_object(blender_scene)):
            if image.is_dirty:
                image.pack()
            if image.packed_file is not None:
                image.unpack(method="REMOVE")


HANDLERS = {
    "load_post": _after_opening,
    "undo_post": _after_undo,
    "redo_post": _after_undo,
    "depsgraph_update_post": _after_change,
    "render_init": _before_rendering,
    "save_pre": _before_saving,
}


def register() -> None:
    changes.on_change(schedule)
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    global _cache
    changes.off_change(schedule)
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    reports.clear()
    _cache = None
