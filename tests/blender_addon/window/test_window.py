"""The panel in the window of a real Blender, worked with mouse and keyboard as a person does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenes import Dataset
from tests.blender_addon.window.blender import Blender

pytestmark = pytest.mark.window

FRAMES, MORE_FRAMES = 3, 24
SAMPLES = 16
A_WHILE = 15  # seconds in which a frame is done, unless the machine is very busy
BUTTON, SIDE_BUTTONS = 20, 48  # pixels: a button's height, and how far from the border those beside a list are
CHECK_BOX, TITLE = 51, 27  # how far a panel's check box is from the border, and its title above its first field
WIDER = 90  # pixels by which the sidebar is made wider, for its names not to be cut off
FIRST_OF_TWO = 90  # pixels from the border to the first of two buttons in a row
PATIENCE = 1200  # seconds for a rendering on a machine that is busy
ENDED = ("done", "cancelled", "failed")


Picture = Callable[[str], None]


def test_a_dataset_is_made_by_hand(start: Callable[..., Blender], picture: Picture, tmp_path: Path) -> None:
    blender = start()
    open_the_tab(blender, picture)
    add_a_plate(blender, picture)
    add_a_crack_and_stains(blender, picture)
    drag_a_slider(blender, picture)
    show_the_masks(blender, picture)
    first = render_three_frames(blender, picture)
    second = pause_and_cancel_a_second_run(blender, picture)
    assert second != first.path
    recipe = resume_save_and_crash(blender, second, tmp_path / "inspection.blend")
    assert first.recipe.model_dump_json() == recipe
    blender = start(tmp_path / "inspection.blend")
    assert blender.ask("recipe") == recipe
    finish_what_was_begun(blender, second, picture)
    assert Dataset(second).recipe == first.recipe


def test_the_file_is_left_as_it_was(start: Callable[..., Blender], picture: Picture) -> None:
    blender = start()
    open_sidebar(blender)
    blender.open_tab()
    picture("20-default-width")
    blender.ask("remember")
    blender.press("mesh.blemish_part_add")
    blender.until(lambda: "Inspected Part" in names(blender), "the plate")
    picture("21-on-the-cube")
    look_through(blender)
    picture("22-camera")
    assert len(blender.ask("changes")) > 10
    blender.press("blemish.take_away")
    blender.until(lambda: len(names(blender)) == 3, "all to be gone")
    picture("23-taken-away")
    assert blender.ask("changes") == []
    undo_and_redo(blender)
    delete_by_hand(blender)
    assert blender.ask("changes") == []
    assert len(blender.ask("keys")) == 3
    blender.ask("speak", "de_DE")
    picture("24-german")


def look_through(blender: Blender) -> None:
    """Look through the camera by the search, which finds what the tab does."""
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("F3")
    blender.screen.do("type", "--delay", 60, "Look Through Camera")
    blender.screen.settle(within=5)
    blender.screen.key("Return")
    blender.until(lambda: "Inspection Camera" in names(blender), "the camera")


def names(blender: Blender) -> list[str]:
    return [name for name, _ in blender.ask("objects")]


def undo_and_redo(blender: Blender) -> None:
    """What was taken away comes back, and goes again."""
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("ctrl+z")
    blender.until(lambda: "Inspection Camera" in names(blender), "the camera to be back")
    blender.screen.key("ctrl+shift+z")
    blender.until(lambda: len(names(blender)) == 3, "it to be gone again")


def delete_by_hand(blender: Blender) -> None:
    """Add a part and its camera, and delete the part as any object: Blemish leaves the scene with it."""
    blender.press("mesh.blemish_part_add")
    blender.until(lambda: "Inspected Part" in names(blender), "the plate")
    look_through(blender)
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("x", "Return")
    blender.until(lambda: len(names(blender)) == 3, "all to be gone")


def open_the_tab(blender: Blender, picture: Picture) -> None:
    remove_the_cube(blender)
    open_sidebar(blender)
    blender.open_tab()
    picture("01-sidebar")
    widen_sidebar(blender)


def add_a_plate(blender: Blender, picture: Picture) -> None:
    """Press the button; the view then shows materials."""
    blender.press("mesh.blemish_part_add")
    blender.until(lambda: any(kind == "MESH" for _, kind in blender.ask("objects")), "the plate")
    assert blender.ask("get", "blemish.part.kind") == "plate"
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("Home")
    picture("02-plate")


def add_a_crack_and_stains(blender: Blender, picture: Picture) -> None:
    """Choose both from the menu beside the list."""
    clean = seen(blender)
    for kind in ("crack", "water_stains"):
        x, y = blender.find("blemish.layer_remove", from_right=SIDE_BUTTONS)
        blender.choose(x, y - BUTTON, f"kind='{kind}'")
        blender.until(lambda kind=kind: kind in blender.ask("layers"), f"a layer of {kind}")  # type: ignore[misc]
    assert sorted(blender.ask("layers")) == ["crack", "water_stains"]
    blender.until(lambda: differing(seen(blender), clean) > 0.001, "the layers to be seen")
    picture("03-layers")


def drag_a_slider(blender: Blender, picture: Picture) -> None:
    """Drag the stains' severity to the left, and see the stains follow."""
    stains = blender.ask("layers").index("water_stains")
    severity = f"blemish.layers[{stains}].water_stains.severity"
    stained, before = seen(blender), blender.ask("get", severity)
    x, y = blender.find(severity)
    blender.screen.drag(x, y, x - 40)
    blender.until(lambda: blender.ask("get", severity) < before, "the slider to follow")
    blender.until(lambda: differing(seen(blender), stained) > 0.001, "the stains to change")
    picture("04-slider")


