"""The timer that looks at what goes on beside Blender's window."""

import pytest

pytest.importorskip("bpy")
from blender_addon.ui import progress

pytestmark = pytest.mark.render


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time that everything was drawn anew."""
    found: list[bool] = []
    monkeypatch.setattr(progress, "redraw", lambda: found.append(True))
    return found


def test_panels_are_drawn_anew_when_what_they_wait_for_has_ended(drawn: list[bool]) -> None:
    progress._look()
    drawn.clear()
    going_on = True
    progress.watch(lambda: going_on)
    assert progress._look() == progress.LOOK_EVERY
    assert not drawn
    going_on = False
    assert progress._look() is None
    assert drawn


def test_so_they_are_when_it_ended_before_the_timer_looked(drawn: list[bool]) -> None:
    progress._look()
    drawn.clear()
    progress.watch(lambda: False)
    assert progress._look() is None
    assert drawn
