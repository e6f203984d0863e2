"""Studies by name or file, whatever their task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomaly.studies.anomaly.settings import Study
from anomaly.studies.engine.study import DownstreamStudy
from anomaly.studies.engine.study_file import StudyError, StudyFile, checked, fields_of, study_path
from anomaly.studies.registry import INSPECTION, TASKS
from scenes.quantities.distribution import shown

FULL = "full"  # the profile that is the file itself
PROFILES = "profiles"
OF = "of"  # in a profile: another that it changes


def load_study(name_or_path: str | Path) -> StudyFile[Study]:
    """Read a shipped study of inspectors by name, or a YAML file. Raises StudyError with one line per problem."""
    path = study_path(name_or_path)
    fields = fields_of(path)
    fields.pop(PROFILES, None)
    if fields.get("task", INSPECTION) in TASKS:
        problem = f"task: found {fields['task']}; expected {INSPECTION}: `blemish study` runs the others"
        raise StudyError(str(path), [problem])
    return StudyFile(checked(fields, Study, path), path)


def load_any(
    name_or_path: str | Path, task: str | None = None, profile: str = FULL
) -> StudyFile[Study] | StudyFile[DownstreamStudy]:
    """Read a study of any task. task: for a file that names none; else it must be the file's.

    profile: a name of the file's section `profiles`, whose fields replace those of the file, section by section; its
    field `of` names another, whose fields do so first.
    Raises StudyError with one line per problem.
    """
    path = study_path(name_or_path)
    fields = fields_of(path)
    for changes in _changes(fields.pop(PROFILES, {}), profile, path):
        fields = overlaid(fields, changes)
    declared = fields.get("task", task or INSPECTION)
    if declared not in (INSPECTION, *TASKS):
        known = ", ".join((INSPECTION, *TASKS))
        raise StudyError(str(path), [f"task: found {shown(declared)}; expected one of {known}"])
    if task is not None and task != declared:
        raise StudyError(str(path), [f"task: found {declared}; expected {task}, which --task asks for: leave it out"])
    if declared == INSPECTION:
        return StudyFile(checked(fields, Study, path), path)
    return StudyFile(checked({**fields, "task": declared}, DownstreamStudy, path), path)


def _changes(profiles: Any, profile: str, path: Path) -> list[dict[str, Any]]:
    """The fields of a profile, after those of the profiles that it is of. Raises StudyError where one is missing."""
    found: list[dict[str, Any]] = []
    seen: list[str] = []
    while profile != FULL:
        changes = profiles.get(profile) if isinstance(profiles, dict) and isinstance(profile, str) else None
        if not isinstance(changes, dict):
            known = ", ".join([FULL, *(map(str, profiles) if isinstance(profiles, dict) else ())])
            raise StudyError(str(path), [f"{PROFILES}: found no fields of {shown(profile)}; expected one of {known}"])
        if profile in seen:
            raise StudyError(
                str(path), [f"{PROFILES}.{profile}.{OF}: found {' of '.join([*seen, profile])}; expected an end"]
            )
        seen.append(profile)
        found.insert(0, {name: value for name, value in changes.items() if name != OF})
        profile = changes.get(OF, FULL)
    return found


def overlaid(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with others in their place; mappings are gone into, all else is replaced. None takes a field out."""
    result = dict(fields)
    for name, value in changes.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        else:
            result[name] = overlaid(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result
