"""The options of every command that shares its tasks out among workers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from scenes.jobs.executor import Executor
from scenes.jobs.local import Local

MOST_WORKERS = 256
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_WORKERS,
        help="Processes that work at once; by default one, or with --ray as many as the cluster has cores.",
        show_default=False,
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local|auto",
        help="Work on a Ray cluster: its address; local starts one here; auto takes the one that this machine is of.",
    ),
]

WHERE = ("--workers", "--ray")  # options that say where tasks are done


def executor_for(workers: int | None, ray: str | None) -> Executor:
    """Where the options have tasks done."""
    if ray is None:
        return Local(workers or 1)
    from scenes.jobs.ray import Ray

    return Ray(ray, workers)


def repeatable(arguments: Sequence[str]) -> str:
    """`blemish` with these arguments, but for where its tasks were done: that changes no byte of what it writes."""
    kept, following = [], iter(arguments)
    for argument in following:
        if argument in WHERE:
            next(following, None)
        elif argument.partition("=")[0] not in WHERE:
            kept.append(argument)
    return shlex.join(["blemish", *kept])
