"""The commands that write a folder, small enough that each runs in a second or two, in forks that can be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import blemish
from scenes import DatasetWriter, load_recipe
from scenes.datasets.files import LOCK, is_temporary
from scenes.datasets.lock import locked
from tests.command.inputs import FRAMES, SAMPLES, SEED, TINY, write_frame
from tests.command.told import contents

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}


@dataclass(frozen=True)
class Stage:
    """A command; `begun`: the file, or pattern of files, with which the first of its work is on the disk."""

    name: str
    arguments: tuple[str, ...]
    begun: str

    def run(self, out: Path) -> int:
        """Carry it out in this process; gives the exit code."""
        if self.name == "frames":
            write_frames(Path(self.arguments[0]), out)
            return 0
        sys.argv = ["blemish", *self.arguments, "--out", str(out)]
        return blemish.run(sys.argv[1:])


def stages(made: Path) -> dict[str, Stage]:
    """Of every stage one, from what the fixture `made` made."""
    good = sorted(map(str, (made / "mvtec/train/good").iterdir()))
    recipe, data, mvtec = str(made / "recipe.yaml"), str(made / "data"), str(made / "mvtec")
    found = (
        Stage("frames", (recipe,), "scenes/*.json"),  # the writer of `render`, without Blender
        Stage("train", ("train", mvtec, *TINY[:2], "--epochs", "3"), "training.safetensors"),
        Stage("evaluate", ("evaluate", str(made / "bank"), mvtec, "--validation-share", "0.5"), ".unfinished/*/*/*"),
        Stage("synthesize", ("synthesize", *good, "--recipe", recipe), "scenes/*.json"),
        Stage("refine", ("refine", data, "--steps", "2", "--no-label-check"), "scenes/*.json"),
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


def forked(work: Callable[[], int]) -> int:
    """Do something in a fork of this process, whose imports it keeps and whose output nobody reads; the fork's id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        code = work()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a fork; its exit code, or the negative number of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(stage: Stage, out: Path) -> int:
    return ended(forked(lambda: stage.run(out)))


def killed(stage: Stage, out: Path, rng: Random, longest: float) -> bool:
    """Kill it at a random moment after its first work is on the disk; whether it was still at work then."""
    child = forked(lambda: stage.run(out))
    while not any(out.glob(stage.begun)):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.001)
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


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
