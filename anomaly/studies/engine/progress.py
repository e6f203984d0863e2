"""How a study goes: bars for people, lines for programs and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from scenes.jobs.progress import tell_program, told_to_program

if TYPE_CHECKING:
    from rich.progress import Progress


class StudyProgress(Protocol):
    """Whom a run tells how it goes."""

    def begin(self, steps: int) -> None:
        """How many steps there are in all."""

    def step(self, name: str, is_new: bool) -> None:
        """A step begins; or its result was there already."""

    def advance(self, what: str, done: int, total: int) -> None:
        """How far the step is."""


class Untold:
    """Tells nobody, as a worker elsewhere does."""

    def begin(self, steps: int) -> None: ...

    def step(self, name: str, is_new: bool) -> None: ...

    def advance(self, what: str, done: int, total: int) -> None: ...


class ProgressDisplay:
    """Tells how a study goes: two bars on a terminal, otherwise a line a step.

    Where BLEMISH_PROGRESS=lines is set, lines that a program can read, as `blemish train` writes them.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._for_programs = told_to_program()
        self._bars: Progress | None = None
        self._all: Any = None
        self._one: Any = None
        self._steps = self._begun = self._kept = 0

    def __enter__(self) -> ProgressDisplay:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        if self._console.is_terminal and not self._for_programs:
            columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=self._console)
            self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, steps: int) -> None:
        self._steps = steps + 1  # the report
        if self._bars is not None:
            self._all = self._bars.add_task("study", total=self._steps)
            self._one = self._bars.add_task("", total=None)

    def step(self, name: str, is_new: bool) -> None:
        self._begun += 1
        self._kept += not is_new
        if self._for_programs:
            tell_program(name, self._begun - 1, self._steps)
        elif self._bars is not None:
            self._bars.update(self._all, completed=self._begun - 1, description=f"study ({self._kept} steps kept)")
            self._bars.reset(self._one, description=name, total=None)
        elif is_new:
            self._console.print(f"{self._begun} of {self._steps}  {name}", highlight=False, soft_wrap=True)

    def advance(self, what: str, done: int, total: int) -> None:
        if self._for_programs:
            tell_program(what, done, total)
        elif self._bars is not None:
            self._bars.update(self._one, completed=done, total=total)
