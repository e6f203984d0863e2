"""Making what the arms add, several at a time: models and datasets that do not wait for each other.

Each is made by commands in processes of their own, so that threads are enough to hold them; and each is kept by its
content, so that it is the same whichever is made first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from anomaly.studies.engine.labelled import LabelledPicture
from anomaly.studies.engine.progress import StudyProgress
from anomaly.studies.sources.datasets import Sources
from scenes.jobs.executor import Executor, Place, WorkerLost
from scenes.jobs.local import Local


@dataclass(frozen=True)
class Wanted:
    """A dataset or model, made of the real pictures to train on of a seed."""

    name: str
    seed: int


def make_all(sources: Sources, sides: Mapping[int, Sequence[LabelledPicture]], executor: Executor) -> None:
    """Make all that the arms of a study add, as many at a time as an executor has workers, on this machine.

    sides: the real pictures to train on by seed. With one worker, or as many as another place has room for, they are
    made when they are read, one after the other. Raises what making one of them raises; the others then stop, and go on
    where they were when the study is run again.
    """
    if executor.workers in (1, None) or not sides:
        return
    for tasks in waves(sources, list(sides)):
        progress = _Together(sources.progress)
        work = _Making(replace(sources, progress=progress), sides, progress.is_stopped)
        Local(executor.workers).run(work, tasks, lambda position, _: None)


def waves(sources: Sources, seeds: Sequence[int]) -> Iterator[list[Wanted]]:
    """What may be made at the same time, in turn: each is made of what earlier ones hold alone."""
    made: set[str] = set()
    left = sources.needed()
    while left:
        ready = [name for name in left if made.issuperset(sources.made_of(name))]
        of = {name: seeds if sources.depends_on_split(name) else seeds[:1] for name in ready}
        yield [Wanted(name, seed) for name in ready for seed in of[name]]
        made |= set(ready)
        left = [name for name in left if name not in made]


@dataclass(frozen=True)
class _Together:
    """A progress that several threads tell, until they are stopped: then it raises WorkerLost."""

    told: StudyProgress
    is_stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, steps: int) -> None:
        self.told.begin(steps)

    def step(self, name: str, is_new: bool) -> None:
        with self.lock:
            self.told.step(name, is_new)

    def advance(self, what: str, done: int, total: int) -> None:
        if self.is_stopped.is_set():
            raise WorkerLost(f"{what}: was stopped")
        with self.lock:
            self.told.advance(what, done, total)


@dataclass(frozen=True)
class _Making:
    """As work, and as each of its workers: what comes of it lies in the cache, and is known to the sources."""

    sources: Sources
    sides: Mapping[int, Sequence[LabelledPicture]]
    is_stopped: threading.Event

    has_own_process = True

    def open(self, place: Place) -> _Making:
        return self

    def do(self, task: Wanted) -> None:
        self.sources.make(task.name, self.sides[task.seed], task.seed)

    def stop(self) -> None:
        self.is_stopped.set()
