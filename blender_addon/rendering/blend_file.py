"""Opening a .blend of the user's: none of its scripts run, and nothing is saved back."""

from pathlib import Path

import bpy

from blender_addon.errors import RenderError

SHOWN = 3


def open_blend(blend: str) -> None:
    """Open a .blend in this Blender. Raises RenderError where it cannot, or where that would lose what it holds."""
    version = "{}.{}".format(*bpy.app.version)
    try:
        bpy.ops.wm.open_mainfile(filepath=blend, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        cause = " ".join(str(error).split()).removeprefix("Error: ")
        raise RenderError(f"{blend}: Blender {version} cannot open it ({cause})") from None
    written = tuple(bpy.data.version[:2])
    if written > tuple(bpy.app.version[:2]):
        raise RenderError(
            f"{blend}: found a file that Blender {written[0]}.{written[1]} wrote; expected one of Blender {version} or "
            "earlier: name a newer Blender with --blender"
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
