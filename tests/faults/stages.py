"""The commands that write a folder, small enough that each runs in a second or two, in forks that can be killed."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import blemish
from scenes import DatasetWriter, load_recipe
from scenes.datasets.files import LOCK, is_temporary
from scenes.datasets.lock import locked
from tests.command.inputs import FRAMES, SAMPLES, SEED, write_frame
from tests.command.told import REPOSITORY, contents

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}
RENDERING = ("--frames", "6", "--samples", "1")


@dataclass(frozen=True)
class Stage:
    """A command; `begun`: the file, or pattern of files, with which the first of its work is on the disk.

    anew: what it tells a program where it begins from nothing, though the first of its work is on the disk. verdict:
    its exit code where all went well.
    """

    name: str
    arguments: tuple[str, ...]
    begun: str
    anew: str = ""
    verdict: int = 0

    def run(self, out: Path) -> int:
        """Carry it out in this process; gives the exit code, 0 where that is its verdict."""
        if self.name == "frames":
            write_frames(Path(self.arguments[0]), out)
            return 0
        sys.argv = ["blemish", *self.arguments, "--out", str(out)]
        code = blemish.run(sys.argv[1:])
        return 0 if code == self.verdict else code or 1

    def has_begun(self, out: Path) -> bool:
        return any(out.glob(self.begun))


def stages(made: Path) -> dict[str, Stage]:
    """Of every stage one, from what the fixtures `made` and `learnt` made."""
    good = sorted(map(str, (made / "mvtec/train/good").iterdir()))
    tested = [str(made / "mvtec/test" / name) for name in ("good", "square")]
    recipe, data, mvtec = str(made / "recipe.yaml"), str(made / "data"), str(made / "mvtec")
    bank, other = str(made / "bank"), str(made / "other")
    training = ("--size", "16", "--backbone", "embedded", "--augment", "--epochs", "12")
    scenes = "scenes/*.json"
    generator = ("--lora", "--steps", "6", "--every", "1", "--crops", "2", "--batch", "1", "--rank", "1")
    found = (
        Stage("frames", (recipe,), scenes),  # the writer of `render`, without Blender
        Stage("render-1", ("render", recipe, *RENDERING, "--workers", "1"), scenes),
        Stage("render-2", ("render", recipe, *RENDERING, "--workers", "2"), scenes),
        Stage("train", ("train", mvtec, *training), "training.safetensors", r'\["epoch 1 of'),
        Stage("evaluate", ("evaluate", bank, mvtec, "--validation-share", "0.5"), ".unfinished/*/*/*"),
        Stage("inspect", ("inspect", bank, *tested, "--threshold", "1"), "verdicts.jsonl", verdict=1),
        Stage("synthesize", ("synthesize", *good, "--recipe", recipe), scenes, r"0, 4\]"),
        Stage("refine", ("refine", data, "--steps", "2", "--no-label-check"), scenes, r"0, 4\]"),
        Stage("export", ("export", data, "--format", "yolo"), ".unfinished/0*.json"),
        Stage("import", ("import", mvtec), scenes),
        Stage("meld", ("meld", bank, other), ".blemish.lock.json"),
        Stage("bank", ("bank", bank, "--size", "8"), ".blemish.lock.json"),
        Stage(
            "train-generator",
            ("train-generator", "diffusion", data, *generator),
            "training/denoiser.pt",
            r'\["denoiser", 1, ',
        ),
        Stage(
            "study", ("study", str(made / "study.yaml"), "--threads", "1"), "cache/unfinished/*/training.safetensors"
        ),
    )
    return {stage.name: stage for stage in found}


def write_frames(recipe: Path, out: Path) -> None:
    """What `blemish render` does around its Blender processes."""
    loaded = load_recipe(recipe)
    with locked(out):
        writer = DatasetWriter(out, loaded, SEED, FRAMES, samples=SAMPLES)
        for index in writer.missing():
            write_frame(writer, loaded, index)
        writer.finish()


def forked(work: Callable[[], int], said: Path = Path(os.devnull)) -> int:
    """Do something in a fork of this process, whose imports it keeps; the fork's id. said: gets its output."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        told = os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(told, 1)
        os.dup2(told, 2)
        sys.stdout = sys.stderr = os.fdopen(told, "w", buffering=1)  # not those that pytest reads
        warnings.resetwarnings()
        os.environ |= {"PYTHONPATH": str(REPOSITORY), "BLEMISH_PROGRESS": "lines"}
        code = work()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a fork; its exit code, or the negative number of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(stage: Stage, out: Path, said: Path = Path(os.devnull)) -> int:
    return ended(forked(lambda: stage.run(out), said))


def imports(stage: Stage, out: Path) -> int:
    """Run it, and import here what it imported, so that the forks after it begin at once; its exit code."""
    names = out.with_name("imported")

    def work() -> int:
        code = stage.run(out)
        names.write_text("\n".join(sys.modules))
        return code

    code = ended(forked(work))
    for name in names.read_text().split():
        if name not in sys.modules:
            with suppress(Exception):  # of modules that are made, not found
                importlib.import_module(name)
    return code


def span(stage: Stage, out: Path) -> float:
    """Seconds from where the first of its work is on the disk to its end."""
    child = forked(lambda: stage.run(out))
    begin = _begun(stage, out, child)
    assert ended(child) == 0
    return time.perf_counter() - begin


def killed(stage: Stage, out: Path, rng: Random, longest: float) -> bool:
    """Kill it at a random moment after its first work is on the disk; whether it was still at work then."""
    child = forked(lambda: stage.run(out))
    _begun(stage, out, child)
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def _begun(stage: Stage, out: Path, child: int) -> float:
    """Wait until the first of its work is on the disk, or it has ended; when that was."""
    while not stage.has_begun(out):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.001)
    return time.perf_counter()


def begins_anew(stage: Stage, said: Path) -> bool:
    return bool(stage.anew and re.search(stage.anew, said.read_text(errors="replace")))


def calls(stage: Stage, out: Path, die_at: int | None, count_file: Path) -> int:
    """Run it, dying before its `die_at`-th call that changes files below `out`, which is after the one before it.

    Counts the calls in `count_file` where it does not die. Gives the exit code.
    """

    def work() -> int:
        done = 0

        def call(what: str) -> None:
            nonlocal done
            if what.startswith(str(out)):
                done += 1
                if done == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        def audit(event: str, arguments: tuple[object, ...]) -> None:
            if event not in EVENTS or not isinstance(arguments[0], str | os.PathLike):
                return
            if event == "open" and not int(arguments[2]) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):  # type: ignore[call-overload]
                return
            call(os.fspath(arguments[0]))

        real_sync = os.fsync

        def sync(descriptor: int) -> None:
            call(os.readlink(f"/proc/self/fd/{descriptor}"))
            real_sync(descriptor)

        os.fsync = sync
        sys.addaudithook(audit)
        code = stage.run(out)
        count_file.write_text(str(done))
        return code

    return ended(forked(work))


def left(out: Path) -> dict[str, bytes | str | None]:
    """What is in a folder, but for the lock and unfinished files of killed writers."""
    found = contents(out) if out.is_dir() else {}
    return {name: value for name, value in found.items() if not is_temporary(Path(name).name)}


def stray(out: Path) -> list[str]:
    """Files of killed writers that nobody took away."""
    return [str(path) for path in out.rglob("*") if is_temporary(path.name) or path.name in (LOCK, ".unfinished")]
