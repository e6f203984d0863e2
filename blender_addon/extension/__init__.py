"""What Blender loads as the add-on *Blemish*: makes its libraries importable, then hands over to `blender_addon`.

The packed add-on has this file as its own `__init__.py`. In an extension (Blender 4.2 and later) the libraries and the
packages of Blemish are wheels that Blender installs by itself; in the legacy add-on they lie unpacked in the folder
`libraries` beside this file, and in `spare` those which some Blenders bring along and others do not. Blender names this
module, by which the add-on's preferences are found, after its folder: `blender_addon.register` is told it.
"""

import importlib
import shutil
import sys
from pathlib import Path

PYTHON = (3, 11)  # that the compiled libraries are made for
OWN_PACKAGES = ("blemish", "blender_addon", "procgen", "scenes")
LIBRARIES, SPARE = (str(Path(__file__).with_name(name)) for name in ("libraries", "spare"))
# Bytecode of wheels that are a single file, which Blender forgets when it uninstalls them. Python writes it anew.
BYTECODE = Path(__file__).parents[2] / ".local" / "lib" / "python3.11" / "site-packages" / "__pycache__"

_before: set[str] = set()  # own modules that were there before this add-on, which leaves them alone


def register() -> None:
    """Register the add-on; raises RuntimeError, for Blender to show, where its libraries cannot be loaded."""
    if sys.version_info[:2] != PYTHON:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise RuntimeError(f"Blemish needs a Blender with Python 3.11, found {found}: see its page on Blender")
    _before.update(_own_modules())
    if Path(LIBRARIES).is_dir():
        # Before the system's of the same names, as Blender places the wheels of its extensions; the spare ones last.
        sys.path.insert(0, LIBRARIES)
        sys.path.append(SPARE)
        importlib.invalidate_caches()
    try:
        importlib.import_module("blender_addon").register(__package__)
    except BaseException:
        _forget()
        raise


def unregister() -> None:
    """Take everything back. Compiled libraries that were used stay in memory: they cannot be loaded a second time."""
    try:
        importlib.import_module("blender_addon").unregister()
    finally:
        _forget()
        shutil.rmtree(BYTECODE, ignore_errors=True)


def _forget() -> None:
    """Undo what importing did: an updated add-on is then read anew."""
    for name in _own_modules() - _before:
        del sys.modules[name]
    _before.clear()
    for folder in (LIBRARIES, SPARE):
        while folder in sys.path:
            sys.path.remove(folder)
    for folder in [entry for entry in sys.path_importer_cache if entry.startswith((LIBRARIES, SPARE))]:
        del sys.path_importer_cache[folder]


def _own_modules() -> set[str]:
    return {name for name in sys.modules if name.partition(".")[0] in OWN_PACKAGES}
