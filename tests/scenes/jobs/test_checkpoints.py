"""What a training keeps beside its weights: settings that are refused by name, and a curve of means."""

import pickle
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from scenes.jobs.checkpoints import (
    CheckpointError,
    Curve,
    begin,
    changes,
    read_checked,
    with_one_of_each_text,
    write_checked,
)


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


def test_a_checkpoint_is_refused_where_any_bit_is_another_or_its_end_is_missing(tmp_path: Path) -> None:
    path, content = tmp_path / "some.pt", bytes(range(40))
    write_checked(path, content)
    assert read_checked(path) == content
    written = path.read_bytes()
    spoilt = [written[:end] for end in range(len(written))]
    for bit in range(8 * len(written)):
        flipped = bytearray(written)
        flipped[bit // 8] ^= 1 << bit % 8
        spoilt.append(bytes(flipped))
    for damaged in spoilt:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="was changed or damaged"):
            read_checked(path)


def test_a_state_that_was_read_back_is_written_in_the_same_bytes() -> None:
    state = {"step": [{"step": 1}, {"weights": ("step", 2.5)}], "weights": {0: "step"}}
    pickled = pickle.dumps(with_one_of_each_text(state))
    assert pickle.loads(pickled) == state
    assert pickle.dumps(with_one_of_each_text(pickle.loads(pickled))) == pickled
    other = {"st" + "ep"[0:]: [dict([("".join(["s", "tep"]), 1)]), {"weights": ("".join(["ste", "p"]), 2.5)}]}
    other["weights"] = {0: "".join("step")}
    assert pickle.dumps(other) != pickled == pickle.dumps(with_one_of_each_text(other))
