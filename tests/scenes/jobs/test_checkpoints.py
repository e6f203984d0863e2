"""What a training keeps beside its weights: settings that are refused by name, and a curve of means."""

import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from scenes.jobs.checkpoints import CheckpointError, Curve, begin, changes


def test_settings_are_compared_as_the_disk_has_them() -> None:
    begun = {"rate": 0.1, "widths": [1, 2], "seed": 0, "gone": 1}
    assert changes(begun, {"rate": 0.1, "widths": (1, 2), "seed": 0, "gone": 1}) == ""
    assert changes(begun, {"rate": 0.2, "widths": (1, 2), "seed": 3}) == (
        "rate was 0.1 and is 0.2; seed was 0 and is 3; gone was 1 and is None"
    )


def test_a_folder_belongs_to_the_training_that_began_it(tmp_path: Path) -> None:
    path = tmp_path / "model" / "settings.json"
    begin(path, {"seed": 0, "widths": (1, 2)})
    before = path.read_bytes()
    begin(path, {"seed": 0, "widths": (1, 2)})
    with pytest.raises(CheckpointError, match="seed was 0 and is 1; repeat its command, or choose another --out"):
        begin(path, {"seed": 1, "widths": (1, 2)})
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"{", b"[1]", b"7", b"\xff"])
def test_settings_that_cannot_be_read_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"settings\.json"):
        begin(path, {"seed": 0})


def test_rows_of_a_curve_are_means_of_what_came_since_the_last(tmp_path: Path) -> None:
    ticks = count()
    curve = Curve(tmp_path / "curve.csv", {"loss": float, "tenfold": lambda mean: 10 * mean}, 2, 5, lambda: next(ticks))
    complete = [curve.record(step, (step, 1.0)) for step in range(1, 6)]
    assert complete == [False, True, False, True, True]
    curve.write()
    assert (tmp_path / "curve.csv").read_text().splitlines() == [
        "step,loss,tenfold,seconds",
        "2,1.5,10,1",
        "4,3.5,10,1",
        "5,5,10,1",
    ]


def test_it_needs_no_torch() -> None:
    code = "import scenes.jobs.checkpoints, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
