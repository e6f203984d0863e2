"""Executors: every task once, whoever is killed; failures and stops end all workers; the same for one and for many."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random

import psutil
import pytest

from procgen.errors import BlemishError, BlemishNote
from scenes.jobs.executor import AHEAD, ATTEMPTS, Answer, Executor, WorkerLost, share_out
from scenes.jobs.local import Local
from tests.command.told import REPOSITORY
from tests.scenes.jobs.toys import Squares

TASKS = list(range(24))


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    folder = tmp_path / "begun"
    folder.mkdir()
    return folder


def taken(executor: Executor, work: Squares, tasks: list[int] = TASKS, *, in_order: bool = False) -> list[int]:
    """The positions in which results came; each is what it has to be."""
    order: list[int] = []

    def take(position: int, result: int) -> None:
        assert result == tasks[position] ** 2
        order.append(position)

    executor.run(work, tasks, take, in_order=in_order)
    return order


@pytest.mark.parametrize("workers", [1, 2, 5, 50])
def test_every_task_is_done_once(workers: int, begun: Path) -> None:
    order = taken(Local(workers), Squares(begun), TASKS if workers < 50 else TASKS[:6])
    assert sorted(order) == TASKS[: len(order)]
    processes = {path.read_text() for path in begun.iterdir()}
    assert len(list(begun.iterdir())) == len(order)
    assert (processes == {str(os.getpid())}) == (workers == 1)


def test_without_tasks_nobody_is_started(begun: Path) -> None:
    assert taken(Local(4), Squares(begun), []) == []


def test_results_come_in_order_where_that_counts(begun: Path) -> None:
    work = Squares(begun, slow=((0, 0.5), (9, 0.2)))
    assert taken(Local(3), work, in_order=True) == TASKS


def test_so_few_results_wait_for_an_earlier_one() -> None:
    """With seats that never answer the first task before all others are given away."""

    class Stubborn:
        def __init__(self) -> None:
            self.given: list[tuple[int, int]] = []
            self.most = 0

        def give(self, seat: int, task: int) -> None:
            self.given.append((seat, task))
            self.most = max(self.most, task)

        def next_answer(self) -> tuple[int, Answer[int]]:
            seat, task = self.given.pop(-1 if len(self.given) > 1 else 0)
            return seat, Answer(task)

        def stop(self) -> None: ...

    seats, order, reached = Stubborn(), [], []

    def take(position: int, result: int) -> None:
        order.append(result)
        reached.append(seats.most - position)

    share_out(seats, 3, TASKS, take, in_order=True)
    assert order == TASKS
    assert max(reached) <= 2 * AHEAD * 3


def test_a_lost_workers_task_is_done_elsewhere(begun: Path) -> None:
    work = Squares(begun, deadly=((3, 1), (4, ATTEMPTS - 1), (20, 1)))
    assert sorted(taken(Local(2), work)) == TASKS
    tries = Counter(path.name.partition("-")[0] for path in begun.iterdir())
    assert tries["3"] == tries["20"] == 2
    assert tries["4"] == ATTEMPTS
    assert sum(tries.values()) == len(TASKS) + 2 + ATTEMPTS - 1


def test_a_task_that_kills_every_worker_ends_the_run(begun: Path) -> None:
    with pytest.raises(WorkerLost, match=r"killed by signal 9, as the system does when memory runs out; run the same"):
        taken(Local(2), Squares(begun, deadly=((3, 99),)))
    assert len(list(begun.glob("3-*"))) == ATTEMPTS
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_is_raised_here(workers: int, begun: Path) -> None:
    with pytest.raises(BlemishError, match="task 5 cannot be done"):
        taken(Local(workers), Squares(begun, refused=5))
    assert len(list(begun.glob("5-*"))) == 1
    with pytest.raises((ZeroDivisionError, RuntimeError), match="task 6 is a mistake"):
        taken(Local(workers), Squares(begun, broken=6))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_notes_are_made_here(workers: int, begun: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        taken(Local(workers), Squares(begun))
    told = [str(note.message) for note in caught if issubclass(note.category, BlemishNote)]
    assert told == ["tasks that end in 7 are odd"] * 2


def test_a_failure_while_a_result_is_taken_ends_all_workers(begun: Path) -> None:
    def take(position: int, result: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        Local(2).run(Squares(begun, slow=tuple((task, 0.2) for task in TASKS)), TASKS, take)
    assert multiprocessing.active_children() == []
    assert len(list(begun.iterdir())) < len(TASKS)


PROGRAM = """\
import sys
from pathlib import Path
from scenes.jobs.local import Local
from tests.scenes.jobs.toys import Squares
if __name__ == "__main__":
    work = Squares(Path(sys.argv[1]), slow=tuple((task, 60) for task in range(9)))
    Local(2).run(work, range(9), lambda *_: None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_who_started_them(number: int, begun: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(begun)], cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    deadline = time.monotonic() + 60
    while len(paths := list(begun.iterdir())) < 2 or not all(path.read_text() for path in paths):
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.send_signal(number)
    assert parent.wait(30) != 0
    for path in paths:
        while psutil.pid_exists(int(path.read_text())):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_worker_killed_at_random_changes_nothing(seed: int, begun: Path) -> None:
    work, stop = Squares(begun, slow=tuple((task, 0.1) for task in TASKS)), threading.Event()

    def kill() -> None:
        stop.wait(Random(seed).uniform(0.1, 1.5))
        if children := multiprocessing.active_children():
            Random(seed).choice(children).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    assert sorted(taken(Local(2), work)) == TASKS
    stop.set()
    killer.join()
