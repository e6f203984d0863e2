"""Workers on a Ray cluster, on whichever of its machines there is room."""

from __future__ import annotations

import os
import pickle
import re
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic

from procgen.errors import BlemishError
from scenes.jobs.executor import Answer, Place, Result, Take, Task, Work, Worker, WorkerLost, answer_of, share_out
from scenes.version import blemish_version

LOCAL = "local"
HOST = re.compile(r"(?:ray://)?([^:/]+):(\d{1,5})")
PATIENCE = 5  # s, for a host to answer
# Workers are as eager as those without Ray; its own give way to everything else on the machine.
EAGER: dict[str, Any] = {"_system_config": {"worker_niceness": 0}}
USAGE = "RAY_USAGE_STATS_ENABLED"


class RayError(BlemishError):
    """A Ray cluster that cannot be used."""


@dataclass(frozen=True)
class Ray:
    """So many workers, each an actor with its share of the cores, on the cluster at an address.

    address: as `ray.init` takes it; "local": a cluster of this machine alone, which ends with the command.
    """

    address: str
    workers: int | None = None

    is_here = False

    def run(
        self, work: Work[Task, Result], tasks: Sequence[Task], take: Take[Result], *, in_order: bool = False
    ) -> None:
        """See `scenes.jobs.executor.Executor`. Raises RayError where there is no such cluster."""
        if not tasks:
            return
        with _connected(self.address):
            machines = _cores()
            count = min(self.workers or int(sum(machines)), len(tasks))
            cores = min(sum(machines) / count, min(machines))
            share_out(_Actors(work, cores), count, tasks, take, in_order=in_order)


def _cores() -> list[float]:
    """How many cores each machine of the cluster offers. Raises RayError where none offers any."""
    import ray

    found = [machine["Resources"].get("CPU", 0.0) for machine in ray.nodes() if machine["Alive"]]
    cores = [count for count in found if count]
    if not cores:
        raise RayError("found no machine with a processor in the Ray cluster; start one with: ray start --head")
    return cores


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Within it this process is connected to the cluster; one that was before stays so."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault(USAGE, "0")
    heeded = signal.getsignal(signal.SIGTERM)
    alone = {"num_cpus": os.cpu_count(), "include_dashboard": False, **EAGER} if address == LOCAL else {}
    try:
        if place := HOST.fullmatch(address):  # whom Ray would try to reach for minutes
            socket.create_connection((place[1], int(place[2])), PATIENCE).close()
        ray.init(address, log_to_driver=False, logging_level="error", **alone)
    except Exception as error:  # which is what Ray raises where its processes do not come up in time
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if address == LOCAL:
            raise RayError(
                f"--ray {LOCAL}: no cluster could be started here ({reason}); try again when the machine is less "
                "busy, or take --workers alone"
            ) from None
        raise RayError(
            f"--ray {address}: found no cluster ({reason}); start one with `ray start --head` and give its address, or "
            "start one here with --ray local"
        ) from None
    finally:
        if heeded is not None:
            signal.signal(signal.SIGTERM, heeded)  # which Ray takes for itself
    try:
        yield
    finally:
        ray.shutdown()


class _Serving:
    """What an actor is: a worker of work that is opened once."""

    def __init__(self, opened: bytes, version: str, folder: str) -> None:
        self._opened, self._version = opened, version
        with suppress(OSError):  # paths of the command are from where it runs
            os.chdir(folder)
        self._worker: Worker[Any, Any] | None = None

    def do(self, task: bytes) -> bytes:
        """The answer to a task, both pickled."""
        return pickle.dumps(answer_of(lambda: self._done(task)))

    def _done(self, task: bytes) -> Any:
        if self._version != blemish_version():
            raise RayError(
                f"found Blemish {blemish_version()} on a machine of the Ray cluster; expected {self._version}, as on "
                "this one: install the same on all of them"
            )
        if self._worker is None:
            work, place = pickle.loads(self._opened)
            self._worker = work.open(place)
        try:
            return self._worker.do(pickle.loads(task))
        except WorkerLost:
            self._worker.stop()
            raise


class _Actors(Generic[Task, Result]):
    """An actor for every worker."""

    def __init__(self, work: Work[Task, Result], cores: float) -> None:
        import ray

        self._ray = ray
        self._work, self._cores = work, cores
        self._kind = ray.remote(_Serving)
        raised = ray.exceptions
        self._lost = (raised.RayActorError, raised.WorkerCrashedError, raised.NodeDiedError, raised.OutOfMemoryError)
        self._actors: dict[int, Any] = {}
        self._asked: dict[Any, int] = {}

    def give(self, seat: int, task: Task) -> None:
        if seat not in self._actors:
            cores = self._cores if self._cores < 1 else int(self._cores)
            place = Place(seat, max(1, int(cores)), is_here=False)
            options = {"num_cpus": cores, "max_restarts": 0, "max_task_retries": 0}
            opened = self._ray.cloudpickle.dumps((self._work, place))  # also of what a script itself defines
            self._actors[seat] = self._kind.options(**options).remote(opened, blemish_version(), os.getcwd())
        self._asked[self._actors[seat].do.remote(pickle.dumps(task))] = seat

    def next_answer(self) -> tuple[int, Answer[Result]]:
        (done,), _ = self._ray.wait(list(self._asked), num_returns=1)
        seat = self._asked.pop(done)
        try:
            answer: Answer[Result] = pickle.loads(self._ray.get(done))
        except self._lost as error:
            reason = str(error).strip().splitlines()[0]
            answer = Answer(error=WorkerLost(f"a worker on the Ray cluster was lost: {reason}"))
        if isinstance(answer.error, WorkerLost):
            self._end(seat)
        return seat, answer

    def stop(self) -> None:
        for seat in list(self._actors):
            self._end(seat)

    def _end(self, seat: int) -> None:
        self._ray.kill(self._actors.pop(seat))
