"""Shows how runs stand without blocking Blender: a timer looks, redraws panels and status bar, tells the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import bpy

from blender_addon.ui.runs import Phase, Run, State, status_line
from blender_addon.workers import compat

RENDER, LEARN = "render", "learn"  # one run of each at a time
LOOK_EVERY = 0.25  # seconds

Ending = Callable[[State], None]

_runs: dict[str, Run] = {}
_endings: dict[str, Ending] = {}  # of runs whose end is still to be told
_awaited: list[Callable[[], bool]] = []  # tell whether something else goes on whose end panels show
_shown: dict[str, str] = {}


def begin(slot: str, run: Run, ending: Ending = lambda state: None) -> None:
    """Start a run, follow it, and call `ending` with its last state, in Blender's main thread."""
    _runs[slot], _endings[slot] = run, ending
    run.start()
    watch()


def current(slot: str) -> Run | None:
    """The run of this slot that is at work or was the last."""
    return _runs.get(slot)


def at_work(slot: str) -> Run | None:
    """The run of this slot that is at work."""
    run = _runs.get(slot)
    return run if run is not None and not run.state.ended else None


def forget(slot: str) -> None:
    """Show nothing more of the last run of this slot."""
    if at_work(slot) is None:
        _runs.pop(slot, None)


def finish(slot: str) -> State:
    """Block until the run of this slot has ended, and tell its end; for scripts, where no timer runs."""
    state = _runs[slot].wait()
    _end(slot, state)
    return state


def carry_out(operator: Any, slot: str, run: Run, ending: Ending, *, waits: bool) -> set[str]:
    """Begin a run for an operator; block until its end, and report that, only where it `waits`: a script called it."""
    begin(slot, run, ending)
    if not waits:
        redraw()
        return {"FINISHED"}
    state = finish(slot)
    failed = state.phase is Phase.FAILED
    operator.report({"ERROR" if failed else "INFO"}, ending_text(run, state))
    return {"CANCELLED" if failed else "FINISHED"}


def watch(goes_on: Callable[[], bool] | None = None) -> None:
    """Have the timer look from now on, until no run and nothing that was handed in here goes on any more."""
    if goes_on is not None and goes_on not in _awaited:
        _awaited.append(goes_on)
    if not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=LOOK_EVERY, persistent=True)


def _look() -> float | None:
    about = {}
    for slot, run in list(_runs.items()):
        state = run.state
        about[slot] = f"{status_line(run)} {state.message}"
        if state.ended and slot in _endings:
            _end(slot, state)
            report_ending(run, state)
    before = len(_awaited)
    _awaited[:] = [goes_on for goes_on in _awaited if goes_on()]
    if about != _shown or len(_awaited) < before:
        _shown.clear()
        _shown.update(about)
        redraw()
    return LOOK_EVERY if _endings or _awaited else None


def _end(slot: str, state: State) -> None:
    if slot in _endings:
        _endings.pop(slot)(state)


def report_ending(run: Run, state: State) -> None:
    """Report a run's end as an operator's is reported: in the status bar and, where it failed, at the mouse."""
    level = {Phase.DONE: "INFO", Phase.CANCELLED: "INFO"}.get(state.phase, "ERROR")
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.blemish.report("INVOKE_DEFAULT", level=level, message=ending_text(run, state))


def ending_text(run: Run, state: State) -> str:
    """What to say of a run that has ended."""
    message = state.message or str(state.phase)
    return message if state.phase is Phase.FAILED else f"{run.title}: {message}"


def redraw() -> None:
    """Draw the sidebars, the status bar and the preferences anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)  # the one way to have the status bar drawn


def draw_bar(layout: bpy.types.UILayout, run: Run, slot: str, text: str) -> None:
    """A bar that fills as the run goes on."""
    compat.draw_progress(layout, run.state.factor, text, bpy.context.window_manager, f"blemish_{slot}_percent")


def draw_status(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """What goes on, in the status bar."""
    for slot in (RENDER, LEARN):
        run = at_work(slot)
        if run is not None:
            row = header.layout.row(align=True)
            row.label(text=status_line(run), icon="RENDER_STILL" if slot == RENDER else "EXPERIMENTAL")
            row.operator("blemish.cancel", text="", icon="CANCEL", emboss=False).slot = slot
            header.layout.separator()


class BLEMISH_OT_report(bpy.types.Operator):
    """Reports what a run that goes on beside Blender has come to.

    Called by a timer, an operator's report would go back to its caller; from the window's own event loop, it goes to
    the user. So it waits for the next event.
    """

    bl_idname = "blemish.report"
    bl_label = "Blemish"
    bl_description = "Tell what a run has come to"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    __annotations__ = {
        "level": bpy.props.StringProperty(default="INFO", options={"SKIP_SAVE", "HIDDEN"}),
        "message": bpy.props.StringProperty(options={"SKIP_SAVE", "HIDDEN"}),
    }

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.timer = context.window_manager.event_timer_add(0.05, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.event_timer_remove(self.timer)
        self.report({self.level}, self.message)
        return {"FINISHED", "PASS_THROUGH"}


def _percent_of(slot: str) -> Callable[[object], float]:
    def percent(owner: object) -> float:
        run = _runs.get(slot)
        return 100 * run.state.factor if run is not None else 0.0

    return percent


def register() -> None:
    bpy.utils.register_class(BLEMISH_OT_report)
    for slot in (RENDER, LEARN):
        bar = bpy.props.FloatProperty(
            name="Progress", subtype="PERCENTAGE", min=0, max=100, precision=0, get=_percent_of(slot)
        )
        setattr(bpy.types.WindowManager, f"blemish_{slot}_percent", bar)
    bpy.types.STATUSBAR_HT_header.append(draw_status)


def unregister() -> None:
    """Runs end with the add-on: their frames are kept, and nobody would be left to follow them."""
    for run in _runs.values():
        run.cancel()
    for run in _runs.values():
        run.wait(10)
    _runs.clear()
    _endings.clear()
    _awaited.clear()
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    bpy.types.STATUSBAR_HT_header.remove(draw_status)
    for slot in (RENDER, LEARN):
        delattr(bpy.types.WindowManager, f"blemish_{slot}_percent")
    bpy.utils.unregister_class(BLEMISH_OT_report)
