"""Rendering a recipe into a dataset: shares the frames among Blender processes and follows them.

Blender keeps one scene a process, talks on standard output and can die of a driver; so it always runs beside the
caller, never inside.
"""

import json
import signal
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from blender_addon.errors import RenderError
from blender_addon.workers.blenders import USUAL, Blender, find
from blender_addon.workers.control import Control
from blender_addon.workers.devices import CPU, chosen
from blender_addon.workers.job import (
    CARDS_MARK,
    ERROR_MARK,
    EXPORT,
    EXPORTED_MARK,
    FRAME_MARK,
    LIST_CARDS,
    READY_MARK,
    Job,
)
from procgen.errors import BlemishError
from scenes import Dataset, DatasetWriter, Recipe, load_recipe
from scenes.datasets.schema import HEADER, recipe_in
from scenes.recipes.reading import shipped_recipes
from scenes.recipes.recipe import recipe_from

STDERR_LINES_SHOWN = 6
UNIT_MM = 1000.0  # of a mesh file that Blender wrote: metres


def render_dataset(
    recipe: Recipe | str | Path,
    out: str | Path,
    frames: int,
    seed: int = 0,
    *,
    samples: int = 32,
    workers: int | None = None,
    without: Iterable[str] = (),
    blender: str | Path | None = None,
    device: str = CPU,
    on_begin: Callable[[int], None] = lambda missing: None,
    on_frame: Callable[[int], None] = lambda index: None,
    on_note: Callable[[str], None] = lambda sentence: None,
    control: Control | None = None,
) -> Dataset:
    """Render frames 0 to `frames` - 1 of a recipe into the folder `out` and give it back as a dataset.

    recipe: itself, or the name of a shipped one, a YAML file, or a dataset that was rendered from one.

    Frames that the folder already holds are kept, so a stopped run is taken up by calling again; the files are the same
    bytes whatever the number of `workers`, each of which is a Blender process with its share of the cores, or a
    graphics card of its own (by default one process, or one a card). samples: Cycles samples a pixel. without: families
    to leave off ("defects", "impurities"), which changes nothing else. blender: a Blender program or a Python with bpy,
    by default the bpy of this Python. device: one of `blender_addon.workers.devices.NAMES`; where no card is found
    for it, the processor serves, and `on_note` is told so.
    on_begin: called once with the number of frames yet to render; on_frame: with the index of each as it is written.
    control: by which another thread pauses, goes on and cancels. Raises RecipeError, DatasetError, RenderError, and
    Cancelled where `control` said so.
    """
    recipe = recipe if isinstance(recipe, Recipe) else recipe_of(recipe)
    for family in without:
        recipe = recipe.without(family)
    if workers is not None and workers < 1:
        raise RenderError(f"found {workers} workers; expected 1 or more")
    program = find(blender)
    device, cards = device_of(program, device, on_note)
    settings: dict[str, Any] = {"samples": samples, **({} if device == CPU else {"device": device})}
    if program.version != USUAL:  # whose pictures are other bytes
        settings["blender"] = program.series
    writer = DatasetWriter(out, recipe, seed, frames, **settings)
    missing = writer.missing()
    on_begin(len(missing))
    count = workers or max(1, cards)
    shares = [share for share in (missing[k::count] for k in range(count)) if share]
    threads = max(1, (cpu_count() or 1) // max(1, len(shares)))
    job = Job(
        writer.recipe.model_dump_json(),
        str(Path(out).resolve()),
        seed,
        frames,
        samples,
        settings,
        threads,
        device=device,
    )
    jobs = [replace(job, indices=tuple(share), card=k % max(1, cards)) for k, share in enumerate(shares)]
    try:
        run_all(program, jobs, on_frame, control or Control())
    except BlemishError:
        writer.discard()
        raise
    writer.finish()
    return Dataset(out)


def recipe_of(name_or_path: str | Path) -> Recipe:
    """A shipped recipe by name, one in a YAML file, or that of a dataset. Raises RecipeError, DatasetError."""
    folder = Path(name_or_path)
    if str(name_or_path) not in shipped_recipes() and (folder / HEADER).is_file():
        return recipe_in(folder)
    return load_recipe(name_or_path)


def with_part(recipe: Recipe, path: Path) -> Recipe:
    """The recipe with the exported mesh as its part. Raises RecipeError where they do not go together."""
    part = {"kind": "mesh", "path": str(path), "unit_mm": UNIT_MM}
    return recipe_from({**recipe.model_dump(mode="json"), "part": part}, f"{recipe.name} with {path.stem}")


def device_of(program: Blender, wanted: str, on_note: Callable[[str], None]) -> tuple[str, int]:
    """The device to render on and the number of its cards, 0 for the processor; says where it is not the one wanted."""
    if wanted == CPU:
        return CPU, 0
    chosen(wanted, {})  # a name that is none costs no process
    found = cards_of(program)
    device, note = chosen(wanted, found)
    if note:
        on_note(note)
    return device, len(found.get(device, ()))


def cards_of(program: Blender) -> dict[str, list[str]]:
    """Names of the graphics cards that a Blender can render on, by back end; none where its drivers crash it."""
    answers, _ = asked(program, LIST_CARDS, CARDS_MARK)
    return dict(json.loads(answers[-1])) if answers else {}


def exported(program: Blender, blend: Path, name: str, folder: Path) -> Path:
    """Have a Blender write an object of a .blend as a mesh file in `folder`. Raises RenderError where it cannot."""
    if not blend.is_file():
        found = "a folder" if blend.is_dir() else "no such file"
        raise RenderError(f"{blend}: found {found}; expected a .blend file")
    request = EXPORT + json.dumps([str(blend.resolve()), name, str(folder)])
    answers, errors = asked(program, request, EXPORTED_MARK)
    if not answers:
        raise RenderError(
            errors or f"{blend}: Blender {program.series} stopped while it opened the file; is it damaged?"
        )
    return Path(answers[-1])


def asked(program: Blender, request: str, mark: str) -> tuple[list[str], str]:
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


@dataclass
class BlenderProcess:
    """One Blender at work on one job; `follow` blocks until it is done."""

    program: Blender
    job: Job

    def __post_init__(self) -> None:
        self.errors = TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 - closed by `stop`
        self.extensions = TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            self.program.command(),
            env=self.program.environment(self.extensions.name),
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
        self.extensions.cleanup()


def run_all(program: Blender, jobs: list[Job], on_frame: Callable[[int], None], control: Control) -> None:
    """Run every job in a Blender of its own, side by side; the first failure, Ctrl-C or a cancel stops them all."""
    if not jobs:
        return
    blenders = [BlenderProcess(program, job) for job in jobs]
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
