"""Opening a .blend of the user's: none of its scripts run, and nothing is saved back."""

import re
from pathlib import Path

import bpy

from blender_addon.errors import RenderError

SHOWN = 3
HEADER_BYTES, HEADER = 17, re.compile(rb"BLENDER\d\d-\d\dv(\d\d)(\d\d)")  # since 5.0, which older ones cannot read


def open_blend(blend: str) -> None:
    """Open a .blend in this Blender. Raises RenderError where it cannot, or where that would lose what it holds."""
    version = "{}.{}".format(*bpy.app.version)
    with open(blend, "rb") as file:
        header = HEADER.match(file.read(HEADER_BYTES))
    if header:
        _refuse_newer(blend, int(header[1]), int(header[2]))
    try:
        bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        cause = " ".join(str(error).split()).removeprefix("Error: ")
        said = f"Blender {version} cannot open it ({cause}); was it written by a newer one?"
        raise RenderError(f"{blend}: {said}") from None
    _refuse_newer(blend, *bpy.data.version[:2])


def _refuse_newer(blend: str, major: int, minor: int) -> None:
    """Raise RenderError for a file of a Blender that is newer than this one."""
    if (major, minor) > tuple(bpy.app.version[:2]):
        version = "{}.{}".format(*bpy.app.version)
        raise RenderError(
            f"{blend}: found a file that Blender {major}.{minor} wrote; expected one of Blender {version} or earlier: "
            "name a newer Blender with --blender"
        )


def check_linked(blend: str) -> None:
    """Raise RenderError where libraries that the open file links to are not there."""
    missing = sorted(
        library.filepath
        for library in bpy.data.libraries
        if not Path(bpy.path.abspath(library.filepath, library=library.library)).is_file()
    )
    if missing:
        raise RenderError(
            f"{blend}: found no file {listed(missing)}, which it links to; expected its libraries where it names them: "
            "put them there, or make the objects local"
        )


def listed(names: list[str]) -> str:
    """The first few of some names."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
