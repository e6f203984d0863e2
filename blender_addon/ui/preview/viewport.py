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
from blender_addon.ui.preview.objects import place_part, place_stage, remove_stage, surface_of, upload_overlay

if TYPE_CHECKING:
    from scenes.cache import SceneCache
    from scenes.geometry.atlas import Part
    from scenes.scene import Scene

DELAY = 0.02  # s after a change, so that several at once are one


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

    start = perf_counter()
    try:
        counts = refresh(blender_scene)
    except BlemishError as error:  # a recipe's problems without its name before each
        report = Report(problem="\n".join(getattr(error, "problems", ())) or str(error))
    except Exception as error:  # numbers that no part can be made of; whatever it is, Blender goes on
        report = Report(problem=f"This cannot be drawn: {error}")
    else:
        report = Report(seconds=perf_counter() - start, counts=tuple(counts.items()))
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
    scene = sample_scene(settings, _cache)
    part = build_part(scene.part)
    coarse = scene.model_copy(update={"texel_size": texel_size(part, int(settings.preview.size))})
    maps = surface_maps(coarse, _cache)
    place_part(blender_scene, part, coarse)
    surface = surface_of(settings.preview.object)
    surface.show(maps, labels=False)
    surface.brush(scene.finish.anisotropy, lay_along_v(scene, part) if maps.lay is None else None, scene.finish.coat)
    if settings.preview.overlay:
        upload_overlay(surface.material, maps.classes)
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
    """The scene that the settings' recipe, seed and frame make; what a render of that frame shows."""
    from blender_addon.ui.recipe.exchange import to_recipe
    from scenes import draw

    return draw(to_recipe(settings), settings.seed, settings.frame, cache)


def texel_size(part: Part, side: int) -> float:
    """Metres of a texel so that the part's charts have about `side` squared."""
    return math.sqrt(sum(chart.size[0] * chart.size[1] for chart in part.charts)) / side


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
    changes.on_change(schedule)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.append(_show_again)
    bpy.app.handlers.save_pre.append(_pack)


def unregister() -> None:
    global _cache
    changes.off_change(schedule)
    for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        handlers.remove(_show_again)
    bpy.app.handlers.save_pre.remove(_pack)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    reports.clear()
    _cache = None
