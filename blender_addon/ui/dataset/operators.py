"""Rendering datasets from the panel: a test frame that tells what it will cost, the run, and taking one up again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar

import bpy

from blender_addon.ui import progress
from blender_addon.ui.dataset import data, own_scene
from blender_addon.ui.dataset.data import folder_of, free_folder, request_of, resuming_request, status_of
from blender_addon.ui.dataset.render_run import RenderRequest, RenderRun
from blender_addon.ui.progress import RENDER
from blender_addon.ui.runs import Phase, State
from blender_addon.ui.words import say

TEST_NAME = "Test frame"


class RenderOperator:
    """Operators that start a rendering, of which there is one at a time. Subclasses say which."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        run = progress.at_work(RENDER)
        if run is not None:
            cls.poll_message_set(f"{run.title} is being rendered: wait for it, or cancel it")  # type: ignore[attr-defined]
        return run is None

    def title_and_request(self, context: bpy.types.Context) -> tuple[str, RenderRequest]:
        """Raises BlemishError or OSError where there is nothing to render or no place for it."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context, waits=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.start(context, waits=False)

    def start(self, context: bpy.types.Context, *, waits: bool) -> set[str]:
        from procgen.errors import BlemishError

        try:
            title, request = self.title_and_request(context)
        except (BlemishError, OSError) as error:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        if (request.options or {}).get("blend") and (warning := own_scene.unsaved()):
            self.report({"WARNING"}, say(warning))  # type: ignore[attr-defined]
        run = RenderRun(title, request, page=title != TEST_NAME)
        return progress.carry_out(self, RENDER, run, partial(after, context.scene.name, run), waits=waits)


def after(scene: str, run: RenderRun, state: State) -> None:
    """What follows a rendering's end; the operator that started it is long gone, and the scene may be too."""
    from scenes.gallery.writing import PAGE, page_folder

    settings = getattr(bpy.data.scenes.get(scene), "blemish_dataset", None)
    if state.phase is not Phase.DONE or settings is None:
        return
    if run.title == TEST_NAME:
        settings.test_seconds = state.seconds
        settings.test_start = run.seconds_to_start or 0.0
        settings.test_made_with = f"{run.request.samples} samples, {(run.request.options or {}).get('device')}"
    elif settings.open_when_done and not bpy.app.background:
        for path in (run.folder, page_folder(run.folder) / PAGE):
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


class BLEMISH_OT_test_frame(RenderOperator, bpy.types.Operator):
    bl_idname = "blemish.test_frame"
    bl_label = "Render Test Frame"
    bl_description = "Render the first frame as the dataset's will be, to see it and how long one takes"

    def title_and_request(self, context: bpy.types.Context) -> tuple[str, RenderRequest]:
        folder = Path(mkdtemp(prefix="test-", dir=bpy.app.tempdir or None))
        return TEST_NAME, request_of(context, folder, frames=1)


class BLEMISH_OT_render_dataset(RenderOperator, bpy.types.Operator):
    bl_idname = "blemish.render_dataset"
    bl_label = "Render Dataset"
    bl_description = (
        "Render the frames in Blender processes of their own, while this one stays usable. "
        "Frames that the folder holds already are kept"
    )

    def title_and_request(self, context: bpy.types.Context) -> tuple[str, RenderRequest]:
        folder = folder_of(context)
        return folder.name, request_of(context, folder, context.scene.blemish_dataset.frames)


class BLEMISH_OT_resume_dataset(RenderOperator, bpy.types.Operator):
    bl_idname = "blemish.resume_dataset"
    bl_label = "Resume"
    bl_description = (
        "Render the frames that this folder still lacks, as they were begun: recipe, seed and samples are read from it"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        found = status_of(folder_of(context))
        if found is None:
            cls.poll_message_set("The folder holds no dataset that was begun")
        elif not found.missing:
            cls.poll_message_set("The dataset in the folder is complete")
        return found is not None and found.missing > 0

    def title_and_request(self, context: bpy.types.Context) -> tuple[str, RenderRequest]:
        folder = folder_of(context)
        return folder.name, replace(resuming_request(folder), workers=context.scene.blemish_dataset.workers)


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

    __annotations__ = {"path": bpy.props.StringProperty(name="Path", description="What to open", options={"SKIP_SAVE"})}

    @classmethod
    def description(cls, context: bpy.types.Context, properties: BLEMISH_OT_open) -> str:
        return f"Open {properties.path}"

    def execute(self, context: bpy.types.Context) -> set[str]:
        problem = open_outside(Path(self.path))
        if problem:
            self.report({"ERROR"}, problem)
        return {"CANCELLED"} if problem else {"FINISHED"}


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
    data.forget()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
