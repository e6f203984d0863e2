"""Rendering a recipe into a dataset: shares the frames among Blender processes and follows them.

Blender keeps one scene a process, talks on standard output and can die of a driver; so it always runs beside the
caller, never inside.
"""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryFile

from blender_addon.control import Control
from blender_addon.job import ERROR_MARK, FRAME_MARK, READY_MARK, Job
from procgen.errors import BlemishError
from scenes import Dataset, DatasetWriter, Recipe, load_recipe

STDERR_LINES_SHOWN = 6


class RenderError(BlemishError):
    """A Blender process could not render its frames."""


def render_dataset(
    recipe: Recipe | str | Path,
    out: str | Path,
    frames: int,
    seed: int = 0,
    *,
    samples: int = 32,
    workers: int = 1,
    without: Iterable[str] = (),
    on_begin: Callable[[int], None] = lambda missing: None,
    on_frame: Callable[[int], None] = lambda index: None,
    control: Control | None = None,
) -> Dataset:
    """Render frames 0 to `frames` - 1 of a recipe into the folder `out` and give it back as a dataset.

    Frames that the folder already holds are kept, so a stopped run is taken up by calling again; the files are the same
    bytes whatever the number of `workers`, each of which is a Blender process with its share of the cores. samples:
    Cycles samples a pixel. without: families to leave off ("defects", "impurities"), which changes nothing else.
    on_begin: called once with the number of frames yet to render; on_frame: with the index of each as it is written.
    control: by which another thread pauses, goes on and cancels. Raises RecipeError, DatasetError, RenderError, and
    Cancelled where `control` said so.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    for family in without:
        recipe = recipe.without(family)
    if workers < 1:
        raise RenderError(f"found {workers} workers; expected 1 or more")
    for library in ("bpy", "OpenEXR"):  # which the Blender processes import; none can tell of it as plainly
        if importlib.util.find_spec(library) is None:
            raise RenderError(f"{library} is not installed; rendering needs: pip install 'blemish[render]'")
    writer = DatasetWriter(out, recipe, seed, frames, samples=samples)
    missing = writer.missing()
    on_begin(len(missing))
    shares = [share for share in (missing[k::workers] for k in range(workers)) if share]
    threads = max(1, (cpu_count() or 1) // max(1, len(shares)))
    job = Job(recipe.model_dump_json(), str(Path(out).resolve()), seed, frames, samples, threads, indices=())
    run_all([replace(job, indices=tuple(share)) for share in shares], on_frame, control or Control())
    writer.finish()
    return Dataset(out)


@dataclass
class BlenderProcess:
    """One Blender at work on one job; `follow` blocks until it is done."""

    job: Job

    def __post_init__(self) -> None:
        self.errors = TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 - closed by `stop`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "blender_addon.headless"],
            stdin=subprocess.PIPE,  # held open: the process ends when this one does
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            errors="replace",
        )

    def tell(self, word: str) -> None:
        """Send PAUSE or GO; a process that is gone has nothing to heed."""
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()

    def follow(self, on_frame: Callable[[int], None], control: Control) -> None:
        """Hand over the job, report frames as they come; raises RenderError where the process fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # it died at once; its exit code and last words tell more
            self.process.stdin.write(self.job.to_json() + "\n")
            self.process.stdin.flush()
        control.take(self)
        message = ""
        for line in self.process.stdout:
            if line.startswith(FRAME_MARK):
                on_frame(int(line.removeprefix(FRAME_MARK)))
            elif line.startswith(READY_MARK):
                control.on_ready()
            elif line.startswith(ERROR_MARK):
                message = line.removeprefix(ERROR_MARK).strip()
        if self.process.wait():
            raise RenderError(message or self._last_words())

    def _last_words(self) -> str:
        self.errors.seek(0)
        tail = " | ".join(line.strip() for line in self.errors.readlines()[-STDERR_LINES_SHOWN:] if line.strip())
        code = self.process.returncode
        cause, fewer = (f"killed by signal {-code}" if code < 0 else f"stopped with exit code {code}"), ""
        if code == -signal.SIGKILL:
            cause += ", as the system does when memory runs out"
            fewer = ", with fewer --workers if this happens again"
        said = f" It said: {tail}" if tail else ""
        return f"Blender was {cause}; run the same command again to go on from the last whole frame{fewer}.{said}"

    def stop(self) -> None:
        """End the process at once; the frame it was at is not written."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):  # what it was told last and did not read
            self.process.stdin.close()  # type: ignore[union-attr]
        self.errors.close()


def run_all(jobs: list[Job], on_frame: Callable[[int], None], control: Control) -> None:
    """Run every job in a Blender of its own, side by side; the first failure, Ctrl-C or a cancel stops them all."""
    if not jobs:
        return
    blenders = [BlenderProcess(job) for job in jobs]
    with ThreadPoolExecutor(len(blenders)) as threads:
        try:
            followed = [threads.submit(blender.follow, on_frame, control) for blender in blenders]
            wait(followed, return_when=FIRST_EXCEPTION)
        finally:
            for blender in blenders:
                blender.stop()
        control.raise_if_cancelled()
        for future in followed:
            future.result()
