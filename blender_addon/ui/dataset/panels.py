"""The sub-panel Dataset: how many frames and where to, what it will cost, and how the rendering stands."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy

from blender_addon.ui import icons, lines, progress
from blender_addon.ui.dataset import data, own_scene
from blender_addon.ui.dataset.data import folder_of, last_picture, status_of, test_conditions
from blender_addon.ui.dataset.operators import TEST_NAME
from blender_addon.ui.own_scene.rows import draw_main
from blender_addon.ui.progress import RENDER
from blender_addon.ui.recipe.properties import STAGE
from blender_addon.ui.recipe.rows import is_narrow
from blender_addon.ui.runs import Phase, Run, duration_text
from blender_addon.ui.sidebar import SidebarPanel, labelled_prop, labelled_row, split_labels
from blender_addon.ui.words import say

THUMBNAIL_SCALE = 8.0


class BLEMISH_PT_dataset(SidebarPanel, bpy.types.Panel):
    bl_label = "Dataset"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        draw_where(split_labels(self.layout), context)


class BLEMISH_PT_dataset_frames(SidebarPanel, bpy.types.Panel):
    """What stands below the panels on this scene, if those are there."""

    bl_label = "Frames"
    bl_parent_id = "BLEMISH_PT_dataset"
    bl_order = 10
    bl_options: ClassVar = {"HIDE_HEADER"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_labels(self.layout)
        settings = context.scene.blemish_dataset
        column = layout.column()
        labelled_prop(column, settings, "frames")
        labelled_prop(column, context.scene.blemish, "seed")
        labelled_prop(column, settings, "samples")
        labelled_prop(column, settings, "workers")
        column = layout.column(heading="Leave Out", align=True)
        column.prop(settings, "without_defects")
        column.prop(settings, "without_impurities")
        column = layout.column(heading="Passes")
        column.prop(settings, "passes")
        if settings.passes:
            labelled_prop(layout, settings, "pass_format")
        if data.shows_defects(context):
            sentence = say("Training takes good pictures alone: leave out the defects of those to train on.")
            lines.draw(layout, context, sentence, icon="INFO")
        draw_folder(layout, context)

        run = progress.current(RENDER)
        if run is not None and not run.state.ended:
            draw_progress(layout, run)
        else:
            draw_cost(layout, context)
            draw_start(layout, context)
            row = layout.row()
            row.use_property_split = False
            row.prop(settings, "open_when_done")
        if run is not None:
            draw_result(layout, context, run)


def draw_where(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Blemish's stage or this scene; of this scene what is inspected, and whether the file on disk is as it is here."""
    settings = context.scene.blemish
    either = layout.column(align=True) if is_narrow() else layout.row(align=True)
    either.use_property_split = False
    either.prop(settings, "where", expand=True)
    if settings.where == STAGE:
        return
    draw_main(layout, context)
    if warning := own_scene.unsaved():
        lines.draw(layout, context, say(warning), icon="ERROR")
        layout.operator("wm.save_mainfile", text="Save File", icon="FILE_TICK")


