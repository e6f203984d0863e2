"""The tasks of studies, by name; a task's module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from anomaly.studies.engine.task import Task

INSPECTION = "anomaly"  # the study of inspectors, which has ways of training of its own
# Name -> module and object that keep the protocol `engine.task.Task`.
TASKS = {
    "bisqad": ("anomaly.studies.bisqad.task", "Bisqad"),
    "classification": ("anomaly.studies.classification.task", "Classification"),
    "detection": ("anomaly.studies.detection.task", "Detection"),
    "segmentation": ("anomaly.studies.segmentation.task", "Segmentation"),
}


def task_named(name: str) -> Task:
    """The task of a name among TASKS."""
    module, kind = TASKS[name]
    return cast("Task", getattr(import_module(module), kind)())
