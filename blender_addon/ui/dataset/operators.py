"""Rendering datasets from the panel: a test frame that tells what it will cost, the run, and taking one up again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, ClassVar

import bpy

from blender_addon.ui import progress
from blender_addon.ui.preferences import chosen
from blender_addon.ui.progress import RENDER

if TYPE_CHECKING:
    from blender_addon.ui.runs import Begun, Order, RenderRun, State
    from scenes import Recipe

TEST_NAME = "Test frame"


def recipe_of(context: bpy.types.Context) -> Recipe:
    """The recipe that the panel shows, less what the dataset shall leave out. Raises RecipeError."""
    from blender_addon.ui.recipe.exchange import to_recipe

    settings = context.scene.blemish_dataset
    left_out = {"defects": settings.without_defects, "impurities": settings.without_impurities}
    return to_recipe(context.scene.blemish).without(*(family for family, left in left_out.items() if left))


def folder_of(context: bpy.types.Context) -> Path:
    """The folder that the panel's dataset is in or shall be in, absolute."""
    given = context.scene.blemish_dataset.folder
    if given:
        return Path(bpy.path.abspath(given))
    name = getattr(context.scene.blemish, "name", "") or "dataset"
    return Path(chosen(context).folder) / name


def order_of(context: bpy.types.Context, folder: Path, frames: int) -> Order:
    """The order for frames as the panel describes them. Raises RecipeError."""
    from blender_addon.ui.runs import Order

    settings = context.scene.blemish_dataset
    seed = context.scene.blemish.seed
    options = {"device": chosen(context).device}
    return Order(recipe_of(context), folder, frames, seed, settings.samples, settings.workers, options=options)


def made_with(context: bpy.types.Context) -> str:
    """What a test frame's time holds for: what decides it that is not the recipe's."""
    return f"{context.scene.blemish_dataset.samples} samples, {chosen(context).device}"


def free_folder(folder: Path) -> Path:
    """The folder, or the next of its name with a number, that does not exist yet."""
    stem, _, number = folder.name.rpartition("-")
    first = folder.name if not (stem and number.isdigit()) else stem
    count = int(number) + 1 if stem and number.isdigit() else 2
    found = folder
    while found.exists():
        found, count = folder.with_name(f"{first}-{count}"), count + 1
    return found


class NeedsNoRendering:
    """Operators that start a rendering, of which there is one at a time."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        run = progress.at_work(RENDER)
        if run is not None:
            cls.poll_message_set(f"{run.title} is being rendered: wait for it, or cancel it")  # type: ignore[attr-defined]
        return run is None


class Renders(NeedsNoRendering):
    """The part that the operators share: start the run and follow it; block only where a script calls them."""

    def start(self, context: bpy.types.Context, title: str, order: Order, *, waits: bool) -> set[str]:
        from blender_addon.ui.runs import Phase, RenderRun

        run = RenderRun(title, order, overview=title != TEST_NAME)
        progress.begin(RENDER, run, partial(after, context.scene.name, run))
        if not waits:
            progress.redraw()
            return {"FINISHED"}
        state = progress.finish(RENDER)
        failed = state.phase is Phase.FAILED
        self.report({"ERROR" if failed else "INFO"}, progress.sentence(run, state))  # type: ignore[attr-defined]
        return {"CANCELLED" if failed else "FINISHED"}


def after(scene: str, run: RenderRun, state: State) -> None:
    """What follows a rendering's end; the operator that started it is long gone, and the scene may be too."""
    from blender_addon.ui.runs import Phase
    from scenes.datasets.overview import overview_path

    settings = getattr(bpy.data.scenes.get(scene), "blemish_dataset", None)
    if state.phase is not Phase.DONE or settings is None:
        return
    if run.title == TEST_NAME:
        settings.test_seconds = state.seconds
        settings.test_start = run.seconds_to_start or 0.0
        settings.test_made_with = f"{run.order.samples} samples, {(run.order.options or {}).get('device')}"
    elif settings.open_when_done and not bpy.app.background:
        for path in (run.folder, overview_path(run.folder)):
            open_outside(path)


