"""A Blender window under test: started with the add-on in a fresh profile, driven by hand, asked how it stands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from blender_addon import bl_info
from tests.blender_addon.window.screen import HEIGHT, SETTLED, WHEEL_DOWN, WHEEL_UP, WIDTH, Screen

REPOSITORY = Path(__file__).resolve().parents[3]
LIBRARIES = [str(REPOSITORY), *(folder for folder in sys.path if Path(folder).name == "site-packages")]
PACKED = os.environ.get("BLEMISH_LEGACY_ZIP")  # the add-on as it is shipped, to test that; else its sources
AGENT_EVERY = 0.02  # seconds
STEP = 11  # pixels between two looks at what is under the mouse; Blender's buttons are 20 high
SCREENFULS = 9
TRIES = 4
MENU_PIXELS = 40  # that a menu changes of a row or column, and the highlight of the button that opened it does not
COLUMN = 0.72  # of the sidebar's width, where a button or a field's value is rather than its name


class Blender:
    """One Blender process with its window on a screen."""

    def __init__(self, screen: Screen, profile: Path, blend: Path | None = None, program: str = "blender") -> None:
        self.screen = screen
        self.log = profile / "blender.log"
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(1)
        install(profile)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [program, *([str(blend)] if blend else []), "--python-use-system-env", "-p", "0", "0", str(WIDTH),
                 str(HEIGHT), "--python-exit-code", "1", "--python", str(Path(__file__).with_name("start.py"))],
                env={**os.environ, "DISPLAY": screen.display, "BLEMISH_TEST_PORT": str(listener.getsockname()[1]),
                     "PYTHONPATH": "" if PACKED else os.pathsep.join(LIBRARIES),
                     "BLENDER_USER_CONFIG": str(profile / "config"), "BLENDER_USER_SCRIPTS": str(profile / "scripts"),
                     "HOME": str(profile), "LIBGL_ALWAYS_SOFTWARE": "1"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._connection = self.until(lambda: self._call(listener), "Blender to start", 180)
        self._lines = self._connection.makefile("r")
        listener.close()
        window = screen.do("search", "--sync", "--name", "Blender").split()[0]
        screen.do("windowfocus", window)
        screen.taken_in = self.catch_up
        time.sleep(1)

    def catch_up(self) -> None:
        """Wait until Blender has acted on the events before this: its agent answers between one and the next."""
        for _ in range(2):
            time.sleep(AGENT_EVERY)
            self.ask("process")

    def _call(self, listener: socket.socket) -> socket.socket | None:
        assert self.process.poll() is None, f"Blender did not start:\n{self.log.read_text()[-3000:]}"
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return None
        connection.settimeout(60)
        return connection

    def ask(self, name: str, *arguments: object) -> Any:
        """Have the agent answer; raises AssertionError with what went wrong inside."""
        self._connection.sendall(json.dumps([name, *arguments]).encode() + b"\n")
        line = self._lines.readline()
        assert line, f"Blender is gone:\n{self.log.read_text()[-3000:]}"
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply["value"]

    def until(self, holds: Callable[[], Any], what: str, seconds: float = 120) -> Any:
        """Wait until something holds, and give it back."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = holds()
            if value:
                return value
            time.sleep(0.2)
        raise AssertionError(f"waited {seconds:.0f} s for {what}")

    def find(self, wanted: str, from_right: int = 0, from_left: int = 0) -> tuple[int, int]:
        """Where in the sidebar the button or field is whose operator's call or property's path holds this.

        Looks down the sidebar with the mouse, scrolling as a user does. from_right, from_left: pixels from the
        sidebar's border at which to look.
        """
        left, top, right, bottom = self.ask("place")
        x = right - from_right if from_right else left + (from_left or int(COLUMN * (right - left - 20)))
        seen: list[str] = []
        for turn in range(SCREENFULS):  # first as it is scrolled now, then from the top
            if turn == 1:
                self.scroll(WHEEL_UP, 60)
            elif turn > 1:
                before = self.screen.pixels()[top:bottom, left:right]
                self.scroll(WHEEL_DOWN, 8)
                if (self.screen.pixels()[top:bottom, left:right] == before).all():
                    break
            for y in range(top + 6, bottom - 4, STEP):
                self.screen.move(x, y)
                here = self.ask("under_mouse")
                if here and here not in seen:
                    seen.append(here)
                if wanted in here and self.rests_on(wanted, x, y + 3):
                    return x, y + 3
        raise AssertionError(f"{wanted} is not in the sidebar; found {seen}")

    def rests_on(self, wanted: str, x: int, y: int) -> bool:
        """Whether the mouse, once Blender has caught up with it, is over this in the sidebar."""
        self.screen.move(x, y)
        time.sleep(SETTLED)
        return wanted in self.ask("under_mouse")

    def rests_on_entry(self, wanted: str, x: int, y: int) -> bool:
        """Whether the mouse, once Blender has caught up with it, is over this entry of the open menu."""
        self.screen.move(x, y)
        self.screen.settle()
        return wanted in self.copied()

    def copied(self) -> str:
        """The call of the menu's entry under the mouse."""
        self.screen.key("ctrl+c")
        return str(self.ask("clipboard"))

    def open_tab(self) -> None:
        """Click along the sidebar's tabs until ours is shown, where it is not yet."""
        _, top, right, bottom = self.ask("place")
        for y in range(top + 20, min(bottom, top + 600), 30):
            if self._shows_tab(right - 60, (top + bottom) // 2):
                return
            self.screen.click(right - 9, y)
        raise AssertionError("no tab of the sidebar shows the panel")

    def _shows_tab(self, x: int, y: int) -> bool:
        """Whether our panels are drawn as the mouse moves in the sidebar."""
        before = self.ask("drawn")
        for beside in (0, 30, 60, 90):
            self.screen.move(x, y + beside)
        self.screen.settle()
        return bool(self.ask("drawn") > before)

    def scroll(self, wheel: int, clicks: int) -> None:
        _, top, right, bottom = self.ask("place")
        self.screen.move(right - 60, (top + bottom) // 2)
        self.screen.do("click", "--repeat", clicks, "--delay", 15, wheel)
        self.screen.settle(still=2 * SETTLED, within=3)

    def press(self, wanted: str, **options: Any) -> None:
        """Click a button of the sidebar."""
        self.screen.click(*self.find(wanted, **options))

    def choose(self, x: int, y: int, wanted: str) -> None:
        """Open the menu at a place and click the entry whose call, which Ctrl-C copies, holds this."""
        for _ in range(TRIES):  # a Blender that is busy may take a press and its release for nothing
            self.screen.move(x, y)
            before = self.screen.settle().astype(int)
            self.screen.click(x, y)
            changed = (abs(self.screen.settle(still=1) - before) > 8).any(axis=-1)
            rows, columns = (np.flatnonzero(changed.sum(axis=axis) > MENU_PIXELS) for axis in (1, 0))
            if min(rows.size, columns.size) > MENU_PIXELS:
                break
            self.screen.key("Escape")
        else:
            raise AssertionError("the menu did not open")
        found = set()
        for column in np.linspace(columns[0], columns[-1], 5)[1:4:2].astype(int):
            for row in range(rows[0] + 8, rows[-1] - 4, STEP):
                self.screen.move(column, row)
                found.add(self.copied())
                for place in (row, row - STEP):  # what was copied may be what the mouse was on before
                    if any(wanted in here for here in found) and self.rests_on_entry(wanted, column, place):
                        self.screen.click(column, place)
                        return
        raise AssertionError(f"{wanted} is not in the menu; found {sorted(found)}")

    def enter(self, wanted: str, value: object) -> None:
        """Type a value into a field of the sidebar."""
        x, y = self.find(wanted)
        self.screen.click(x, y, times=2)
        self.screen.key("ctrl+a")
        self.screen.do("type", "--delay", 40, str(value))
        self.catch_up()
        self.screen.key("Return")
        self.until(lambda: self.ask("get", wanted) == value, f"{wanted} to be {value}")

    def quit(self) -> None:
        """Kill it, as a crash or an impatient user does; whatever it started ends with it."""
        self.screen.taken_in = lambda: time.sleep(SETTLED)
        self.process.kill()
        self.process.wait()
        self._connection.close()


def install(profile: Path) -> None:
    """Put the legacy add-on into a profile: the packed one that is named, or its entry and this Python's libraries."""
    addons = profile / "scripts" / "addons"
    if addons.exists():
        return
    addons.mkdir(parents=True)
    if PACKED:
        with ZipFile(PACKED) as archive:
            archive.extractall(addons)
        return
    (addons / "blemish_addon").mkdir()
    entry = (REPOSITORY / "blender_addon" / "extension" / "__init__.py").read_text()
    (addons / "blemish_addon" / "__init__.py").write_text(f"{entry}\nbl_info = {bl_info!r}\n")
