"""Tasks shared out among workers: what they are told and tell, and the one loop behind every executor.

Work is a map: tasks go in, results come out, and no result depends on who made it, or when. So a task whose worker is
lost is simply given to another, and what comes out is the same bytes for one worker and for many. Whoever calls
`Executor.run` writes the results down, in its own process: workers need no access to what is written.

    local.py   workers on this machine: this process, child processes, or threads that hold programs such as Blender
    ray.py     workers on a Ray cluster
"""

from __future__ import annotations

import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from procgen.errors import BlemishError, BlemishNote

ATTEMPTS = 3  # workers that may be lost over one task
AHEAD = 2  # results a worker that may wait for an earlier one, where their order counts

Task = TypeVar("Task")
Result = TypeVar("Result")
Asked = TypeVar("Asked", contravariant=True)
Made = TypeVar("Made", covariant=True)
Take = Callable[[int, Result], None]  # told the position of a task and its result, in the process of the caller


class WorkerLost(BlemishError):
    """A worker has ended in the midst of a task, by no fault of the task that is known; the message is its end."""


@dataclass(frozen=True)
class Place:
    """Where a worker is: its number among those at work together, the cores it may use, whether on this machine."""

    number: int = 0
    cores: int = 1
    is_here: bool = True


class Worker(Protocol[Asked, Made]):
    """Does one task after the other."""

    def do(self, task: Asked) -> Made:
        """The result of a task. Raises WorkerLost where it died over it, BlemishError where the task cannot be done."""

    def stop(self) -> None:
        """End at once, told by whichever thread; what it is at is lost."""


class Work(Protocol[Asked, Made]):
    """What a worker is made of: is pickled where that is in another process.

    has_own_process: whether its worker is a program that runs beside Python, so that a thread is enough to hold it.
    """

    @property
    def has_own_process(self) -> bool: ...

    def open(self, place: Place) -> Worker[Asked, Made]:
        """A worker, which need not be ready yet."""


class Executor(Protocol):
    """Where tasks are done. workers: how many at once; None: as many as there is room for."""

    @property
    def workers(self) -> int | None: ...

    @property
    def is_here(self) -> bool:
        """Whether this very process does the tasks of work that has no process of its own."""

    def run(
        self, work: Work[Task, Result], tasks: Sequence[Task], take: Take[Result], *, in_order: bool = False
    ) -> None:
        """Do all tasks; `take` is told of each as it is done, or in the order of the tasks.

        The first failure, Ctrl-C among them, stops all workers at once. Raises what a task or `take` raised, and
        WorkerLost where `ATTEMPTS` workers were lost over one task.
        """


@dataclass(frozen=True)
class Simple(Generic[Asked, Made]):
    """A worker that is a function: nothing to stop."""

    do: Callable[[Asked], Made]

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Answer(Generic[Made]):
    """What came of a task elsewhere: its result, or what it raised; and the notes that were made meanwhile."""

    result: Made | None = None
    error: BaseException | None = None
    notes: tuple[str, ...] = ()

    def unpacked(self) -> Made:
        """The result. Raises the error."""
        for note in self.notes:
            warnings.warn(note, BlemishNote, stacklevel=2)
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


def answer_of(made: Callable[[], Made]) -> Answer[Made]:
    """The answer in which a function's result, error and notes travel from process to process."""
    notes: list[str] = []
    show = warnings.showwarning

    def noted(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, BlemishNote):
            notes.append(str(message))
        else:
            show(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", BlemishNote)
        warnings.showwarning = noted
        try:
            return Answer(made(), None, tuple(notes))
        except Exception as error:
            return Answer(None, _portable(error), tuple(notes))


def _portable(error: Exception) -> Exception:
    """An error that can be pickled: of a user's by its sentence, of a mistake of ours with where it was made."""
    if isinstance(error, WorkerLost | OSError | ImportError):
        return error
    if isinstance(error, BlemishError):
        return BlemishError(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))


class Seats(Protocol[Asked, Made]):
    """The workers of one run, by number."""

    def give(self, seat: int, task: Asked) -> None:
        """Have the worker there do a task; where there is none, or it was lost, a new one."""

    def next_answer(self) -> tuple[int, Answer[Made]]:
        """Wait for whoever is done first."""

    def stop(self) -> None:
        """End all workers at once."""


def share_out(
    seats: Seats[Task, Result], count: int, tasks: Sequence[Task], take: Take[Result], *, in_order: bool = False
) -> None:
    """What every executor's `run` does with `count` seats."""
    waiting = deque(range(len(tasks)))
    free = list(range(count))[::-1]
    at: dict[int, int] = {}
    lost: Counter[int] = Counter()
    held: dict[int, Result] = {}
    due = 0

    def fill() -> None:
        while free and waiting and (not in_order or waiting[0] < due + AHEAD * count):
            seat = free.pop()
            at[seat] = waiting.popleft()
            seats.give(seat, tasks[at[seat]])

    try:
        fill()
        while at:
            seat, answer = seats.next_answer()
            position = at.pop(seat)
            free.append(seat)
            try:
                result = answer.unpacked()
            except WorkerLost:
                lost[position] += 1
                if lost[position] == ATTEMPTS:
                    raise
                waiting.appendleft(position)
                fill()
                continue
            if not in_order:
                fill()
                take(position, result)
                continue
            held[position] = result
            ready = []
            while due in held:
                ready.append((due, held.pop(due)))
                due += 1
            fill()
            for earlier, kept in ready:
                take(earlier, kept)
    finally:
        seats.stop()
