"""The command `blemish` typed at a Blender without a window.

    blender --background [FILE.blend] --command blemish render plate --out data           Blender 4.2 and later
    blender --background [FILE.blend] --python …/headless.py -- render plate --out data   any Blender

It is the very command of the shell, with the same arguments, messages and exit codes; `--object NAME` makes an object
of the opened file the part. The first needs the add-on enabled, the second only this file, where it lies installed.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

NAME = "blemish"
SPARE = "spare"  # beside the legacy add-on's libraries: those which only some Blenders bring along
_registered: list[object] = []


def command(arguments: Sequence[str]) -> int:
    """Run `blemish` with these arguments in this Blender; gives its exit code."""
    try:
        return int(import_module("blemish").run(list(arguments)))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def register() -> None:
    """Make `blender --command blemish` known, where this Blender has such commands (4.2 on)."""
    import bpy

    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command(NAME, command))


def unregister() -> None:
    """Take it back."""
    import bpy

    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())


def run_as_script() -> None:
    """Run what follows `--` on Blender's command line, and leave Blender."""
    home = Path(__file__).resolve().parents[1]
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
        sys.path.append(str(home.with_name(SPARE)))
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    try:
        code = command(arguments)
    except ImportError as error:
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        print(
            f"blemish: Blender's Python {python} cannot load a library ({error}); run the headless.py of the installed "
            "add-on, or name the libraries' folder in PYTHONPATH and give Blender --python-use-system-env",
            file=sys.stderr,
        )
        code = 2
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender itself would end with 0, and after a second of tearing down


if __name__ == "__main__":
    run_as_script()