def show_the_masks(blender: Blender, picture: Picture) -> None:
    plain = seen(blender)
    blender.press("preview.overlay", from_left=CHECK_BOX)
    blender.until(lambda: blender.ask("get", "blemish.preview.overlay"), "the overlay")
    blender.until(lambda: differing(seen(blender), plain) > 0.001, "the masks to be seen")
    picture("05-overlay")


def render_three_frames(blender: Blender, picture: Picture) -> Dataset:
    """See what a frame costs, then render three."""
    show_alone(blender, "blemish.where")
    blender.enter("blemish_dataset.frames", FRAMES)
    blender.enter("blemish_dataset.samples", SAMPLES)
    blender.press("blemish.test_frame")
    assert ended(blender) == "done"
    assert blender.ask("get", "blemish_dataset.test_seconds") > 0
    picture("06-test-frame")
    blender.press("blemish.render_dataset")
    blender.until(lambda: blender.ask("run", "render")["done"] > 0, "a frame", PATIENCE)
    time.sleep(1)
    picture("07-rendering")
    assert ended(blender) == "done"
    picture("08-rendered")
    dataset = Dataset(blender.ask("run", "render")["folder"])
    assert dataset.complete
    assert len(dataset) == FRAMES
    assert dataset.recipe.model_dump_json() == blender.ask("recipe")
    assert any(frame.classes.any() for frame in dataset)
    assert any(f"{FRAMES} frames in" in line for line in blender.ask("reports"))
    return dataset


def pause_and_cancel_a_second_run(blender: Blender, picture: Picture) -> Path:
    """Begin more frames in a new folder; pause, go on, cancel. Gives the folder."""
    blender.press("blemish.new_folder", from_right=SIDE_BUTTONS)
    blender.enter("blemish_dataset.frames", MORE_FRAMES)
    blender.press("blemish.render_dataset")
    blender.until(lambda: blender.ask("run", "render")["done"] > 0, "a frame", PATIENCE)
    blender.press("blemish.pause", from_left=FIRST_OF_TWO)
    blender.until(lambda: blender.ask("run", "render")["phase"] == "paused", "the pause")
    settled(blender)
    paused_at = blender.ask("run", "render")["done"]
    picture("09-paused")
    time.sleep(A_WHILE)
    assert blender.ask("run", "render")["done"] == paused_at
    blender.press("blemish.go_on", from_left=FIRST_OF_TWO)
    blender.until(lambda: blender.ask("run", "render")["done"] > paused_at, "the next frame", PATIENCE)
    blender.press("blemish.cancel")
    assert ended(blender) == "cancelled"
    picture("10-cancelled")
    folder = Path(blender.ask("run", "render")["folder"])
    assert 0 < len(Dataset(folder)) < MORE_FRAMES
    return folder


