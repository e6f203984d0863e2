"""The other Blenders that there are on this machine, to run tests in; `tools/blenders` brings them."""

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WHEELS = ("4.2", "4.5")
PROGRAM = "program"


def executable(which: str) -> str:
    """A Python with the bpy of a series, or the Blender program on PATH; skips where it is absent."""
    if which == PROGRAM:
        found = shutil.which("blender")
        if found is None:
            pytest.skip("no `blender` on PATH; tools/blenders installs it on Debian")
        return found
    python = REPOSITORY / ".blenders" / f"bpy-{which}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no bpy {which} in .blenders; tools/blenders {which} brings it")
    return str(python)