def draw_folder(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where it goes, and what is there already."""
    settings = context.scene.blemish_dataset
    row = labelled_row(layout, "Folder")
    row.prop(settings, "folder", text="")
    row.operator("blemish.new_folder", text="", icon="ADD")
    folder = folder_of(context)
    if not settings.folder:
        lines.draw(layout, context, lines.path_text(folder), icon="BLANK1")
    elif not folder.is_dir():
        lines.draw(layout, context, say("This folder is not there; rendering makes it anew."), icon="INFO")


def draw_cost(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The test frame's button, and what all frames will take by it."""
    settings = context.scene.blemish_dataset
    column = layout.column(align=True)
    column.operator("blemish.test_frame", icon="RENDER_STILL")
    if not settings.test_seconds:
        lines.draw(layout, context, say("A test frame tells how long it will take."), icon="INFO")
        return
    if settings.test_made_with != test_conditions(context):
        sentence = say("The last test frame was of {samples}: render one anew.", samples=settings.test_made_with)
        lines.draw(layout, context, sentence, icon="INFO")
        return
    found = status_of(folder_of(context))
    frames = max(0, settings.frames - found.written) if found is not None else settings.frames
    if not frames:
        return
    total = settings.test_start + frames * settings.test_seconds
    each = duration_text(settings.test_seconds)
    sentence = say("{frames} frames of {each}: about {total}", frames=frames, each=each, total=duration_text(total))
    lines.draw(layout, context, sentence, icon="TIME")


def draw_start(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button to begin, and to go on with what is there."""
    from scenes.gallery.writing import PAGE, page_folder

    found = status_of(folder_of(context))
    column = layout.column(align=True)
    column.scale_y = 1.4
    column.operator("blemish.render_dataset", icon="RENDER_ANIMATION")
    if found is not None and found.missing:
        column.operator(
            "blemish.resume_dataset", text=say("Resume {number} Missing Frames", number=found.missing), icon="PLAY"
        )
    if found is not None:
        there = (
            say("{written} of {frames} frames are there", written=found.written, frames=found.frames)
            if found.missing
            else say("All {frames} frames are there", frames=found.frames)
        )
        layout.label(text=there, icon="FILE_TICK" if not found.missing else "FILE_BLANK")
        row = layout.row(align=True)
        row.operator("blemish.open", text="Folder", icon="FILE_FOLDER").path = str(found.folder)
        page = page_folder(found.folder) / PAGE
        if page.is_file():
            row.operator("blemish.open", text="Look Through", icon="URL").path = str(page)


def draw_progress(layout: bpy.types.UILayout, run: Run) -> None:
    """How the rendering stands, with its buttons."""
    state = run.state
    column = layout.column(align=True)
    if state.phase is Phase.STARTING:
        text = say("Starting Blender…")
    elif run.title == TEST_NAME:
        text = say("Rendering…")
    else:
        text = say("{done} of {total} frames", done=state.done, total=state.total)
    progress.draw_bar(column, run, RENDER, text)
    row = column.row(align=True)
    if state.phase is Phase.PAUSED:
        row.operator("blemish.go_on", icon="PLAY").slot = RENDER
    elif run.title != TEST_NAME:
        row.operator("blemish.pause", icon="PAUSE").slot = RENDER
    row.operator("blemish.cancel", icon="CANCEL").slot = RENDER
    each, left = state.seconds_each, state.seconds_left
    if state.phase is Phase.PAUSED:
        layout.label(text="Paused after a whole frame", icon="PAUSE")
    elif each is not None and left is not None:
        text = say("{each} a frame, {left} left", each=duration_text(each), left=duration_text(left))
        layout.label(text=text, icon="TIME")


def picture_title(run: Run, picture: Path | None) -> str:
    """What the last picture is of."""
    if run.title == TEST_NAME or picture is None:
        return say(TEST_NAME) if picture else ""
    return say("Frame {number}", number=int(picture.stem))


def draw_result(layout: bpy.types.UILayout, context: bpy.types.Context, run: Run) -> None:
    """The last picture that was written, and what the run has come to."""
    state = run.state
    if state.phase is Phase.FAILED:
        column = layout.column()
        column.alert = True
        lines.draw(column, context, state.message, icon="ERROR")
        layout.operator("blemish.dismiss", icon="X").slot = RENDER
    elif state.phase is Phase.CANCELLED:
        lines.draw(layout, context, say("Cancelled: {done} whole frames are kept.", done=state.done), icon="INFO")
    picture = last_picture(run.folder)
    icon = icons.thumbnail(picture) if picture else 0
    if icon:
        box = layout.box().column(align=True)
        box.template_icon(icon, scale=THUMBNAIL_SCALE)
        box.label(text=picture_title(run, picture))


register, unregister = bpy.utils.register_classes_factory((BLEMISH_PT_dataset, BLEMISH_PT_dataset_frames))
