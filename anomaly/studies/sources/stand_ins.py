"""Renders in the place of a study's photographs, asked for where there are photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomaly.studies.engine.study_file import StudyFile


def on_renders(file: StudyFile[Any], named: Path | None) -> StudyFile[Any]:
    """The study without photographs, so that its renders stand in for them.

    named: photographs that were asked for all the same. Raises StudyError for these, and for a study without renders.
    """
    real = file.study.real
    if named is not None:
        raise file.error("real.dataset", f"found --real {named} and --rendered; expected one of them")
    if real.rendered is None:
        raise file.error("real.rendered", "found none for --rendered; expected renders that stand in for photographs")
    return StudyFile(file.study.model_copy(update={"real": real.model_copy(update={"dataset": None})}), file.path)
