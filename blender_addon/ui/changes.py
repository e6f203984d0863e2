"""Who is told when a setting has changed that a scene depends on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_quiet = 0  # while above 0, settings change without telling anyone
_listeners: list[Callable[[], None]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, settings can be changed without the preview being drawn anew for each."""
    global _quiet
    _quiet += 1
    try:
        yield
    finally:
        _quiet -= 1


def is_quiet() -> bool:
    return _quiet > 0


def on_change(listener: Callable[[], None]) -> None:
    """Call `listener` whenever a setting that a scene depends on has changed."""
    if listener not in _listeners:
        _listeners.append(listener)


def off_change(listener: Callable[[], None]) -> None:
    """No longer."""
    if listener in _listeners:
        _listeners.remove(listener)


def changed(group: Any = None, context: Any = None) -> None:
    """Tell those who listen that a setting has changed; Blender calls it with two arguments."""
    if not _quiet:
        for listener in _listeners:
            listener()
