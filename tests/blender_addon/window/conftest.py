"""The window under test, and the pictures that are kept of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.blender_addon.window.blender import REPOSITORY, Blender
from tests.blender_addon.window.screen import HEIGHT, WIDTH, Screen

PICTURES = REPOSITORY / "out" / "test-blender"
PROGRAMS = ("blender", "Xvfb", "xdotool")


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: run tools/blenders")
    memory = tmp_path / "screen"
    memory.mkdir()
    with Screen(memory) as screen:
        yield screen


@pytest.fixture
def start(screen: Screen, tmp_path: Path) -> Iterator[Callable[..., Blender]]:
    """Start Blender, as often as wished, in one fresh profile; a picture is kept of how each window ended."""
    profile = tmp_path / "profile"
    profile.mkdir()
    started: list[Blender] = []

    def start(blend: Path | None = None) -> Blender:
        started.append(Blender(screen, profile, blend))
        return started[-1]

    yield start
    screen.save(PICTURES / "last.png")
    for blender in started:
        blender.quit()


@pytest.fixture
def picture(screen: Screen) -> Callable[[str], None]:
    """Keep a picture of the screen under this name, with the mouse out of the way."""

    def keep(name: str) -> None:
        screen.move(WIDTH - 1, HEIGHT - 1)
        screen.save(PICTURES / f"{name}.png")

    return keep