def resume_save_and_crash(blender: Blender, folder: Path, blend: Path) -> str:
    """Resume, save, and have Blender killed: what it started ends with it. Gives the panel's recipe."""
    kept = len(Dataset(folder))
    blender.press("blemish.resume_dataset")
    blender.until(lambda: blender.ask("run", "render")["done"] > kept, "a further frame", PATIENCE)
    recipe = str(blender.ask("recipe"))
    blender.ask("save", str(blend))
    blender.quit()
    time.sleep(2)
    kept = len(Dataset(folder))
    time.sleep(A_WHILE)
    assert len(Dataset(folder)) == kept < MORE_FRAMES
    return recipe


def finish_what_was_begun(blender: Blender, folder: Path, picture: Picture) -> None:
    """In a Blender that has opened the saved file, render what the folder lacks."""
    assert blender.ask("get", "blemish_dataset.frames") == MORE_FRAMES
    if not blender.ask("is_open"):
        open_sidebar(blender)
    blender.open_tab()
    picture("11-reopened")
    show_alone(blender, "blemish.where")
    blender.press("blemish.resume_dataset")
    assert ended(blender) == "done"
    picture("12-resumed")
    assert Dataset(folder).complete


def settled(blender: Blender) -> None:
    """Wait until the frame that was at work when it was paused is written."""
    before = -1
    while (done := blender.ask("run", "render")["done"]) != before:
        before = done
        time.sleep(A_WHILE)


def ended(blender: Blender) -> str:
    """Wait for the end of the rendering, and say which it was."""
    state = blender.until(
        lambda: (run := blender.ask("run", "render")) and run["phase"] in ENDED and run, "the end", PATIENCE
    )
    time.sleep(1)  # for the window to have told of it
    return str(state["phase"])


def show_alone(blender: Blender, field: str) -> None:
    """Close the other panels, with Ctrl and a click on the title of the one whose first field this is."""
    x, y = blender.find(field)
    blender.screen.do("keydown", "ctrl")
    blender.screen.click(x, y - TITLE)
    blender.screen.do("keyup", "ctrl")


def differing(one: Any, other: Any) -> float:
    """Share of the pixels that differ; of pictures of one size."""
    return float((abs(one - other) > 8).any(axis=-1).mean())


def remove_the_cube(blender: Blender) -> None:
    """Clear the view of what a new file shows."""
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("a", "x", "Return")
    blender.until(lambda: blender.ask("objects") == [], "an empty scene")


def open_sidebar(blender: Blender) -> None:
    assert not blender.ask("is_open")
    blender.screen.move(*blender.ask("middle_of_view"))
    blender.screen.key("n")
    blender.until(lambda: blender.ask("is_open"), "the sidebar")


def widen_sidebar(blender: Blender) -> None:
    """Drag the sidebar's border, which is a few pixels wide, to the left."""
    left, top, _, bottom = blender.ask("place")
    for beside in (5, 6, 4, 7, 3, 8, 2, 1, 0):
        blender.screen.drag(left + beside, (top + bottom) // 2, left - WIDER)
        blender.screen.settle()
        if blender.ask("place")[0] < left:
            return
    raise AssertionError("the sidebar's border could not be dragged")


def seen(blender: Blender) -> Any:
    """The pixels of the 3D view beside the sidebar."""
    left, top, right, bottom = blender.ask("view")
    return blender.screen.settle()[top:bottom, left:right].astype(np.int16)