def open_outside(path: Path) -> str:
    """Open a folder or page with what the system has for it; gives a sentence where that cannot be."""
    if not path.exists():
        return f"{path} is not there any more"
    try:
        bpy.ops.wm.path_open(filepath=str(path))
    except RuntimeError:  # a system without a desktop has nothing to open it with
        return f"{path} cannot be opened from here: open it yourself"
    return ""


class BLEMISH_OT_test_frame(Renders, bpy.types.Operator):
    bl_idname = "blemish.test_frame"
    bl_label = "Render Test Frame"
    bl_description = "Render the first frame as the dataset's will be, to see it and how long one takes"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.begin(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.begin(context, waits=False)

    def begin(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from procgen.errors import BlemishError

        try:
            order = order_of(context, Path(mkdtemp(prefix="test-", dir=bpy.app.tempdir or None)), frames=1)
        except (BlemishError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.start(context, TEST_NAME, order, waits=waits)


class BLEMISH_OT_render_dataset(Renders, bpy.types.Operator):
    bl_idname = "blemish.render_dataset"
    bl_label = "Render Dataset"
    bl_description = (
        "Render the frames in Blender processes of their own, while this one stays usable. "
        "Frames that the folder holds already are kept"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.begin(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.begin(context, waits=False)

    def begin(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from procgen.errors import BlemishError

        folder = folder_of(context)
        try:
            order = order_of(context, folder, context.scene.blemish_dataset.frames)
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.start(context, folder.name, order, waits=waits)


class BLEMISH_OT_resume_dataset(Renders, bpy.types.Operator):
    bl_idname = "blemish.resume_dataset"
    bl_label = "Resume"
    bl_description = (
        "Render the frames that this folder still lacks, as they were begun: recipe, seed and samples are read from it"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        found = begun_in(folder_of(context))
        if found is None:
            cls.poll_message_set("The folder holds no dataset that was begun")
        elif not found.missing:
            cls.poll_message_set("The dataset in the folder is complete")
        return found is not None and found.missing > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.begin(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.begin(context, waits=False)

    def begin(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from dataclasses import replace

        from blender_addon.ui.runs import taken_up
        from procgen.errors import BlemishError

        folder = folder_of(context)
        try:
            order = taken_up(folder)
        except BlemishError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        workers = context.scene.blemish_dataset.workers
        return self.start(context, folder.name, replace(order, workers=workers), waits=waits)


class BLEMISH_OT_new_folder(bpy.types.Operator):
    bl_idname = "blemish.new_folder"
    bl_label = "New Folder"
    bl_description = "Choose a folder beside this one that does not exist yet, and leave the dataset here as it is"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.blemish_dataset.folder = str(free_folder(folder_of(context)))
        return {"FINISHED"}


class BLEMISH_OT_open(bpy.types.Operator):
    bl_idname = "blemish.open"
    bl_label = "Open"
    bl_description = "Open it outside Blender"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    __annotations__ = {"path": bpy.props.StringProperty(options={"SKIP_SAVE"})}

    @classmethod
    def description(cls, context: bpy.types.Context, properties: BLEMISH_OT_open) -> str:
        return f"Open {properties.path}"

    def execute(self, context: bpy.types.Context) -> set[str]:
        problem = open_outside(Path(self.path))
        if problem:
            self.report({"ERROR"}, problem)
        return {"CANCELLED"} if problem else {"FINISHED"}


_seen: dict[Path, tuple[float, Begun | None]] = {}


def begun_in(folder: Path) -> Begun | None:
    """The dataset in a folder; looks again only when something has been written there, for panels draw often."""
    from blender_addon.ui.runs import begun

    try:
        changed = max(place.stat().st_mtime for place in (folder / "dataset.json", folder / "scenes"))
    except OSError:
        return None
    if folder not in _seen or _seen[folder][0] != changed:
        _seen.clear()
        _seen[folder] = (changed, begun(folder))
    return _seen[folder][1]


CLASSES = (
    BLEMISH_OT_test_frame,
    BLEMISH_OT_render_dataset,
    BLEMISH_OT_resume_dataset,
    BLEMISH_OT_new_folder,
    BLEMISH_OT_open,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    _seen.clear()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
