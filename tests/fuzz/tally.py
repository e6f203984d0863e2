"""What came of fuzzing a target: values, refusals, and what must not be: tracebacks, hangs, memory without end."""

import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from types import FrameType

from procgen.errors import BlemishError
from tests.fuzz.target import Target

SECONDS = 2.0  # of the processor for one input
PATIENCE = 30.0  # seconds on the clock after which an input is given up
MEGABYTES = 1000.0  # that fuzzing may add to what the process had


class Hang(BaseException):
    """An input that took too long; no reader may catch it."""


class Wrong(AssertionError):
    """An input that ended neither in a value nor in a BlemishError of one line a problem, or not in time."""


def memory() -> float:
    """The most that this process ever held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


@dataclass
class Tally:
    """Counts of one run. `examples`: the first content of each kind of failure, by the place where it was raised."""

    target: Target
    folder: Path
    inputs: int = 0
    values: int = 0
    refused: int = 0
    tracebacks: int = 0
    hangs: int = 0
    slowest: float = 0.0
    before: float = field(default_factory=memory)
    examples: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def check(self, content: bytes) -> None:
        """Read one content. Raises Wrong where that ends as it must not."""
        path = self.folder / self.target.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # some file systems flush a file that is cut to nothing, in milliseconds
        path.write_bytes(content)
        self.inputs += 1
        begin = process_time()
        try:
            try:
                _in_time(lambda: self.target.read(path))
            except Hang:  # perhaps of a busy machine, which had no time for us
                _in_time(lambda: self.target.read(path))
            self.values += 1
        except BlemishError as error:
            self.refused += 1
            if not str(error) or any(not line.isprintable() for line in str(error).split("\n")):
                self._wrong("not a printable sentence", content, str(error))
        except Hang:
            self.hangs += 1
            self._wrong("hang", content, f"after {PATIENCE:g} s")
        except Exception as error:
            self.tracebacks += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._wrong(
                f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}", content, traceback.format_exc()
            )
        finally:
            took = process_time() - begin
            self.slowest = max(self.slowest, took)
        if took > SECONDS:
            self.hangs += 1
            self._wrong("slow", content, f"{took:.1f} s")

    def _wrong(self, what: str, content: bytes, told: str) -> None:
        self.examples.setdefault(what, (content, told))
        raise Wrong(f"{self.target.name}: {what}: {told}")

    @property
    def grown(self) -> float:
        """MB that fuzzing added at its peak."""
        return memory() - self.before

    def line(self, engine: str) -> str:
        counts = f"{self.values:6} values, {self.refused:6} refused, {self.tracebacks} tracebacks, {self.hangs} hangs"
        peak = f"slowest {self.slowest:.2f} s, peak {memory():.0f} MB (+{self.grown:.0f})"
        return f"{self.target.name:8} {engine:10} {self.inputs:7} inputs: {counts}; {peak}"


def _in_time(work: Callable[[], object]) -> None:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
