"""Pages worked in a headless Chromium as people work them: by clicks, drags and keys, through its driver."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
PATIENCE = 60.0  # s, for a page to become what is waited for
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives to references
KEYS = {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Enter": "\ue007"}
KEYS |= {"Escape": "\ue00c", "End": "\ue010", "Home": "\ue011", "Tab": "\ue004", "PageDown": "\ue00f"}
# A session has no local proxy to ask for its own driver.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """One window of a Chromium, by the WebDriver protocol; driver: the process that began it."""

    def __init__(self, driver: int, port: int, size: tuple[int, int], dark: bool, profile: Path) -> None:
        self.driver = driver  # its process
        self._base = f"http://127.0.0.1:{port}"
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
            "--force-device-scale-factor=1", f"--window-size={size[0]},{size[1]}", f"--user-data-dir={profile}",
            *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []),
        ]  # fmt: skip
        options = {"binary": CHROMIUM, "args": arguments}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.session = self._call("POST", "/session", {"capabilities": wanted})["sessionId"]
        emulated = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        self.devtools("Emulation.setEmulatedMedia", emulated)
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with OPENER.open(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def _of(self, method: str, path: str, body: object = None) -> Any:
        return self._call(method, f"/session/{self.session}{path}", body)

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._of("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, page: Path) -> None:
        """Open a page anew, whatever was open, and forget what that complained of."""
        self._of("POST", "/url", {"url": "about:blank"})
        self._of("POST", "/se/log", {"type": "browser"})
        self._of("POST", "/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        """What a script returns, or the promise that it returns."""
        return self._of("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def call(self, script: str, *arguments: object) -> Any:
        """What a script hands to the function that is its last argument."""
        return self._of("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> list[str]:
        found = self._of("POST", "/elements", {"using": "css selector", "value": selector})
        return [entry[ELEMENT] for entry in found]

    def one(self, selector: str) -> str:
        """The one element of a selector, as soon as it is there."""
        self.wait(lambda: len(self.find(selector)) == 1, f"one {selector}")
        return self.find(selector)[0]

    def click(self, selector: str) -> None:
        self._of("POST", f"/element/{self.one(selector)}/click", {})

    def text(self, selector: str) -> str:
        return str(self._of("GET", f"/element/{self.one(selector)}/text"))

    def type(self, selector: str, text: str) -> None:
        """Give an element the focus and press keys, by their names or letters."""
        self._of("POST", f"/element/{self.one(selector)}/value", {"text": KEYS.get(text, text)})

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        pressed = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._of("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": pressed}]})

    def drag(self, selector: str, start: float, end: float) -> None:
        """Drag over an element from one share of its width to another, half its height down."""
        box = self._of("GET", f"/element/{self.one(selector)}/rect")
        view = self.run("return [scrollX, scrollY]")
        y = round(box["y"] - view[1] + box["height"] / 2)
        at = [round(box["x"] - view[0] + share * box["width"]) for share in (start, (start + end) / 2, end)]
        moves = [{"type": "pointerMove", "duration": 0, "x": x, "y": y} for x in at]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self._of("POST", "/actions", {"actions": [mouse]})

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select."""
        self._of("POST", f"/element/{self.one(f'{selector} option[value={json.dumps(value)}]')}/click", {})

    def wait(self, condition: Any, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}"
            time.sleep(0.02)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._of("GET", "/screenshot")))

    @property
    def troubles(self) -> list[str]:
        """Errors of the page since it was last asked."""
        said = self._of("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in said if entry["level"] == "SEVERE"]

    def close(self) -> None:
        self._of("DELETE", "")


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1280, 860), dark: bool = False) -> Iterator[Browser]:
    """A Chromium that is gone afterwards."""
    assert DRIVER is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                OPENER.open(f"http://127.0.0.1:{port}/status", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end, "the driver does not answer"
                time.sleep(0.05)
        window = Browser(driver.pid, port, size, dark, profile)
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        driver.wait()
