"""Studies by name or file, whatever their task."""

from __future__ import annotations

from pathlib import Path

from anomaly.studies.anomaly.settings import Study
from anomaly.studies.engine.study_file import StudyFile, checked, fields_of, study_path


def load_study(name_or_path: str | Path) -> StudyFile[Study]:
    """Read a shipped study of inspectors by name, or a YAML file. Raises StudyError with one line per problem."""
    path = study_path(name_or_path)
    return StudyFile(checked(fields_of(path), Study, path), path)
