"""Blender processes: started, given their jobs, followed and ended.

Blender keeps one scene a process, talks on standard output and can die of a driver; so it always runs beside the
caller, never inside.
"""

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from blender_addon.errors import RenderError
from blender_addon.workers.blenders import Blender, find
from blender_addon.workers.control import Control
from blender_addon.workers.job import ERROR_MARK, FRAME_MARK, READY_MARK, Job
from scenes import Recipe
from scenes.datasets.frame_files import FrameFiles
from scenes.datasets.schema import PICTURES, SCENES
from scenes.jobs.executor import Place, WorkerLost
from scenes.parts.mesh import MeshRecipe

STDERR_LINES_SHOWN = 6


def ask(program: Blender, request: str, mark: str) -> tuple[list[str], str]:
    """What follows `mark` on the lines that a Blender answers a request with, and its error for the user, or ""."""
    with TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True) as extensions:
        finished = subprocess.run(
            program.command(),
            env=program.environment(extensions),
            input=request + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
        )
    lines = finished.stdout.splitlines()
    answers, errors = (
        [line.removeprefix(word) for line in lines if line.startswith(word)] for word in (mark, ERROR_MARK)
    )
    return answers, errors[-1].strip() if errors else ""


class BlenderLost(RenderError, WorkerLost):
    """A Blender that something has killed, or that has crashed."""


@dataclass(frozen=True)
class Rendering:
    """Rendering frames of a dataset, as work for Blender processes.

    job: but for what each process gets of its own. mesh: the file of the part, where it is one. program: of this
    machine, found by what the user gave; others find their own. cards: of graphics, which processes share; 0: none.
    """

    job: Job
    program: Blender
    given: str | None
    mesh: bytes | None
    cards: int
    control: Control

    has_own_process = True

    def open(self, place: Place) -> "BlenderProcess":
        """A Blender process that is being started. Raises RenderError."""
        program = self.program if place.is_here else find(self.given)
        if program.version != self.program.version:
            raise RenderError(
                f"found Blender {program.series} on another machine; expected {self.program.series} on all of them"
            )
        job = self.job.of_process(place.number, place.cores, self.cards)
        return BlenderProcess(program, job, None if place.is_here else self.mesh, self.control)


class BlenderProcess:
    """One Blender, which renders one frame after the other as it is told.

    mesh: the file of the part, where the path in the job's recipe is another machine's.
    """

    def __init__(self, program: Blender, job: Job, mesh: bytes | None, control: Control) -> None:
        self.control = control
        self._is_ready = False
        self._ending = threading.Lock()
        self._errors = TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 - closed by `stop`
        self._own = TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True)
        self._frames = Path(self._own.name) / "frames"
        self._frames.mkdir()
        recipe = job.recipe if mesh is None else _with_mesh(job.recipe, mesh, Path(self._own.name))
        self._job = replace(job, recipe=recipe, folder=str(self._frames))
        self.process = subprocess.Popen(
            program.command(),
            env=program.environment(self._own.name),
            stdin=subprocess.PIPE,  # held open: the process ends when this one does
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            errors="replace",
        )
        control.attach(self)

    def do(self, task: int) -> FrameFiles:
        """The files of a frame. Raises RenderError, BlenderLost, Cancelled."""
        return self.files(str(task), str(task), (*PICTURES, *self._job.passes, SCENES))

    def files(self, request: str, number: str, names: Iterable[str]) -> FrameFiles:
        """What a request leaves in the folder of its number. Raises RenderError, BlenderLost, Cancelled."""
        if not self._is_ready:
            self._tell(self._job.to_json())
            self._hear(READY_MARK)
            self._is_ready = True
            self.control.on_ready()
        self.control.wait()
        self._tell(request)
        self._hear(FRAME_MARK)
        folder = self._frames / number
        files = {name: (folder / name).read_bytes() for name in names}
        shutil.rmtree(folder)
        return files

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):  # it is dead; its exit code and last words tell more
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def _hear(self, mark: str) -> None:
        """Wait for a line that begins so. Raises RenderError, BlenderLost, Cancelled."""
        assert self.process.stdout is not None
        message = ""
        for line in self.process.stdout:
            if line.startswith(mark):
                return
            if line.startswith(ERROR_MARK):
                message = line.removeprefix(ERROR_MARK).strip()
        code = self.process.wait()
        self.control.raise_if_cancelled()
        if message:
            raise RenderError(message)
        raise (BlenderLost if code < 0 else RenderError)(self._last_words())

    def _last_words(self) -> str:
        self._errors.seek(0)
        tail = " | ".join(line.strip() for line in self._errors.readlines()[-STDERR_LINES_SHOWN:] if line.strip())
        code = self.process.returncode
        cause, fewer = (f"killed by signal {-code}" if code < 0 else f"stopped with exit code {code}"), ""
        if code == -signal.SIGKILL:
            cause += ", as the system does when memory runs out"
            fewer = ", with fewer --workers if this happens again"
        said = f" It said: {tail}" if tail else ""
        return f"Blender was {cause}; run the same command again to go on from the last whole frame{fewer}.{said}"

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        """End the process at once; the frame it was at is lost. Threads may do so at the same time."""
        self.kill()
        self.process.wait()
        with self._ending:
            with suppress(OSError):  # what it was told last and did not read
                self.process.stdin.close()  # type: ignore[union-attr]
            self._errors.close()
            self._own.cleanup()


def _with_mesh(recipe: str, mesh: bytes, folder: Path) -> str:
    """The recipe with its part's file in a folder of this machine."""
    read = Recipe.model_validate_json(recipe)
    assert isinstance(read.part, MeshRecipe)
    path = folder / Path(read.part.path).name
    path.write_bytes(mesh)
    return read.model_copy(update={"part": read.part.model_copy(update={"path": str(path)})}).model_dump_json()
