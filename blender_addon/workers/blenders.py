"""The Blender that a rendering runs in: the `bpy` of this Python, a Blender program, or a Python with another `bpy`."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from blender_addon.errors import RenderError

PACKAGES = Path(__file__).resolve().parents[2]  # the folder that holds this package and its sisters
OLDEST = (3, 4)
USUAL = (5, 0)  # the series of the bpy wheel that comes with Blemish
ANSWER_WITHIN = 120  # seconds for a program to tell its version, on a machine that is busy and cold
ASK_BPY = "import bpy; print('bpy', bpy.app.version_string)"

EXTENSIONS = "BLENDER_USER_EXTENSIONS"  # the variable that names the folder of the user's extensions
RUN = "import sys; from blender_addon.workers.worker import main; main()"


@dataclass(frozen=True)
class Blender:
    """A program that runs Python with `bpy`.

    executable: path, or what `which` finds. is_python: a Python that imports bpy rather than Blender itself.
    version: of Blender, as (major, minor).
    """

    executable: str
    is_python: bool
    version: tuple[int, int]

    def command(self, expression: str = RUN, blend: str | None = None) -> list[str]:
        """What to start so that it runs a line of Python, after opening a .blend where one is named."""
        if self.is_python:
            reach = f"import sys; sys.path += {[str(PACKAGES), *libraries()]!r}; "
            return [self.executable, "-c", reach + expression]  # this Python's too, of Blender's extensions
        opened = [blend, "--disable-autoexec"] if blend else ["--factory-startup"]
        return [self.executable, "--background", *opened, "--python-use-system-env", "--python-expr", expression]

    def environment(self, extensions: str) -> dict[str, str]:
        """Its environment variables: Blender's own Python finds Blemish's libraries before those that it may bring.

        extensions: an empty folder. Without preferences Blender would delete the libraries of the user's extensions.
        What it leaves of its own, killed or not, lies in there too.
        """
        temporary = Path(extensions) / "temporary"
        temporary.mkdir()
        own = {**os.environ, EXTENSIONS: extensions, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
        if self.is_python:
            return own
        return {**own, "PYTHONPATH": os.pathsep.join([*libraries(), str(PACKAGES)])}

    @property
    def series(self) -> str:
        return "{}.{}".format(*self.version)


def find(given: str | Path | None) -> Blender:
    """The Blender at a path or of a name on PATH; without one, that of this process. Raises RenderError."""
    if given is None:
        return own()
    path = which(os.path.expanduser(given))
    if path is None:
        raise RenderError(
            f"{given}: found no program; expected a Blender, such as /usr/bin/blender, or a Python with bpy"
        )
    said = _said([path, "--version"])
    if found := re.search(r"^Blender (\d+)\.(\d+)", said, re.MULTILINE):
        blender = Blender(path, False, (int(found[1]), int(found[2])))
    elif re.match(r"Python \d", said):
        found = re.search(r"^bpy (\d+)\.(\d+)", _said([path, "-c", ASK_BPY]), re.MULTILINE)
        if found is None:
            raise RenderError(f"{given}: found a Python without bpy; expected one that can `import bpy`, or a Blender")
        blender = Blender(path, True, (int(found[1]), int(found[2])))
    else:
        raise RenderError(f"{given}: found a program that is neither Blender nor Python; expected one of these")
    if blender.version < OLDEST:
        raise RenderError(f"{given}: found Blender {blender.series}; expected {OLDEST[0]}.{OLDEST[1]} or later")
    return blender


def own() -> Blender:
    """The Blender that this process is, or else the bpy that this Python can import. Raises RenderError."""
    if inside():
        import bpy

        return Blender(bpy.app.binary_path, False, bpy.app.version[:2])
    if importlib.util.find_spec("bpy") is None:
        raise RenderError(
            "bpy is not installed; rendering needs it, pip install 'blemish[render]', or a Blender: --blender PATH"
        )
    try:
        major, minor = version("bpy").split(".")[:2]
    except PackageNotFoundError:  # built by hand
        import bpy

        major, minor = bpy.app.version[:2]
    return Blender(sys.executable, True, (int(major), int(minor)))


def inside() -> bool:
    """Whether this process is a Blender program, rather than a Python with or without bpy."""
    bpy = sys.modules.get("bpy")
    return bpy is not None and bool(bpy.app.binary_path)


def libraries() -> list[str]:
    """The folders from which this process imports what is not Python's own, in order."""
    standard = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    packed = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    of_python = {path for lib in standard for path in (lib, f"{lib}/lib-dynload", str(Path(lib).with_name(packed)))}
    bpy = sys.modules.get("bpy")  # once imported, the scripts of its version are there too
    of_blender = [bpy.utils.resource_path(kind) for kind in ("LOCAL", "SYSTEM")] if bpy is not None else []
    others = tuple(f"{folder}{os.sep}" for folder in of_blender if folder)
    folders = dict.fromkeys(os.path.abspath(folder) for folder in sys.path if not folder.startswith(others))
    return [folder for folder in folders if folder not in of_python and os.path.isdir(folder)]


def _said(command: list[str]) -> str:
    """What a program prints, "" where it does not run."""
    try:
        with TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True) as extensions:
            finished = subprocess.run(
                command,
                env={**os.environ, EXTENSIONS: extensions},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=ANSWER_WITHIN,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.decode(errors="replace")
