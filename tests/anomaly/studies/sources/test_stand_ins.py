from pathlib import Path

import pytest

from anomaly.studies.engine.study import DownstreamStudy
from anomaly.studies.sources.real_set import photographs_of
from anomaly.studies.sources.renders import held_out_sets
from anomaly.studies.sources.stand_ins import on_renders
from anomaly.studies.study_file import load_any
from procgen.errors import BlemishError


def test_renders_stand_in_though_there_are_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deeppcb").mkdir()
    monkeypatch.setenv("BLEMISH_DATA", str(tmp_path))
    file = load_any("pcb_detection", None, "small")
    assert isinstance(file.study, DownstreamStudy)
    assert photographs_of(file, None) == tmp_path / "deeppcb"  # type: ignore[arg-type]
    without = on_renders(file, None)
    assert photographs_of(without, None) is None
    assert held_out_sets(without, without.study.real.rendered)
    assert without.study.arms == file.study.arms


def test_photographs_that_are_named_and_studies_without_renders_are_refused(tmp_path: Path) -> None:
    file = load_any("pcb_detection", None, "small")
    with pytest.raises(BlemishError, match=r"found --real .* and --rendered; expected one of them"):
        on_renders(file, tmp_path)
    with pytest.raises(BlemishError, match="found none for --rendered"):
        on_renders(load_any("magnetic_tile", None, "small"), None)
