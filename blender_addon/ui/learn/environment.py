"""The Python environment outside Blender that holds torch: found, probed, and described.

Nothing here touches `bpy`. Blender's own Python stays light; training and judging run in that environment as commands.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from blender_addon.ui.learn.command_run import external_environment

SECONDS_TO_PROBE_PROGRAM = 60  # a cold disk takes its time

# Printed by the environment's Python: what is there, without importing anything heavy.
PROBE_PROGRAM = """\
import json
from importlib import metadata, util
def version(name):
    try:
        return metadata.version(name) if util.find_spec(name) else None
    except metadata.PackageNotFoundError:
        return "of a checkout"
try:
    from blemish import COMMANDS
except ImportError:
    COMMANDS = {}
print(json.dumps({"commands": sorted(COMMANDS), "blemish": version("blemish"), "torch": version("torch")}))
"""


@dataclass(frozen=True)
class Environment:
    """What a probe of an environment found. problem and fix: sentences, empty where all is there."""

    python: Path | None
    commands: frozenset[str] = frozenset()
    blemish: str = ""
    torch: str = ""
    problem: str = ""
    fix: str = ""

    @property
    def ready(self) -> bool:
        return not self.problem

    @property
    def line(self) -> str:
        """Its state in one line."""
        return self.problem or f"Ready: Blemish {self.blemish}, torch {self.torch}"


NOT_FOUND = Environment(
    None,
    problem="No Python environment with torch was found",
    fix="Press Install Learning Part, or choose one in the preferences",
)


def checkout() -> Path | None:
    """The repository that this module runs from; None where it was installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() else None


def probe(chosen: str) -> Environment:
    """Probe the environment that the preferences name, or that of the `blemish` command where they name none.

    Starts its Python, which takes a moment. chosen: a folder of an environment, its Python, or empty.
    """
    python = python_of(Path(chosen)) if chosen else python_of_command()
    if python is None and chosen:
        return Environment(
            None,
            problem=f"No Python was found in {chosen}",
            fix="Choose the folder of a virtual environment, or its python program",
        )
    if python is None:
        return NOT_FOUND
    try:
        finished = subprocess.run(
            [str(python), "-P", "-c", PROBE_PROGRAM],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_TO_PROBE_PROGRAM,
            env=external_environment(os.environ),
            cwd=python.parent,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            check=False,
        )
        found = json.loads(finished.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return Environment(None, problem=f"{python} does not run as a Python", fix="Choose another environment")
    return environment_from(python, found)


def environment_from(python: Path, found: dict[str, object]) -> Environment:
    """What to say of an environment in which `PROBE_PROGRAM` found this."""
    commands = found.get("commands")
    names = frozenset(map(str, commands)) if isinstance(commands, list) else frozenset[str]()
    blemish, torch = str(found.get("blemish") or ""), str(found.get("torch") or "")
    problem = fix = ""
    if "train" not in names:
        problem = "Blemish is not installed in this environment"
    elif not torch:
        problem = "torch is not installed in this environment"
    if problem:
        source = checkout() or "REPOSITORY OR WHEEL OF BLEMISH"
        fix = f"In a terminal: {python} -m pip install '{source}[anomaly]'"
    return Environment(python, names, blemish, torch, problem, fix)


def python_of(place: Path) -> Path | None:
    """The Python of an environment's folder, of a program in it, or the program itself; None where there is none."""
    place = place.expanduser()
    if place.is_dir():
        candidates = [place / "bin" / "python", place / "bin" / "python3", place / "Scripts" / "python.exe"]
        candidates += [place / "python", place / "python3", place / "python.exe"]
        return next((candidate for candidate in candidates if candidate.is_file()), None)
    if not place.is_file():
        return None
    return place if place.name.lower().startswith("python") else _python_behind(place)


def python_of_command() -> Path | None:
    """The Python behind the `blemish` on PATH; None where there is no such command."""
    command = shutil.which("blemish")
    return _python_behind(Path(command)) if command else None


def _python_behind(script: Path) -> Path | None:
    """The Python that runs an installed script: named in its first line, or lying beside it."""
    try:
        with script.open("rb") as file:
            first = file.readline(1024)
    except OSError:
        return None
    if first.startswith(b"#!") and b"python" in first:
        interpreter = Path(os.fsdecode(first[2:].strip()).strip('"'))
        if interpreter.is_file():
            return interpreter
    beside = "python.exe" if sys.platform == "win32" else "python"
    found = script.resolve().parent / beside
    return found if found.is_file() else None


class EnvironmentProbe:
    """Probes environments in the background, once for each choice, so that drawing a panel never waits."""

    def __init__(self) -> None:
        self._found: dict[str, Environment] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def find(self, chosen: str) -> Environment | None:
        """What is known of the environment of this choice; None while that is being found out."""
        with self._lock:
            if chosen not in self._found and chosen not in self._running:
                self._running.add(chosen)
                threading.Thread(target=self._probe, args=[chosen], name="blemish environment", daemon=True).start()
            return self._found.get(chosen)

    def forget(self) -> None:
        """Probe anew when next asked."""
        with self._lock:
            self._found.clear()

    def is_running(self) -> bool:
        return bool(self._running)

    def _probe(self, chosen: str) -> None:
        found = probe(chosen)
        with self._lock:
            self._found[chosen] = found
            self._running.discard(chosen)


PROBE = EnvironmentProbe()
