"""The options of every command that shares its tasks out among workers."""

from __future__ import annotations

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


def executor_for(workers: int | None, ray: str | None) -> Executor:
    """Where the options have tasks done."""
    if ray is None:
        return Local(workers or 1)
    from scenes.jobs.ray import Ray

    return Ray(ray, workers)
