"""A virtual screen with a real mouse and keyboard on it: Xvfb, xdotool, and the screen's memory as a picture."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 1440, 900
LEFT, WHEEL_UP, WHEEL_DOWN = 1, 4, 5
SETTLED = 0.15  # seconds for Blender to take an event in


class Screen:
    """An X server without a monitor, of its own number; ended on leaving the context."""

    def __init__(self, folder: Path) -> None:
        self.memory = folder / "Xvfb_screen0"
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", "-fbdir", folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        self.taken_in: Callable[[], None] = lambda: time.sleep(SETTLED)  # waits until an event has been acted on
        self.display = f":{self._server.stdout.readline().strip()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.terminate()
        self._server.wait()

    def do(self, *arguments: object) -> str:
        """Run xdotool; coordinates count from the top left."""
        finished = subprocess.run(
            ["xdotool", *map(str, arguments)], env={"DISPLAY": self.display}, capture_output=True, text=True, check=True
        )
        return finished.stdout.strip()

    def move(self, x: int, y: int) -> None:
        self.do("mousemove", x, y)
        self.taken_in()

    def press(self, button: int = LEFT) -> None:
        self.do("mousedown", button)
        self.taken_in()

    def release(self, button: int = LEFT) -> None:
        self.do("mouseup", button)
        self.taken_in()

    def click(self, x: int, y: int, times: int = 1) -> None:
        self.move(x, y)
        if times > 1:  # close enough to each other to be a double click
            self.do("click", "--repeat", times, "--delay", 60, LEFT)
        else:
            self.press()
            self.release()
        self.taken_in()

    def drag(self, x: int, y: int, to_x: int, steps: int = 5) -> None:
        """Press, move along in steps as a hand does, and let go."""
        self.move(x, y)
        self.press()
        for step in range(1, steps + 1):
            self.move(x + (to_x - x) * step // steps, y)
        self.release()

    def key(self, *names: str) -> None:
        for name in names:
            self.do("key", name)
            self.taken_in()

    def pixels(self) -> NDArray[np.uint8]:
        """What is on the screen: (H, W, 3) uint8. The server keeps it in a file of the format XWD."""
        dump = self.memory.read_bytes()
        header = np.frombuffer(dump, ">u4", 25)
        size, columns, rows, line, colours = (int(header[k]) for k in (0, 4, 5, 12, 19))
        start = size + 12 * colours
        picture = np.frombuffer(dump, np.uint8, line * rows, start).reshape(rows, line)[:, : 4 * columns]
        return picture.reshape(rows, columns, 4)[..., 2::-1].copy()

    def settle(self, still: float = 0.4, within: float = 20) -> NDArray[np.uint8]:
        """Wait until nothing has moved for a while, and give what is seen then."""
        deadline = time.monotonic() + within
        before = self.pixels()
        while time.monotonic() < deadline:
            time.sleep(still)
            now = self.pixels()
            if (now == before).all():
                break
            before = now
        return before

    def save(self, path: Path) -> None:
        self.settle(within=3)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.pixels()).save(path)
