"""Workers on this machine."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Generic

from scenes.jobs.executor import (
    Answer,
    Place,
    Result,
    Take,
    Task,
    Work,
    Worker,
    WorkerLost,
    answer_of,
    share_out,
)
from scenes.memory import keep_freed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

GRACE = 10  # s that a process has to end by itself


@dataclass(frozen=True)
class Local:
    """So many workers on this machine. One alone, of work without a process of its own, is this very process."""

    workers: int = 1

    @property
    def is_here(self) -> bool:
        return self.workers == 1

    def run(
        self, work: Work[Task, Result], tasks: Sequence[Task], take: Take[Result], *, in_order: bool = False
    ) -> None:
        """See `scenes.jobs.executor.Executor`."""
        if not tasks:
            return
        count = min(self.workers, len(tasks))
        cores = max(1, (os.cpu_count() or 1) // count)
        if count == 1 and not work.has_own_process:
            worker = work.open(Place(cores=cores))
            for position, task in enumerate(tasks):
                take(position, worker.do(task))
            return
        share_out(_Threads(work, cores), count, tasks, take, in_order=in_order)


class _Threads(Generic[Task, Result]):
    """A thread for every worker, which holds a program or a child process."""

    def __init__(self, work: Work[Task, Result], cores: int) -> None:
        self._work, self._cores = work, cores
        self._tasks: dict[int, SimpleQueue[Task | None]] = {}
        self._answers: SimpleQueue[tuple[int, Answer[Result]]] = SimpleQueue()
        self._workers: dict[int, Worker[Task, Result]] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_stopped = False

    def give(self, seat: int, task: Task) -> None:
        if seat not in self._tasks:
            self._tasks[seat] = SimpleQueue()
            thread = threading.Thread(target=self._serve, args=[seat], daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks[seat].put(task)

    def next_answer(self) -> tuple[int, Answer[Result]]:
        return self._answers.get()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
        for tasks in self._tasks.values():
            tasks.put(None)
        for worker in list(self._workers.values()):
            worker.stop()
        for thread in self._threads:
            thread.join(GRACE)

    def _serve(self, seat: int) -> None:
        if hasattr(signal, "pthread_sigmask"):  # of Ctrl-C this process is told, who then stops those it started
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which have their mask from this thread
        while (task := self._tasks[seat].get()) is not None:
            try:
                answer = Answer(self._worker(seat).do(task))
            except BaseException as error:  # whatever it is, the thread that waits is told
                answer = Answer(error=error)
                if isinstance(error, WorkerLost) and (worker := self._workers.pop(seat, None)) is not None:
                    worker.stop()
            self._answers.put((seat, answer))

    def _worker(self, seat: int) -> Worker[Task, Result]:
        if seat not in self._workers:
            place = Place(seat, self._cores)
            worker = self._work.open(place) if self._work.has_own_process else _Child(self._work, place)
            with self._lock:
                self._workers[seat] = worker
                is_stopped = self._is_stopped
            if is_stopped:
                worker.stop()
        return self._workers[seat]


class _Child(Generic[Task, Result]):
    """A Python process of its own that does tasks; it ends with this one, whatever ends that."""

    def __init__(self, work: Work[Task, Result], place: Place) -> None:
        import multiprocessing  # which keeps the module __main__, that Blender 3.4 frees: it crashes at its end

        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        opened = pickle.dumps((work, place))
        self._process = context.Process(
            target=_serve, args=(theirs, opened), daemon=True
        )  # Python ends it, at the last
        self._process.start()
        theirs.close()

    def do(self, task: Task) -> Result:
        try:
            self._connection.send_bytes(pickle.dumps(task))
            answer: Answer[Result] = pickle.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            self._process.join()
            raise WorkerLost(_last_words(self._process.exitcode)) from None
        return answer.unpacked()

    def stop(self) -> None:
        self._process.terminate()
        self._process.join(GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _last_words(code: int | None) -> str:
    cause = f"killed by signal {-code}" if code is not None and code < 0 else f"stopped with exit code {code}"
    memory = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
    return f"a worker was {cause}{memory}; run the same command again, with fewer --workers if this happens again"


def _serve(connection: Connection, opened: bytes) -> None:
    """What a child does: open the work once, then task by task, until nobody asks any more."""
    signal.signal(signal.SIGTERM, _end)
    keep_freed()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker: Worker[object, object] | None = None

    def done(content: bytes) -> object:
        nonlocal worker
        if worker is None:
            work, place = pickle.loads(opened)
            worker = work.open(place)
        return worker.do(pickle.loads(content))

    with suppress(EOFError, OSError):
        while True:
            content = connection.recv_bytes()
            connection.send_bytes(pickle.dumps(answer_of(lambda content=content: done(content))))  # type: ignore[misc]


def _end(number: int, frame: FrameType | None) -> None:
    """By an exception, so that no half-written file is left."""
    raise SystemExit(1)


def _end_with_parent() -> None:
    import multiprocessing
    from multiprocessing.connection import wait as wait_for

    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)
